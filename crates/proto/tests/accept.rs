//! Which coding a client is given: RFC 9110 section 12.5.3.

use tenure_proto::accept::{
    AcceptEncoding,
    Coding::{self, Brotli, Gzip, Identity},
};

fn accepted(lines: &[&str]) -> AcceptEncoding {
    let mut accepted = AcceptEncoding::new();
    for line in lines {
        accepted.add(line.as_bytes());
    }
    accepted
}

/// What is chosen where all are at hand, and where Brotli is not.
#[test]
fn codings_are_chosen() {
    for (value, of_all, of_two) in [
        ("", Identity, Identity),
        ("gzip", Gzip, Gzip),
        ("br", Brotli, Identity),
        ("gzip, deflate, br", Brotli, Gzip),
        ("GZIP", Gzip, Gzip),
        ("x-gzip", Gzip, Gzip),
        ("gzip,br", Brotli, Gzip),
        ("\tgzip ,\t br ", Brotli, Gzip),
        (",,gzip,,", Gzip, Gzip),
        ("deflate", Identity, Identity),
        ("zstd, compress", Identity, Identity),
        // Weights.
        ("gzip;q=1.0, br;q=0.9", Gzip, Gzip),
        ("gzip;q=0.9, br;q=0.9", Brotli, Gzip),
        ("gzip;q=0.899, br;q=0.9", Brotli, Gzip),
        ("gzip;q=0.5", Gzip, Gzip),
        ("gzip;q=0.001", Gzip, Gzip),
        ("gzip;q=0", Identity, Identity),
        ("gzip;q=0.000", Identity, Identity),
        ("gzip;q=0.0, br;q=1.000", Brotli, Identity),
        ("gzip;q=0.5, identity", Identity, Identity),
        ("gzip;q=0.5, identity;q=0.5", Gzip, Gzip),
        ("gzip ; q=0.5, identity;\tQ=0.6", Identity, Identity),
        // Any other.
        ("*", Brotli, Gzip),
        ("*;q=0.5", Brotli, Gzip),
        ("*;q=0.5, identity", Identity, Identity),
        ("br;q=0, *", Gzip, Gzip),
        ("gzip;q=0, *;q=0.1", Brotli, Identity),
        ("*;q=0, gzip", Gzip, Gzip),
        ("identity;q=0, gzip;q=0.1", Gzip, Gzip),
        // Malformed weights refuse what they stand behind.
        ("gzip;q=", Identity, Identity),
        ("gzip;q=2", Identity, Identity),
        ("gzip;q=1.001", Identity, Identity),
        ("gzip;q=0.1234", Identity, Identity),
        ("gzip;q=.5", Identity, Identity),
        ("gzip;q=1.", Gzip, Gzip),
        ("gzip;q=0.", Identity, Identity),
        ("gzip;q=-1", Identity, Identity),
        ("gzip;q=0,5", Identity, Identity),
        ("gzip;q =1", Identity, Identity),
        ("gzip;level=9", Identity, Identity),
        ("gzip;q=1;level=9", Identity, Identity),
        ("gzip;", Identity, Identity),
        // Twice: the first counts.
        ("gzip, gzip;q=0", Gzip, Gzip),
        ("gzip;q=0, gzip", Identity, Identity),
        ("gzip;q=0, x-gzip", Identity, Identity),
        // Names as a whole.
        ("gzipped", Identity, Identity),
        ("brotli", Identity, Identity),
        ("gzi", Identity, Identity),
        ("g", Identity, Identity),
        ("br gzip", Identity, Identity),
        ("\"gzip\"", Identity, Identity),
    ] {
        let accepted = accepted(&[value]);
        assert_eq!(accepted.choose(|_| true), Some(of_all), "{value}");
        assert_eq!(accepted.choose(|coding| coding != Brotli), Some(of_two), "{value}");
    }
}

#[test]
fn what_is_refused_is_not_chosen() {
    let no_identity = |coding: Coding| coding != Identity;
    for (value, of_all, of_packed, of_plain) in [
        ("identity;q=0", None, None, None),
        ("*;q=0", None, None, None),
        ("*;q=0, identity", Some(Identity), None, Some(Identity)),
        ("*;q=0, identity;q=0.001", Some(Identity), None, Some(Identity)),
        ("*;q=0, br", Some(Brotli), Some(Brotli), None),
        ("", Some(Identity), None, Some(Identity)),
        ("deflate", Some(Identity), None, Some(Identity)),
    ] {
        let accepted = accepted(&[value]);
        let told =
            [accepted.choose(|_| true), accepted.choose(no_identity), accepted.choose(|coding| coding == Identity)];
        assert_eq!(told, [of_all, of_packed, of_plain], "{value}");
    }
    assert_eq!(AcceptEncoding::new().choose(|_| false), None);
    assert_eq!(AcceptEncoding::new().choose(|_| true), Some(Identity), "no field at all");
}

/// RFC 9110 section 5.3: several lines say what one would.
#[test]
fn lines_add_up() {
    for lines in [&["gzip;q=0.5, br;q=0.6"][..], &["gzip;q=0.5", "br;q=0.6"], &["gzip;q=0.5", "", "br;q=0.6", "br;q=0"]]
    {
        let accepted = accepted(lines);
        assert_eq!([accepted.weight(Gzip), accepted.weight(Brotli)], [500, 600], "{lines:?}");
    }
    let long = "deflate, ".repeat(10_000) + "gzip";
    assert_eq!(accepted(&[&long]).choose(|_| true), Some(Gzip));
    for end in long.len() - 4..long.len() {
        assert_eq!(accepted(&[&long[..end]]).choose(|_| true), Some(Identity));
    }
}

#[test]
fn names() {
    assert_eq!([Identity.name(), Gzip.name(), Brotli.name()], [None, Some("gzip"), Some("br")]);
}
