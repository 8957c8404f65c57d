//! The load against the adder, and against servers that each do one thing wrong.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener},
    num::NonZeroUsize,
    thread,
    time::Duration,
};

use tenure_adder::{Visitors, app};
use tenure_linux::{Handle, Server, Settings};
use tenure_load::{Failure, Load, Numbers, Plan, Repeat, Script, Sums, Until, Why, Wrong};

const POST: &str = "POST /adder HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n1";
const PATIENCE: Duration = Duration::from_secs(60);

/// The adder, stopped when it is dropped.
struct Adder {
    address: SocketAddr,
    handle: Handle,
}

impl Adder {
    fn start() -> Self {
        let settings = Settings { threads: NonZeroUsize::new(1), ..Settings::at(([127, 0, 0, 1], 0).into()) };
        let server = Server::bind(settings).unwrap();
        let (address, handle) = (server.local_addr(), server.handle());
        thread::spawn(move || {
            static VISITORS: Visitors = Visitors::new();
            server.run(&app(&VISITORS), &()).unwrap();
        });
        Adder { address, handle }
    }
}

impl Drop for Adder {
    fn drop(&mut self) {
        self.handle.stop_now();
    }
}

/// Serves one connection: for each receive, what `answer` makes of how many there were before; `None` closes.
fn fake(answer: impl Fn(u32) -> Option<String> + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        for number in 0.. {
            let bytes = stream.read(&mut [0; 16_384]).unwrap_or(0);
            match answer(number).filter(|_| bytes > 0) {
                Some(answer) => stream.write_all(answer.as_bytes()).unwrap(),
                None => break,
            }
        }
    });
    address
}

fn ok(number: u32) -> String {
    let body = number.to_string();
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn plan(address: SocketAddr, connections: u32, pipeline: u32) -> Plan {
    Plan { address, connections, pipeline, timeout: Some(PATIENCE) }
}

fn load<S: Script>(plan: &Plan, script: S) -> Load<S> {
    Load::connect(plan, script).unwrap()
}

/// What breaks off a load of one connection that adds ones.
fn failure(address: SocketAddr, pipeline: u32, requests: u64) -> Failure {
    let mut load = load(&plan(address, 1, pipeline), Repeat::new(POST, Sums::Grow));
    load.run(Until::Each(requests), |_| ()).unwrap_err()
}

#[test]
fn every_sum_of_every_connection_is_right() {
    let adder = Adder::start();
    for (connections, pipeline, n) in
        [(1, 1, 10), (1, 1, 0), (7, 1, 20), (3, 16, 100), (2, 16, 14), (2, 16, 15), (5, 0, 3)]
    {
        let numbers = Numbers::new("a", n);
        let requests = numbers.requests();
        let report = load(&plan(adder.address, connections, pipeline), numbers).run(Until::Each(requests), |_| ());
        let report = report.unwrap();
        let case = format!("{connections} connections, {pipeline} at once, to {n}");
        assert_eq!(report.answers, requests * u64::from(connections), "{case}");
        assert_eq!((report.wrong, report.first_wrong), (0, None), "{case}");
        assert!(report.percentile(50.0) <= report.latency_max() && report.rate() > 0.0, "{case}");
    }
}

#[test]
fn connections_made_in_groups_have_asked_once_and_their_answers_count() {
    let adder = Adder::start();
    for connections in [0, 1, 63, 64, 65, 129] {
        let numbers = Numbers::new("a", 5);
        let rest = numbers.requests() - 1;
        let mut load = Load::connect_in_groups(&plan(adder.address, connections, 1), numbers).unwrap();
        for (answers, requests) in [(rest + 1, rest), (0, 0)] {
            let report = load.run(Until::Each(requests), |_| ()).unwrap();
            assert_eq!((report.answers, report.wrong), (answers * u64::from(connections), 0), "{connections}");
        }
    }
    // A server that closes ends it in the first group.
    let failure = Load::connect_in_groups(&plan(fake(|_| None), 1, 1), Repeat::new(POST, Sums::Grow)).err().unwrap();
    assert!(matches!(failure, Failure { connection: 0, answers: 0, why: Why::Closed }), "{failure:?}");
}

#[test]
fn runs_follow_each_other_on_the_same_connections() {
    let adder = Adder::start();
    let mut load = load(&plan(adder.address, 4, 8), Repeat::new(POST, Sums::Grow));
    let mut told = 0;
    for (requests, answers) in [(1, 4), (0, 0), (20, 80)] {
        let report = load.run(Until::Each(requests), |answers| told = answers).unwrap();
        assert_eq!((report.answers, report.wrong, told), (answers, 0, answers));
    }
    // The sums go on growing: one that was lost would be seen.
    let report = load.run(Until::Time(Duration::from_millis(5)), |_| ()).unwrap();
    assert!(report.answers >= 32 && report.answers.is_multiple_of(8), "{report:?}");
    assert_eq!(report.wrong, 0);
}

#[test]
fn more_than_the_sockets_hold_is_sent_and_answered() {
    let adder = Adder::start();
    let deep = 200_000;
    let report =
        load(&plan(adder.address, 1, deep), Repeat::new(POST, Sums::Grow)).run(Until::Each(deep.into()), |_| ());
    let report = report.unwrap();
    assert_eq!((report.answers, report.wrong), (deep.into(), 0));
}

#[test]
fn wrong_sums_are_counted_and_the_first_is_told() {
    let address = fake(|number| Some(ok(if number < 2 { number + 1 } else { number })));
    let report = load(&plan(address, 1, 1), Repeat::new(POST, Sums::Grow)).run(Until::Each(5), |_| ()).unwrap();
    assert_eq!((report.answers, report.wrong), (5, 3));
    assert_eq!(report.first_wrong, Some(Wrong { connection: 0, index: 2, answered: 2, wanted: 3 }));
    let constant = fake(|_| Some(ok(7)));
    let report = load(&plan(constant, 1, 1), Repeat::new(POST, Sums::Are(7))).run(Until::Each(5), |_| ()).unwrap();
    assert_eq!((report.answers, report.wrong), (5, 0));
}

#[test]
fn a_connection_that_ends_early_is_a_failure_and_one_that_ends_behind_its_answers_is_none() {
    let address = fake(|number| (number < 3).then(|| ok(number + 1)));
    let failure = failure(address, 1, 5);
    assert!(matches!(failure, Failure { connection: 0, answers: 3, why: Why::Closed }), "{failure:?}");
    assert_eq!(failure.to_string(), "connection 0 after 3 answers: the server has closed the connection");
    let address = fake(|number| (number < 3).then(|| ok(number + 1)));
    let mut load = load(&plan(address, 1, 1), Repeat::new(POST, Sums::Grow));
    assert_eq!(load.run(Until::Each(3), |_| ()).unwrap().answers, 3);
}

#[test]
fn half_an_answer_is_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_nodelay(true).unwrap();
        // Each byte is a segment of its own; the third answer has no end.
        for (number, bytes) in [(1, usize::MAX), (2, usize::MAX), (3, 20)] {
            let _ = stream.read(&mut [0; 4_096]).unwrap();
            for byte in ok(number).bytes().take(bytes) {
                stream.write_all(&[byte]).unwrap();
            }
        }
    });
    let mut load = load(&plan(address, 1, 1), Repeat::new(POST, Sums::Grow));
    let report = load.run(Until::Each(2), |_| ()).unwrap();
    assert_eq!((report.answers, report.wrong), (2, 0));
    let failure = load.run(Until::Each(1), |_| ()).unwrap_err();
    assert!(matches!(failure, Failure { connection: 0, answers: 2, why: Why::Closed }), "{failure:?}");
}

