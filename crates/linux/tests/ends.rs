//! A worker that cannot go on ends the server, and an observer cannot keep it from that.

#[path = "../../host/suite/common/mod.rs"]
mod common;

use std::{
    io,
    net::SocketAddr,
    sync::{Mutex, mpsc},
    thread,
};

use common::{Client, Running, Tally, app, forever, settings, with_threads};
use tenure::{EndReason, Observer};
use tenure_host::{Error, Listening, Platform, Server, Service, Settings};
use tenure_linux::Linux;

/// Tells the second worker to fail.
static FAIL: Mutex<Option<mpsc::Receiver<()>>> = Mutex::new(None);

/// Linux, but the second worker serves nobody, and fails.
struct Fails;

impl Platform for Fails {
    const SPINS: bool = false;

    fn descriptors_per_worker(settings: &Settings) -> u64 {
        Linux::descriptors_per_worker(settings)
    }

    fn run<A: Service>(server: &Listening, number: usize, service: A) -> Result<(), Error> {
        if number == 0 {
            return Linux::run(server, number, service);
        }
        FAIL.lock().unwrap().take().unwrap().recv().unwrap();
        Err(Error::System("as epoll does", io::ErrorKind::Other.into()))
    }
}

#[test]
fn a_worker_that_fails_stops_the_others_and_the_observer_is_told() {
    let tally: &Tally = forever(Tally::default());
    let (fail, failing) = mpsc::channel();
    *FAIL.lock().unwrap() = Some(failing);
    let server = Server::<Fails>::bind(with_threads(2)).unwrap();
    let address = server.local_addr();
    let running = thread::spawn(move || server.run(&app(tally), tally));
    let mut client = Client::connect(address);
    assert_eq!(client.add(1), 1);
    fail.send(()).unwrap();
    client.expect_gone();
    let result = running.join().unwrap();
    assert!(matches!(result, Err(Error::System("as epoll does", _))), "{result:?}");
    let counts = tally.counts();
    assert_eq!((counts.ended, counts.disconnected.len(), counts.stopped), (vec![EndReason::Shutdown], 1, 1));
}

/// Panics when the server starts, and when it stops.
struct Panics;

impl Observer for Panics {
    fn started(&self, _: SocketAddr) {
        panic!("on purpose");
    }

    fn stopped(&self) {
        panic!("on purpose");
    }
}

#[test]
fn an_observer_that_panics_at_the_start_and_the_end_changes_nothing() {
    let tally = forever(Tally::default());
    let server = Running::start(settings(), app(tally), Panics);
    assert_eq!(server.client().add(1), 1);
    server.stop();
    assert_eq!(tally.counts().ended.len(), 1);
}
