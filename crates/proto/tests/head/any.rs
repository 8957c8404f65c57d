//! Any bytes at all: no panic, and no outcome that depends on how they were split.

use crate::*;

const HEADS: &[&str] = &[
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "\r\nPOST /a/b?c=%41 HTTP/1.1\r\nHost: 127.0.0.1:9101\r\nContent-Length: 5\r\n\r\nabcde",
    "PUT http://[::1]:80/a HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\nExpect: 100-continue\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nConnection: keep-alive, close\r\nHost:\r\nContent-Length: 5, 5\r\nA: \u{e9}\r\n\r\n",
    "GET /a HTTP/1.0\nConnection: keep-alive\nAccept: */*\n\n",
];

/// Bytes that matter to the parser, more often than others.
fn byte() -> impl Strategy<Value = u8> {
    prop_oneof![
        6 => prop::sample::select(&b"\r\n \t:,/%?*[]@#=-0159aAcChHtTeE."[..]),
        1 => any::<u8>(),
    ]
}

#[derive(Clone, Debug)]
enum Mutation {
    Set(u8),
    Insert(u8),
    Remove,
    Repeat(usize),
}

fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let mutation = prop_oneof![
        byte().prop_map(Mutation::Set),
        byte().prop_map(Mutation::Insert),
        Just(Mutation::Remove),
        (1..24_usize).prop_map(Mutation::Repeat),
    ];
    let mutations = prop::collection::vec((any::<prop::sample::Index>(), mutation), 0..4);
    (prop::sample::select(HEADS), mutations).prop_map(|(head, mutations)| {
        let mut bytes = head.as_bytes().to_vec();
        for (index, mutation) in mutations {
            let at = index.index(bytes.len());
            match mutation {
                Mutation::Set(byte) => bytes[at] = byte,
                Mutation::Insert(byte) => bytes.insert(at, byte),
                Mutation::Remove => drop(bytes.remove(at)),
                Mutation::Repeat(count) => {
                    let end = bytes.len().min(at + count);
                    let run = bytes[at..end].to_vec();
                    bytes.splice(at..at, run);
                }
            }
        }
        bytes
    })
}

fn limits() -> impl Strategy<Value = HeadLimits> {
    let bound = |usual: u32| prop_oneof![2 => Just(usual), 1 => 0..120_u32];
    (bound(1024), bound(64), any::<bool>()).prop_map(|(head_bytes_max, target_bytes_max, tolerate_lone_lf)| {
        HeadLimits { head_bytes_max, target_bytes_max, tolerate_lone_lf }
    })
}

fn check(bytes: &[u8], limits: &HeadLimits) {
    if let Ok(Some(head)) = outcome(bytes, limits) {
        assert!(head.bytes <= limits.head_bytes_max && head.bytes as usize <= bytes.len());
        assert!(head.target.end - head.target.start <= limits.target_bytes_max);
        let fields = head.fields.of(bytes);
        let lines = fields.split_inclusive(|&byte| byte == b'\n').count();
        assert_eq!(Fields::new(fields).count(), lines, "fields of {}", bytes.escape_ascii());
        // The line end of the empty line follows.
        assert!(matches!(head.bytes - head.fields.end, 1 | 2));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn mutated_heads_are_read_alike_however_they_are_split(bytes in mutated(), limits in limits()) {
        check(&bytes, &limits);
    }

    #[test]
    fn any_bytes_are_read_alike_however_they_are_split(bytes in prop::collection::vec(byte(), 0..80), limits in limits()) {
        check(&bytes, &limits);
    }

    #[test]
    fn nothing_makes_a_parser_or_an_iterator_panic(
        pieces in prop::collection::vec(prop_oneof![mutated(), prop::collection::vec(any::<u8>(), 0..40)], 1..6), limits in limits()
    ) {
        // Not even bytes that are not those of the earlier call, and calls after the end.
        let mut parser = HeadParser::new();
        for piece in &pieces {
            let _ = parser.parse(piece, &limits);
            let fields = Fields::new(piece);
            prop_assert!(fields.first("a").is_none_or(|value| value.len() <= piece.len()));
            prop_assert!(fields.count() <= piece.len());
        }
    }
}