#[test]
fn what_is_no_answer_ends_the_load() {
    for (said, wanted) in [
        ("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n".to_owned(), "it answers 503"),
        ("SSH-2.0\r\n".to_owned(), "it does not speak HTTP"),
        (ok(1).repeat(2), "it answers more than was asked"),
    ] {
        let failure = failure(fake(move |_| Some(said.clone())), 1, 3);
        assert!(failure.to_string().contains(wanted), "{wanted}: {failure}");
    }
}

#[test]
fn pauses_are_kept() {
    const PAUSE: Duration = Duration::from_millis(20);
    let adder = Adder::start();
    let mut load = load(&plan(adder.address, 2, 1), Repeat::new(POST, Sums::Grow));
    load.pause(PAUSE);
    let report = load.run(Until::Each(4), |_| ()).unwrap();
    assert_eq!((report.answers, report.wrong), (8, 0));
    // There is none before the first request, nor behind the last answer.
    assert!(report.elapsed >= 3 * PAUSE, "{:?}", report.elapsed);
    // Who pauses when the time is over asks no more.
    load.pause(Duration::from_hours(1));
    assert_eq!(load.run(Until::Time(PAUSE), |_| ()).unwrap().answers, 2);
    load.pause(Duration::ZERO);
    assert_eq!(load.run(Until::Each(1_000), |_| ()).unwrap().answers, 2_000);
}

#[test]
fn a_server_that_does_not_answer_is_late() {
    // It is accepted by the kernel and answered by nobody.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let plan = Plan { timeout: Some(Duration::from_millis(20)), ..plan(listener.local_addr().unwrap(), 2, 1) };
    let failure = load(&plan, Repeat::new(POST, Sums::Grow)).run(Until::Each(1), |_| ()).unwrap_err();
    assert!(matches!(failure, Failure { connection: 0, answers: 0, why: Why::Late(_) }), "{failure:?}");
}

#[test]
fn nobody_listens_and_too_many_files() {
    let address = TcpListener::bind("127.79.0.1:0").unwrap().local_addr().unwrap();
    let refused = Load::connect(&plan(address, 1, 1), Repeat::new(POST, Sums::Grow)).err().unwrap();
    assert!(matches!(refused.why, Why::Unreachable(at, _) if at == address), "{refused:?}");
    let refused = Load::connect(&plan(address, u32::MAX, 1), Repeat::new(POST, Sums::Grow)).err().unwrap();
    assert!(refused.to_string().contains("ulimit -n 4294967327"), "{refused}");
}
