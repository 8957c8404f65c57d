//! The sign of life that a watchdog is fed by: while the server's task has turns, and then only.

mod common;

use std::{
    cell::Cell,
    future::{pending, poll_fn},
    rc::Rc,
    task::Poll,
};

use embassy_futures::select::select;
use embassy_time::{Duration, MockDriver, Timer};
use tenure_embassy::{Settings, beating};

use crate::common::{Client, PORT, Runs, with_server};

/// An idle server's task has a turn per second; so has one that waits for a network for ever.
#[test]
fn an_idle_task_beats_once_per_second() {
    with_server(Runs::of(Settings::at(PORT)), async |_| {
        let beats = Cell::new(0_u32);
        select(beating(pending::<()>(), || beats.set(beats.get() + 1)), Timer::after(Duration::from_secs(60))).await;
        assert!((60..=62).contains(&beats.get()), "{} in 60 s", beats.get());
    });
}

/// Beside a server that answers: nothing of it changes.
#[test]
fn a_server_that_beats_serves() {
    let beats = Rc::new(Cell::new(0_u32));
    with_server(Runs { beats: Some(beats.clone()), ..Runs::of(Settings::at(PORT)) }, async |world| {
        let mut client = Client::connect(world).await;
        for round in 1..=3 {
            assert_eq!(client.add(1).await, round);
        }
        let before = beats.get();
        Timer::after(Duration::from_secs(20)).await;
        assert!(beats.get() >= before + 20, "{} while nothing happens", beats.get() - before);
    });
}

/// What never yields ends the beats, however long it takes. What yields between, however busy, does not.
#[test]
fn what_never_yields_does_not_beat() {
    with_server(Runs::of(Settings::at(PORT)), async |_| {
        let beats = Cell::new(0_u32);
        let mut turns = 0;
        let busy = poll_fn(|context| {
            let before = beats.get();
            for _ in 0..100 {
                MockDriver::get().advance(Duration::from_secs(1));
                assert_eq!(beats.get(), before, "none within a turn");
            }
            turns += 1;
            context.waker().wake_by_ref();
            if turns == 3 { Poll::Ready(()) } else { Poll::Pending }
        });
        beating(busy, || beats.set(beats.get() + 1)).await;
        assert_eq!(beats.get(), 3, "one per turn");
    });
}
