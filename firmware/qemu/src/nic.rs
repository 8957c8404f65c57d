//! The virtio network device as a driver of embassy-net.
#![allow(unsafe_code, reason = "the device writes into buffers between two calls, which the compiler cannot see")]

use core::{cell::RefCell, task::Context};

use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState, RxToken, TxToken};
use embassy_sync::waitqueue::AtomicWaker;
use portable_atomic::{AtomicBool, Ordering};
use static_cell::{ConstStaticCell, StaticCell};
use virtio_drivers::{
    device::net::VirtIONetRaw,
    transport::{DeviceType, Transport, mmio::MmioTransport},
};

use crate::{
    executor,
    machine::{self, Memory},
};

/// Frames that the device can have each way at once: as many as its queues have entries for.
const FRAMES: usize = 16;
const SENT_FRAMES: usize = 8;
/// A frame and the device's own head.
const FRAME_BYTES: usize = 1_536;

static WAKER: AtomicWaker = AtomicWaker::new();

/// The device has interrupted since its queues were looked at last.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

#[riscv_rt::core_interrupt(riscv::interrupt::Interrupt::MachineExternal)]
fn external() {
    if machine::acknowledge_device() {
        WAKER.wake();
    }
    INTERRUPTED.store(true, Ordering::Release);
    executor::wake();
}

#[derive(Clone, Copy)]
#[repr(align(4))]
struct Frame([u8; FRAME_BYTES]);

struct Device {
    raw: VirtIONetRaw<Memory, MmioTransport<'static>, FRAMES>,
    slot: usize,
    received: &'static mut [Frame; FRAMES],
    sent: &'static mut [Frame; SENT_FRAMES],
    sent_bytes: [usize; SENT_FRAMES],
    /// Which frame the device's token stands for.
    received_of: [u8; FRAMES],
    sent_of: [u8; FRAMES],
    /// A bit for each frame that may be written.
    free: u16,
}

/// The network device; there is one.
pub(crate) struct Nic(&'static RefCell<Device>);

/// Finds the network device and starts it. To be called once.
pub(crate) fn find() -> Option<Nic> {
    static RECEIVED: ConstStaticCell<[Frame; FRAMES]> = ConstStaticCell::new([Frame([0; FRAME_BYTES]); FRAMES]);
    static SENT: ConstStaticCell<[Frame; SENT_FRAMES]> = ConstStaticCell::new([Frame([0; FRAME_BYTES]); SENT_FRAMES]);
    static DEVICE: StaticCell<RefCell<Device>> = StaticCell::new();
    let (slot, transport) = (0..machine::SLOTS)
        .filter_map(|slot| Some((slot, machine::device(slot)?)))
        .find(|(_, transport)| transport.device_type() == DeviceType::Network)?;
    let mut raw = VirtIONetRaw::new(transport).ok()?;
    raw.enable_interrupts();
    let device = DEVICE.init_with(|| {
        RefCell::new(Device {
            raw,
            slot,
            received: RECEIVED.take(),
            sent: SENT.take(),
            sent_bytes: [0; SENT_FRAMES],
            received_of: [0; FRAMES],
            sent_of: [0; FRAMES],
            free: (1 << SENT_FRAMES) - 1,
        })
    });
    for frame in 0..FRAMES {
        device.get_mut().lend(frame);
    }
    machine::enable_device(slot);
    Some(Nic(device))
}

impl Nic {
    /// What is to be called after interrupts: it wakes the network's task where there is something to do for it. That a frame
    /// has been sent is nothing, unless there was no room for another.
    pub(crate) fn after_interrupts(&self) -> impl FnMut() + use<> {
        let device = self.0;
        move || {
            if INTERRUPTED.load(Ordering::Acquire) {
                INTERRUPTED.store(false, Ordering::Release);
                let device = &mut *device.borrow_mut();
                if device.free == 0 || device.raw.poll_receive().is_some() {
                    WAKER.wake();
                }
            }
        }
    }
}

impl Device {
    /// Gives the device a frame to receive into.
    fn lend(&mut self, frame: usize) {
        // SAFETY: the frame is static and is not touched again before `receive_complete` has given it back.
        let token = unsafe { self.raw.receive_begin(&mut self.received[frame].0) };
        self.received_of[usize::from(token.expect("as many entries as frames"))] = frame as u8;
    }

    /// Takes back the frames that have been sent.
    fn reap(&mut self) {
        while let Some(token) = self.raw.poll_transmit() {
            let frame = usize::from(self.sent_of[usize::from(token)]);
            let bytes = self.sent_bytes[frame];
            // SAFETY: it is the frame that `transmit_begin` was given for this token.
            let done = unsafe { self.raw.transmit_complete(token, &self.sent[frame].0[..bytes]) };
            done.expect("the token is the device's own");
            self.free |= 1 << frame;
        }
    }
}

/// A frame that has come.
pub(crate) struct Received(&'static RefCell<Device>, u16);

/// Room for a frame.
pub(crate) struct Room(&'static RefCell<Device>);

impl RxToken for Received {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, read: F) -> R {
        // What has come is answered from within `read`: the device must not be borrowed meanwhile, so the frame's bytes are
        // copied to where nobody else is.
        let mut bytes = Frame([0; FRAME_BYTES]);
        let (head, count) = {
            let device = &mut *self.0.borrow_mut();
            let frame = usize::from(device.received_of[usize::from(self.1)]);
            // SAFETY: it is the frame that `receive_begin` was given for this token.
            let done = unsafe { device.raw.receive_complete(self.1, &mut device.received[frame].0) };
            let (head, count) = done.expect("the token is the device's own");
            bytes.0[..head + count].copy_from_slice(&device.received[frame].0[..head + count]);
            device.lend(frame);
            (head, count)
        };
        read(&mut bytes.0[head..head + count])
    }
}

impl TxToken for Room {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, bytes: usize, write: F) -> R {
        let device = &mut *self.0.borrow_mut();
        let frame = device.free.trailing_zeros() as usize;
        device.free &= !(1 << frame);
        let buffer = &mut device.sent[frame].0;
        let head = device.raw.fill_buffer_header(buffer).expect("a frame has room for the head");
        let result = write(&mut buffer[head..head + bytes]);
        device.sent_bytes[frame] = head + bytes;
        // SAFETY: the frame is static and is not touched again before `transmit_complete` has given it back.
        let token = unsafe { device.raw.transmit_begin(&device.sent[frame].0[..head + bytes]) };
        device.sent_of[usize::from(token.expect("more entries than frames"))] = frame as u8;
        result
    }
}

impl Driver for Nic {
    type RxToken<'a> = Received;
    type TxToken<'a> = Room;

    fn receive(&mut self, context: &mut Context<'_>) -> Option<(Received, Room)> {
        let room = self.transmit(context)?;
        let token = self.0.borrow_mut().raw.poll_receive()?;
        Some((Received(self.0, token), room))
    }

    fn transmit(&mut self, context: &mut Context<'_>) -> Option<Room> {
        WAKER.register(context.waker());
        let mut device = self.0.borrow_mut();
        device.reap();
        (device.free != 0).then_some(Room(self.0))
    }

    fn link_state(&mut self, context: &mut Context<'_>) -> LinkState {
        WAKER.register(context.waker());
        if machine::has_link(self.0.borrow().slot) { LinkState::Up } else { LinkState::Down }
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        capabilities.max_transmission_unit = 1_514;
        capabilities.max_burst_size = Some(SENT_FRAMES);
        capabilities
    }

    fn hardware_address(&self) -> HardwareAddress {
        HardwareAddress::Ethernet(self.0.borrow().raw.mac_address())
    }
}
