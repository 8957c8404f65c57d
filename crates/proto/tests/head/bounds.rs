//! Every bound: at it, below it, above it.

use crate::*;

#[test]
fn a_target_has_a_bound() {
    for target_bytes_max in [0, 1, 7, 8, 12, 13, 14, 15, 40] {
        let limits = HeadLimits { target_bytes_max, ..LIMITS };
        for target in
            ["/aaaaaa", "/aaaaaaa", "/aaaa%41aa?a=%42", "http://a.example/%41", "http://[::1]:80/aa?aa", "HTTP://ab"]
        {
            let text = get(target);
            if target.len() <= target_bytes_max as usize {
                accepted_with(&text, &limits);
                continue;
            }
            refused_with(&text, &limits, Refusal::TargetTooLong);
            // As soon as it exceeds the bound, not before.
            let bound = 4 + target_bytes_max as usize;
            assert_eq!(outcome(&text.as_bytes()[..bound], &limits), Ok(None), "bound {target_bytes_max} of {target:?}");
            refused_with(&text[..=bound], &limits, Refusal::TargetTooLong);
        }
    }
    let one = HeadLimits { target_bytes_max: 1, ..LIMITS };
    accepted_with("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", &one);
    refused_with("OPTIONS *", &HeadLimits { target_bytes_max: 0, ..one }, Refusal::TargetTooLong);
    // What has no place in a target counts as well.
    refused_with("GET /#", &one, Refusal::TargetTooLong);
    refused_with("GET #/", &one, Refusal::TargetTooLong);
    let text = get("#");
    let refused = outcome(text.as_bytes(), &one).map(|head| head.and_then(|head| head.refusal));
    assert_eq!(refused, Ok(Some(Refusal::BadTargetForm)));
}

// RFC 9112 section 3: 501, not 431.
#[test]
fn a_method_that_fills_the_head_is_longer_than_any() {
    let of = |head_bytes_max| HeadLimits { head_bytes_max, ..LIMITS };
    for method in ["GET", "AAAAAAAAAAAAAAAAAAAAAAAA"] {
        let bytes = u32::try_from(method.len()).unwrap();
        for line in [format!("{method} "), format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n")] {
            refused_with(&line, &of(bytes - 1), Refusal::MethodTooLong);
            refused_with(&line, &of(bytes), Refusal::MethodTooLong);
            refused_with(&line, &of(bytes + 1), Refusal::HeadTooLarge);
            refused_with(&format!("\r\n{line}"), &of(bytes + 2), Refusal::MethodTooLong);
        }
        refused_with(&format!("{method}("), &of(bytes + 1), Refusal::BadMethod);
    }
    refused_with("\r\nGET", &of(2), Refusal::HeadTooLarge);
    let text = format!("{} / HTTP/1.1\r\nHost: a\r\n\r\n", "A".repeat(900));
    assert_eq!(accepted(&text).method, Method::Other);
}

#[test]
fn a_head_has_a_bound() {
    for text in [get("/a"), format!("\r\n{}", get("/a")), with_fields("A: b\r\nContent-Length: 5\r\n")] {
        let bytes = u32::try_from(text.len()).unwrap();
        for head_bytes_max in 0..bytes + 3 {
            let limits = HeadLimits { head_bytes_max, ..LIMITS };
            for behind in ["", "\0", "behind"] {
                let fed = format!("{text}{behind}");
                if head_bytes_max >= bytes {
                    accepted_with(&fed, &limits);
                } else {
                    let bound = head_bytes_max as usize;
                    let method = text[..bound].trim_start();
                    let is_method = !method.is_empty() && "GET".starts_with(method);
                    let refusal = if is_method { Refusal::MethodTooLong } else { Refusal::HeadTooLarge };
                    refused_with(&fed, &limits, refusal);
                    // As soon as the bound is reached without an end, not before.
                    refused_with(&text[..bound], &limits, refusal);
                    if bound > 0 {
                        assert_eq!(
                            outcome(&text.as_bytes()[..bound - 1], &limits),
                            Ok(None),
                            "bound {bound} of {text:?}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn a_target_that_is_too_long_says_so_before_the_head_does() {
    let text = get("/aaaaaaaa");
    let of = |head_bytes_max, target_bytes_max| HeadLimits { head_bytes_max, target_bytes_max, ..LIMITS };
    refused_with(&text, &of(8, 4), Refusal::HeadTooLarge);
    refused_with(&text, &of(9, 4), Refusal::TargetTooLong);
    refused_with(&text, &of(10, 4), Refusal::TargetTooLong);
    // What is worse is said before it.
    refused_with("GET /#aaaaaaaaa", &of(6, 64), Refusal::HeadTooLarge);
    refused_with("GET /\taaaaaaaaa", &of(6, 64), Refusal::BlankInTarget);
}
