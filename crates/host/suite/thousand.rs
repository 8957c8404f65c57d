//! A thousand clients at once that leave in every way: each session ends exactly once.

use crate::common::port::Settings;
use crate::common::{Client, Running, post, settings, with_threads};

const CLIENTS: usize = 1_000;

fn thousand(settings: Settings) {
    let (server, tally) = Running::adder(settings);
    let clients: Vec<_> = (0..CLIENTS).map(|_| server.client()).collect();
    // Half-closed, or every other one that is reset, straight behind the requests; the others read first.
    let send = |(number, mut client): (i64, Client)| {
        client.send(post("/adder", &number.to_string()).repeat(3));
        match number % 6 {
            1 => {
                client.reset();
                None
            }
            2 | 5 => {
                client.shut();
                Some((number, client))
            }
            _ => Some((number, client)),
        }
    };
    let clients: Vec<_> = (0..).zip(clients).filter_map(send).collect();
    let mut answered = 0;
    for (number, mut client) in clients {
        for sum in 1..=3 {
            assert_eq!(client.sum(), sum * number, "answer {sum} to client {number}");
        }
        answered += 3;
        match number % 3 {
            0 => drop(client),
            1 => client.reset(),
            _ => client.expect_end(),
        }
    }
    let counts = tally.wait(|counts| counts.disconnected.len() >= CLIENTS && counts.ended.len() >= counts.opened);
    assert_eq!(counts.connected, CLIENTS);
    assert_eq!(counts.disconnected.len(), CLIENTS);
    assert_eq!(counts.ended.len(), counts.opened);
    assert!(counts.responses >= answered);
    assert_eq!(server.handle.list().wait(), [], "the table is empty");
    server.stop();
    let counts = tally.counts();
    assert_eq!((counts.ended.len(), counts.disconnected.len()), (counts.opened, CLIENTS), "nothing ends twice");
    let mut ids: Vec<_> = counts.disconnected.iter().map(|(id, _)| *id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), CLIENTS);
}

#[test]
fn a_thousand_leave_one_thread() {
    thousand(settings());
}

#[test]
fn a_thousand_leave_two_threads() {
    thousand(with_threads(2));
}
