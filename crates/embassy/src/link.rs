//! A network device whose short losses of the link the stack does not see.

use core::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState, TxToken};
use embassy_time::{Duration, Timer};

use crate::lease::{Heard, Lease};

/// A device that reports a lost link only after it has been away for a while.
///
/// A stack with DHCP forgets its address with the link, and with the address every connection. What is sent while the link is
/// away is lost with or without this, and sent again by TCP: connections live on.
///
/// When the link comes back unreported, the device asks the network whether the stack's DHCP address is still valid (RFC 2131
/// section 3.2); the stack keeps it meanwhile. If the network confirms it, or does not answer, nothing changes. If it offers another
/// address or refuses, the device reports a lost link, and the stack asks for an address again.
#[derive(Debug)]
pub struct SteadyLink<D> {
    driver: D,
    patience: Duration,
    /// Runs while the link is away; `None` also once that has been reported.
    away: Option<Timer>,
    told: bool,
    lease: Lease,
}

impl<D> SteadyLink<D> {
    /// The device, and for how long its link may be away unseen.
    pub fn new(driver: D, patience: Duration) -> Self {
        SteadyLink { driver, patience, away: None, told: false, lease: Lease::default() }
    }
}

impl<D: Driver> Driver for SteadyLink<D> {
    type RxToken<'a>
        = Heard<'a, D::RxToken<'a>>
    where
        Self: 'a;
    type TxToken<'a>
        = D::TxToken<'a>
    where
        Self: 'a;

    fn receive(&mut self, context: &mut Context<'_>) -> Option<(Self::RxToken<'_>, Self::TxToken<'_>)> {
        let hardware = hardware(&self.driver);
        let (frame, room) = self.driver.receive(context)?;
        Some((Heard { frame, lease: &mut self.lease, hardware }, room))
    }

    fn transmit(&mut self, context: &mut Context<'_>) -> Option<Self::TxToken<'_>> {
        self.driver.transmit(context)
    }

    fn link_state(&mut self, context: &mut Context<'_>) -> LinkState {
        if self.driver.link_state(context) == LinkState::Up {
            if self.away.is_some() {
                self.lease.ask(hardware(&self.driver));
            }
            (self.away, self.told) = (None, false);
            if self.lease.is_lost() {
                // Report it down once, and up at the next poll.
                context.waker().wake_by_ref();
                return LinkState::Down;
            }
            if let Some(question) = self.lease.question(context, hardware(&self.driver))
                && let Some(room) = self.driver.transmit(context)
            {
                room.consume(question.len(), |frame| frame.copy_from_slice(&question));
                self.lease.asked(context);
            }
            return LinkState::Up;
        }
        self.lease.leave_off();
        if self.told {
            return LinkState::Down;
        }
        let away = self.away.get_or_insert_with(|| Timer::after(self.patience));
        match Future::poll(Pin::new(away), context) {
            Poll::Pending => LinkState::Up,
            Poll::Ready(()) => {
                (self.away, self.told) = (None, true);
                LinkState::Down
            }
        }
    }

    fn capabilities(&self) -> Capabilities {
        self.driver.capabilities()
    }

    fn hardware_address(&self) -> HardwareAddress {
        self.driver.hardware_address()
    }
}

fn hardware(driver: &impl Driver) -> [u8; 6] {
    match driver.hardware_address() {
        HardwareAddress::Ethernet(address) => address,
        _ => [0; 6],
    }
}
