//! Wi-Fi as a station: what to do next.
//!
//! The radio tells what happens by events, and drops those that nobody has taken in time: who waits for one alone may wait for
//! ever. Its state is right at all times. So each step has a time limit, an event only ends it sooner, and the state decides.

use crate::Pause;

/// What to do now, until it ends or its time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Ask the radio to connect.
    Connect,
    /// Wait for the connection to be lost.
    Watch,
    /// Ask the radio to give up: it answers no second request to connect while it is at one.
    Leave,
    /// Wait for so many seconds before the next attempt.
    Wait(u64),
}

impl Step {
    /// For how long to connect, in seconds: a scan of every channel, the handshake and its repetitions take less.
    pub const CONNECT_S: u64 = 30;
    /// How often the state is looked at while there is a connection, in seconds: a loss of which no event tells is noticed then.
    pub const WATCH_S: u64 = 5;
    /// For how long to wait until the radio has given up, in seconds.
    pub const LEAVE_S: u64 = 5;

    /// Its time limit, in seconds.
    pub const fn limit_s(self) -> u64 {
        match self {
            Step::Connect => Self::CONNECT_S,
            Step::Watch => Self::WATCH_S,
            Step::Leave => Self::LEAVE_S,
            Step::Wait(s) => s,
        }
    }
}

/// How a step has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The radio has answered: by an event or an error.
    Answered,
    /// Its time is over.
    TimedOut,
}

/// The station: the step that it is at.
///
/// # Examples
/// ```
/// use tenure_board_settings::{Ended, Station, Step};
///
/// let mut station = Station::new();
/// assert_eq!(station.step(), Step::Connect);
/// assert_eq!(station.next(Ended::Answered, true), Step::Watch);
/// assert_eq!(station.next(Ended::Answered, false), Step::Wait(1));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Station {
    step: Step,
    pause: Pause,
}

impl Station {
    /// Nothing has been tried yet.
    pub const fn new() -> Self {
        Station { step: Step::Connect, pause: Pause::new() }
    }

    /// What to do now.
    pub const fn step(&self) -> Step {
        self.step
    }

    /// The step has ended in that way, and the radio says whether there is a connection: what to do now.
    pub fn next(&mut self, ended: Ended, is_connected: bool) -> Step {
        self.step = match (self.step, ended) {
            _ if is_connected => {
                self.pause.succeeded();
                Step::Watch
            }
            (Step::Connect, Ended::TimedOut) => Step::Leave,
            (Step::Connect | Step::Watch | Step::Leave, _) => Step::Wait(self.pause.next_s()),
            (Step::Wait(_), _) => Step::Connect,
        };
        self.step
    }
}

impl Default for Station {
    fn default() -> Self {
        Station::new()
    }
}

#[cfg(test)]
mod tests {
    use super::{Ended, Station, Step};
    use crate::Pause;

    #[test]
    fn every_step_and_every_end() {
        use Ended::{Answered, TimedOut};
        for (step, ended, expected) in [
            (Step::Connect, Answered, Step::Wait(1)),
            (Step::Connect, TimedOut, Step::Leave),
            (Step::Watch, Answered, Step::Wait(1)),
            (Step::Watch, TimedOut, Step::Wait(1)),
            (Step::Leave, Answered, Step::Wait(1)),
            (Step::Leave, TimedOut, Step::Wait(1)),
            (Step::Wait(1), TimedOut, Step::Connect),
        ] {
            let mut station = Station { step, ..Station::new() };
            assert_eq!(station.next(ended, false), expected, "{step:?} {ended:?}");
            let mut station = Station { step, ..Station::new() };
            assert_eq!(station.next(ended, true), Step::Watch, "{step:?} {ended:?}, connected");
        }
    }

    /// What the radio is at.
    #[derive(Clone, Copy, PartialEq, Debug)]
    enum Radio {
        Idle,
        /// The attempt ends at that second; one that hangs ends never.
        Connecting(Option<u64>),
        Connected,
    }

    /// A radio that drops events and hangs, in a network that comes and goes, second by second.
    struct Model {
        seed: u64,
        radio: Radio,
        second: u64,
        is_there: bool,
        /// Nothing goes wrong from here on.
        is_kind: bool,
    }

    impl Model {
        fn one_in(&mut self, count: u64) -> bool {
            self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.seed >> 33).is_multiple_of(count)
        }

        /// One second passes. Whether an event comes through.
        fn tick(&mut self) -> bool {
            self.second += 1;
            if !self.is_kind && self.one_in(40) {
                self.is_there = !self.is_there;
            }
            let before = self.radio;
            self.radio = match before {
                Radio::Connecting(Some(at)) if self.second >= at => {
                    if self.is_there {
                        Radio::Connected
                    } else {
                        Radio::Idle
                    }
                }
                Radio::Connected if !self.is_there => Radio::Idle,
                same => same,
            };
            before != self.radio && (self.is_kind || !self.one_in(2))
        }

        fn begin(&mut self, step: Step) {
            match (step, self.radio) {
                (Step::Connect, Radio::Idle) => {
                    let hangs = !self.is_kind && self.one_in(5);
                    self.radio = Radio::Connecting((!hangs).then_some(self.second + 3));
                }
                (Step::Connect, Radio::Connected) => panic!("asked to connect what is connected"),
                (Step::Leave, Radio::Connecting(_)) => self.radio = Radio::Idle,
                _ => {}
            }
        }

        fn run(&mut self, station: &mut Station, until: u64) {
            while self.second < until {
                let step = station.step();
                self.begin(step);
                let from = self.second;
                let ended = loop {
                    let event = self.tick();
                    match step {
                        Step::Wait(_) => {}
                        _ if event => break Ended::Answered,
                        _ => {}
                    }
                    if self.second - from >= step.limit_s() {
                        break Ended::TimedOut;
                    }
                };
                station.next(ended, self.radio == Radio::Connected);
            }
        }
    }

    #[test]
    fn whatever_was_lost_it_connects_once_the_network_is_there() {
        // The longest way: an attempt that hangs, giving up, the longest pause, an attempt.
        let bound = Step::CONNECT_S + Step::LEAVE_S + Pause::LONGEST_S + Step::CONNECT_S + Step::WATCH_S;
        for seed in 0..500 {
            let mut model = Model { seed, radio: Radio::Idle, second: 0, is_there: false, is_kind: false };
            let mut station = Station::new();
            for _ in 0..5 {
                model.run(&mut station, model.second + 500);
                (model.is_there, model.is_kind) = (true, true);
                model.run(&mut station, model.second + bound);
                assert_eq!((model.radio, station.step()), (Radio::Connected, Step::Watch), "seed {seed}");
                model.is_kind = false;
            }
        }
    }
}
