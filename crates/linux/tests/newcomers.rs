//! The kernel may tell one worker alone of a newcomer: it must not keep that to itself while it is busy.

#[path = "../../host/suite/common/mod.rs"]
mod common;

use std::{
    sync::{
        Arc, Barrier, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    task::{Wake, Waker},
    thread,
};

use common::{Adder, Client, Tally, app, forever, with_threads};
use tenure::{Request, Router, get};
use tenure_host::{Error, Inbox, Listening, News, Platform, Server, Service, Settings};
use tenure_linux::Linux;

/// Counts how often the second worker is asked to look.
struct Asked {
    inbox: Arc<Inbox>,
    times: AtomicU32,
}

impl Wake for Asked {
    fn wake(self: Arc<Self>) {
        self.times.fetch_add(1, Ordering::Relaxed);
        self.inbox.take(&mut News::default(), &self.clone().into());
    }
}

static ASKED: OnceLock<Arc<Asked>> = OnceLock::new();

/// Linux, but the second worker serves nobody.
struct One;

impl Platform for One {
    const SPINS: bool = false;

    fn descriptors_per_worker(settings: &Settings) -> u64 {
        Linux::descriptors_per_worker(settings)
    }

    fn run<A: Service>(server: &Listening, number: usize, service: A) -> Result<(), Error> {
        if number == 0 {
            return Linux::run(server, number, service);
        }
        let inbox = server.inbox(number).clone();
        let asked = Arc::new(Asked { inbox: inbox.clone(), times: AtomicU32::new(0) });
        inbox.take(&mut News::default(), &Waker::from(asked.clone()));
        let _ = ASKED.set(asked);
        Ok(())
    }
}

#[test]
fn a_worker_that_has_other_work_first_lets_the_others_look() {
    let (tally, barriers) = (forever(Tally::default()), forever([Barrier::new(2), Barrier::new(2)]));
    let wait = move |number: usize| barriers[number].wait();
    let block = get(async move |request: &mut Request<'_, Adder>| {
        let number: usize = request.parameter("number").unwrap().parse().unwrap();
        // One to say that it is here, one to go on.
        wait(number);
        wait(number);
        "blocked"
    });
    let app = Router::new().route("/block/{number}", block).route("/{*rest}", app(tally));
    let server = Server::<One>::bind(with_threads(2)).unwrap();
    let (address, handle) = (server.local_addr(), server.handle());
    let running = thread::spawn(move || server.run(&app, &()));
    let mut clients = [0, 1].map(|_| Client::connect(address));
    for client in &mut clients {
        client.get("/id");
    }
    let asked = || ASKED.wait().times.load(Ordering::Relaxed);
    clients[0].send("GET /block/0 HTTP/1.1\r\nHost: test\r\n\r\n");
    wait(0);
    // From here on the first worker does nothing: it learns at once of a newcomer and of a request that blocks it.
    let mut newcomer = Client::connect(address);
    clients[1].send("GET /block/1 HTTP/1.1\r\nHost: test\r\n\r\n");
    let before = asked();
    wait(0);
    wait(1);
    assert!(asked() > before, "nobody else knows of the newcomer");
    wait(1);
    for client in &mut clients {
        assert_eq!(client.answer().text(), "blocked");
    }
    assert_eq!(newcomer.get("/adder").text(), "0");
    handle.stop();
    running.join().unwrap().unwrap();
}
