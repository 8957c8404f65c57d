//! Time for embassy: the board's counter of 10 MHz and its one alarm.

use core::{cell::RefCell, task::Waker};

use critical_section::Mutex;
use embassy_time_driver::Driver;
use embassy_time_queue_utils::Queue;

use crate::machine;

struct Clock(Mutex<RefCell<Queue>>);

embassy_time_driver::time_driver_impl!(static CLOCK: Clock = Clock(Mutex::new(RefCell::new(Queue::new()))));

impl Driver for Clock {
    fn now(&self) -> u64 {
        machine::time()
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        critical_section::with(|section| {
            let mut queue = self.0.borrow_ref_mut(section);
            if queue.schedule_wake(at, waker) {
                machine::alarm(queue.next_expiration(machine::time()));
            }
        });
    }
}

// A past alarm comes at once: there is nothing to try again.
#[riscv_rt::core_interrupt(riscv::interrupt::Interrupt::MachineTimer)]
fn timer() {
    critical_section::with(|section| {
        machine::alarm(CLOCK.0.borrow_ref_mut(section).next_expiration(machine::time()));
    });
}

/// Lets time pass.
pub(crate) fn start() {
    machine::alarm(u64::MAX);
    machine::enable_timer();
}
