//! What a program needs to run on QEMU's board "virt" with the ESP32-C3's instruction set: time, a log on the UART, a network
//! device, an executor. No heap.
#![no_std]

mod executor;
mod machine;
mod nic;
mod time;
mod uart;

use core::panic::PanicInfo;

use embassy_executor::Spawner;
use embassy_net::{Config, Ipv4Address, Ipv4Cidr, Runner, Stack, StackResources, StaticConfigV4};

use nic::Nic;
use tenure::{ConnectionId, EndReason, Observer};
#[cfg(feature = "dhcp")]
use tenure_embassy::SteadyLink;
use tenure_embassy::{Listening, SynGate};
pub use uart::install as log_to_uart;

/// Tells why connections end.
#[derive(Debug)]
pub struct Ends;

impl Observer for Ends {
    fn disconnected(&self, id: ConnectionId, reason: EndReason, session: bool) {
        let session = if session { "with" } else { "without" };
        log::info!("connection {id} ended {session} a session: {reason:?}");
    }
}

/// Starts the network on a static 10.0.2.15/24 and runs what `start` spawns. `resources` has room for the stack's sockets.
///
/// # Panics
/// When there is no virtio-net.
pub fn run<const SOCKETS: usize>(
    resources: &'static mut StackResources<SOCKETS>,
    start: impl FnOnce(Spawner, Stack<'static>),
) -> ! {
    boot(|spawner, nic| {
        let (stack, runner) = embassy_net::new(nic, Config::ipv4_static(at(15)), resources, machine::time());
        spawner.spawn(network(runner).expect("one network task"));
        start(spawner, stack);
    })
}

/// The same behind a gate that drops SYNs while none of the server's sockets listens.
///
/// # Panics
/// When there is no virtio-net.
pub fn run_gated<const SOCKETS: usize>(
    resources: &'static mut StackResources<SOCKETS>,
    listening: Listening,
    start: impl FnOnce(Spawner, Stack<'static>),
) -> ! {
    boot(|spawner, nic| {
        let nic = SynGate::new(nic, listening);
        let (stack, runner) = embassy_net::new(nic, Config::ipv4_static(at(15)), resources, machine::time());
        spawner.spawn(gated_network(runner).expect("one network task"));
        start(spawner, stack);
    })
}

/// As [`run`] by DHCP, on a link whose losses of up to `patience` the stack does not see.
///
/// # Panics
/// When there is no virtio-net.
#[cfg(feature = "dhcp")]
pub fn run_by_dhcp<const SOCKETS: usize>(
    resources: &'static mut StackResources<SOCKETS>,
    patience: embassy_time::Duration,
    start: impl FnOnce(Spawner, Stack<'static>),
) -> ! {
    boot(|spawner, nic| {
        let nic = SteadyLink::new(nic, patience);
        let config = Config::dhcpv4(embassy_net::DhcpConfig::default());
        let (stack, runner) = embassy_net::new(nic, config, resources, machine::time());
        spawner.spawn(steady_network(runner).expect("one network task"));
        start(spawner, stack);
    })
}

/// A static configuration: 10.0.2.`host`/24.
pub fn at(host: u8) -> StaticConfigV4 {
    StaticConfigV4 {
        address: Ipv4Cidr::new(Ipv4Address::new(10, 0, 2, host), 24),
        gateway: Some(Ipv4Address::new(10, 0, 2, 2)),
        dns_servers: heapless::Vec::new(),
    }
}

fn boot(start: impl FnOnce(Spawner, Nic)) -> ! {
    machine::paint_stack();
    time::start();
    machine::enable_interrupts();
    executor::run(|spawner| {
        let Some(nic) = nic::find() else { panic!("there is no virtio-net: start QEMU with one") };
        let after_interrupts = nic.after_interrupts();
        start(spawner, nic);
        after_interrupts
    })
}

#[embassy_executor::task]
async fn network(mut runner: Runner<'static, Nic>) -> ! {
    runner.run().await
}

#[embassy_executor::task]
async fn gated_network(mut runner: Runner<'static, SynGate<Nic>>) -> ! {
    runner.run().await
}

#[cfg(feature = "dhcp")]
#[embassy_executor::task]
async fn steady_network(mut runner: Runner<'static, SteadyLink<Nic>>) -> ! {
    runner.run().await
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    log::error!(target: "panic", "{info}");
    machine::exit(101)
}
