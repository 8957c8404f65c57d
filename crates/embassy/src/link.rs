//! A network device whose short losses of the link the stack does not see.

use core::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState};
use embassy_time::{Duration, Timer};

/// A device that tells of a lost link only when it has been away for a while.
///
/// A stack with DHCP forgets its address with the link, and with the address every connection. What is sent while the link is
/// away is lost with or without this, and sent again by TCP: connections live on.
#[derive(Debug)]
pub struct SteadyLink<D> {
    driver: D,
    patience: Duration,
    /// Runs while the link is away; `None` also where it has been told.
    away: Option<Timer>,
    told: bool,
}

impl<D> SteadyLink<D> {
    /// The device, and for how long its link may be away unseen.
    pub fn new(driver: D, patience: Duration) -> Self {
        SteadyLink { driver, patience, away: None, told: false }
    }
}

impl<D: Driver> Driver for SteadyLink<D> {
    type RxToken<'a>
        = D::RxToken<'a>
    where
        Self: 'a;
    type TxToken<'a>
        = D::TxToken<'a>
    where
        Self: 'a;

    fn receive(&mut self, context: &mut Context<'_>) -> Option<(Self::RxToken<'_>, Self::TxToken<'_>)> {
        self.driver.receive(context)
    }

    fn transmit(&mut self, context: &mut Context<'_>) -> Option<Self::TxToken<'_>> {
        self.driver.transmit(context)
    }

    fn link_state(&mut self, context: &mut Context<'_>) -> LinkState {
        if self.driver.link_state(context) == LinkState::Up {
            (self.away, self.told) = (None, false);
            return LinkState::Up;
        }
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
