//! What clients make of a server's answers: the load generator's numbers, the heads that `tenure add` reads, and streams of events.
//!
//! An input is a seed (two bytes), then what a server sends.

#[path = "../../crates/load/src/answer.rs"]
#[allow(unreachable_pub, reason = "the load generator's own")]
mod load;
#[path = "../../crates/cli/src/answer.rs"]
#[allow(dead_code, clippy::pedantic, reason = "the program's own: its connections need sockets")]
mod program;

use tenure_proto::events::{EventReader, Found};

use crate::cuts::ends;

/// Reads the input as answers.
pub fn run(input: &[u8]) {
    let Some((&[seed, other], bytes)) = input.split_first_chunk() else { return };
    let seed = u64::from(seed) << 8 | u64::from(other);
    let whole = numbers(bytes, [bytes.len()], false);
    for seed in [seed, !seed] {
        assert_eq!(numbers(bytes, ends(bytes.len(), seed), false), whole, "in pieces: {}", bytes.escape_ascii());
    }
    assert_eq!(numbers(bytes, [bytes.len()], true), whole, "without a memory: {}", bytes.escape_ascii());
    head(bytes);
    shown(bytes);
    let whole = events(bytes, [bytes.len()]);
    for seed in [seed, !seed] {
        assert_eq!(events(bytes, ends(bytes.len(), seed)), whole, "in pieces: {}", bytes.escape_ascii());
    }
}

/// The numbers that a server answers, and why it is no server of numbers, where it is none.
fn numbers(bytes: &[u8], ends: impl IntoIterator<Item = usize>, forgets: bool) -> (Vec<i64>, Option<String>) {
    let (mut reader, mut numbers, mut at) = (load::Reader::default(), Vec::new(), 0);
    for end in ends {
        while at < end {
            match reader.read(&bytes[at..end]) {
                Ok(None) => break,
                Ok(Some((number, taken))) => {
                    assert!(taken > 0 && at + taken <= end, "{}", bytes.escape_ascii());
                    numbers.push(number);
                    at += taken;
                }
                Err(why) => return (numbers, Some(why.to_string())),
            }
            if forgets {
                reader = load::Reader::default();
            }
        }
    }
    (numbers, None)
}

/// A head is the same whatever comes behind it, and there is none before it is whole.
fn head(bytes: &[u8]) {
    let Ok(Some((head, end))) = program::Head::parse(bytes) else { return };
    assert!(end <= bytes.len() && bytes[..end].ends_with(b"\n"), "{}", bytes.escape_ascii());
    for shorter in 0..end {
        assert!(matches!(program::Head::parse(&bytes[..shorter]), Ok(None)), "{shorter} of {}", bytes.escape_ascii());
    }
    assert!(
        matches!(program::Head::parse(&bytes[..end]), Ok(Some(found)) if found == (head, end)),
        "{}",
        bytes.escape_ascii()
    );
}

/// What is shown of a server moves no cursor and has an end.
fn shown(bytes: &[u8]) {
    let text = program::Shown(bytes).to_string();
    assert!(!text.chars().any(char::is_control), "{text:?}");
    assert!(text.len() <= 12 * 200, "{text:?}");
}

/// What a stream says: of each event its type, id, time and data, and the time that stands where it is cut off.
fn events(bytes: &[u8], ends: impl IntoIterator<Item = usize>) -> Vec<String> {
    let (mut reader, mut events, mut at) = (EventReader::new(), Vec::new(), 0);
    for end in ends {
        loop {
            match reader.read(&bytes[at..end]) {
                Found::Partial { used } => {
                    at += used;
                    break;
                }
                Found::Event { received, used } => {
                    let data: Vec<_> = received.data().collect();
                    assert!(data.iter().all(|line| !line.contains(&b'\n') && !line.contains(&b'\r')), "{data:?}");
                    let head = (received.event(), received.id(), received.retry_ms());
                    events.push(format!("{head:?} {data:?}"));
                    assert!(used > 0 && at + used <= end, "{}", bytes.escape_ascii());
                    at += used;
                }
            }
        }
    }
    events.push(format!("{:?}", reader.cut_off(&bytes[at..]).retry_ms()));
    events
}
