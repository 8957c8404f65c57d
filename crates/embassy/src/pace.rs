//! A pace for a network stack that asks to be polled without end, or not at all.

use core::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::Poll,
};

use embassy_time::{Duration, Instant, Timer};

/// The most polls within [`SPAN`].
const POLLS_MAX: u32 = 4;
const SPAN: Duration = Duration::from_millis(1);
/// The longest time between two polls.
const LONGEST: Duration = Duration::from_millis(250);

/// Runs a stack (`Runner::run`) and bounds its pace: at most four polls per millisecond, at least four per second.
///
/// A stack with SLAAC needs it. smoltcp 0.13.1 says wrongly when it is to be polled again: at once, for ever, when no router
/// has answered it and it waits for anything else, such as DHCP; and not at all when nothing that a router announced is valid any
/// more, or when nothing else is due, so that what is lost would not be sent again. What comes and goes is not kept waiting for
/// more than a millisecond, and only where there is a lot of it.
///
/// # Cancellation safety
/// That of `run`.
pub async fn paced<T>(run: impl Future<Output = T>) -> T {
    let mut run = pin!(run);
    let mut from = Instant::now();
    let mut polls = 0;
    let mut alarm: Option<(Instant, Timer)> = None;
    poll_fn(|context| {
        let now = Instant::now();
        if now - from >= SPAN {
            (from, polls) = (now, 0);
        }
        let at = if polls < POLLS_MAX {
            polls += 1;
            if let Poll::Ready(done) = run.as_mut().poll(context) {
                return Poll::Ready(done);
            }
            now + LONGEST
        } else {
            from + SPAN
        };
        // A timer that is early enough stays: at worst it costs one poll.
        let (_, timer) = match &mut alarm {
            Some(alarm) if now < alarm.0 && alarm.0 <= at => alarm,
            alarm => alarm.insert((at, Timer::at(at))),
        };
        if Pin::new(timer).poll(context).is_ready() {
            context.waker().wake_by_ref();
        }
        Poll::Pending
    })
    .await
}
