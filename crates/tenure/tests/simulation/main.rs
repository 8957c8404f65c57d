//! Random walks over the driver, on a port whose sockets fail in every way: each session is ended exactly once, for a reason that
//! there was, no lane is lost, nothing that is due is forgotten, and every request that came whole is answered, in order.
//!
//! A walk follows from its seed. One that fails prints its seed, its settings and the fewest steps that fail:
//! `TENURE_SEED=7 TENURE_WALKS=1 cargo test -p tenure --test simulation` takes it again. `cargo xtask simulate` takes many.
#![allow(unreachable_pub, reason = "a test has no public interface")]

mod app;
mod opened;
mod port;
mod random;
mod steps;
mod walk;
mod world;

use std::{
    cell::{Cell, RefCell},
    env,
    panic::{AssertUnwindSafe, catch_unwind, set_hook},
    sync::Once,
};

use random::Random;
use steps::{Setting, Step};
use walk::Walk;

/// Walks of the tests of every day, and the steps of each.
const WALKS: u64 = 1_000;
const STEPS: u32 = 100;

thread_local! {
    /// What went wrong in the walk at hand.
    static FAILURE: RefCell<Option<String>> = const { RefCell::new(None) };
    static SHOWS: Cell<bool> = const { Cell::new(true) };
}

/// Keeps what a panic says: one that a port keeps from spreading is a failure all the same. Those on purpose say nothing.
fn keep_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        set_hook(Box::new(|info| {
            if SHOWS.get() {
                eprintln!("{info}");
            }
            FAILURE.with_borrow_mut(|failure| {
                failure.get_or_insert_with(|| info.to_string());
            });
        }));
    });
}

/// Takes a walk. What went wrong, if something did.
fn failure_of(setting: Setting, steps: &[Step]) -> Option<String> {
    FAILURE.set(None);
    SHOWS.set(false);
    let thrown = catch_unwind(AssertUnwindSafe(|| {
        let mut walk = Walk::new(setting);
        for step in steps {
            walk.take(*step);
            if FAILURE.with_borrow(Option::is_some) {
                return;
            }
        }
        walk.finish();
    }));
    SHOWS.set(true);
    let failure = FAILURE.take();
    if thrown.is_err() { failure.or(Some("something was thrown".to_owned())) } else { failure }
}

/// The walk of that seed.
fn walk_of(seed: u64, count: u32) -> (Setting, Vec<Step>) {
    let mut random = Random::new(seed);
    let setting = Setting::random(&mut random);
    (setting, (0..count).map(|_| Step::random(&mut random)).collect())
}

/// Leaves out what a failure does not need.
fn shortest(setting: Setting, mut steps: Vec<Step>) -> Vec<Step> {
    let mut size = steps.len() / 2;
    while size > 0 {
        let mut at = 0;
        while at < steps.len() {
            let mut fewer = steps.clone();
            fewer.drain(at..steps.len().min(at + size));
            if failure_of(setting, &fewer).is_some() {
                steps = fewer;
            } else {
                at += size;
            }
        }
        size /= 2;
    }
    steps
}

fn number(name: &str, default: u64) -> u64 {
    let Ok(text) = env::var(name) else { return default };
    text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number: set it to one, such as {default}"))
}

#[test]
fn walks() {
    keep_panics();
    let (first, count) = (number("TENURE_SEED", 0), number("TENURE_WALKS", WALKS));
    let length = u32::try_from(number("TENURE_STEPS", STEPS.into())).unwrap_or(u32::MAX);
    for seed in first..first.saturating_add(count) {
        let (setting, steps) = walk_of(seed, length);
        if failure_of(setting, &steps).is_some() {
            let steps = shortest(setting, steps);
            let failure = failure_of(setting, &steps).unwrap_or_default();
            let lines: Vec<_> = steps.iter().map(|step| format!("  {step:?}")).collect();
            panic!("the walk of seed {seed} fails\n{setting:?}\n{}\n{failure}", lines.join("\n"));
        }
    }
}
