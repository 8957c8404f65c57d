//! What an Authorization field may be, as tables of fields: RFC 9110 section 11.4, RFC 7617, RFC 6750, RFC 7616.

use tenure_login::{Authorization, AuthorizationError, Credentials, Proof};

fn base64(text: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = |group: &[u8]| {
        let bits = group.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        let digit = |at: usize| if at <= group.len() { DIGITS[(bits >> (18 - 6 * at) & 63) as usize] } else { b'=' };
        [0, 1, 2, 3].map(|at| char::from(digit(at)))
    };
    text.chunks(3).flat_map(digits).collect()
}

fn basic(value: &str) -> Result<Credentials, AuthorizationError> {
    match Authorization::parse(value)? {
        Authorization::Basic(credentials) => Ok(credentials),
        other => panic!("{value}: {other:?}"),
    }
}

#[test]
fn names_and_passwords_of_basic() {
    // The examples of RFC 7617 sections 2 and 2.1 are the first two.
    let (name, all) = ("a".repeat(200), "b".repeat(54));
    for (text, user, password) in [
        ("Aladdin:open sesame", "Aladdin", "open sesame"),
        ("test:123£", "test", "123£"),
        (":", "", ""),
        ("a:", "a", ""),
        (":b", "", "b"),
        ("a:b:c", "a", "b:c"),
        ("größe:\u{1f511}", "größe", "\u{1f511}"),
        (&*format!("{name}:{all}"), &*name, &*all),
    ] {
        for scheme in ["Basic", "basic", "BASIC"] {
            let credentials = basic(&format!("{scheme} {}", base64(text.as_bytes()))).unwrap();
            assert_eq!((credentials.user(), credentials.password()), (user, password), "{text}");
            assert!(
                credentials.are(user, password) && !credentials.are(user, "no") && !credentials.are("no", password)
            );
        }
    }
    assert_eq!(base64(b"test:123\xc2\xa3"), "dGVzdDoxMjPCow==");
    let shown = format!("{:?}", basic("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==").unwrap());
    assert!(shown.contains("Aladdin") && !shown.contains("sesame"), "{shown}");
    assert_eq!(basic("Basic   Og==  ").unwrap().user(), "");
}

#[test]
fn what_basic_refuses() {
    let too_long = |bytes: usize| format!("Basic {}", base64(&[b":", &*vec![b'a'; bytes - 1]].concat()));
    assert!(basic(&too_long(255)).is_ok());
    for (value, wanted) in [
        ("Basic", AuthorizationError::Nothing),
        ("Basic ", AuthorizationError::Nothing),
        ("Basic  ", AuthorizationError::Nothing),
        ("Basic Og", AuthorizationError::NotBase64),
        ("Basic Og=", AuthorizationError::NotBase64),
        ("Basic Og===", AuthorizationError::NotBase64),
        ("Basic Oh==", AuthorizationError::NotBase64), // bits that no byte has
        ("Basic O g==", AuthorizationError::NotBase64),
        ("Basic _w==", AuthorizationError::NotBase64),
        ("Basic a:b", AuthorizationError::NotBase64),
        ("Basic Og==,", AuthorizationError::NotBase64),
        ("Basic YWI=", AuthorizationError::NoColon),
        ("Basic /zo=", AuthorizationError::CredentialsNotText),
        (&*format!("Basic {}", base64(b"a\n:b")), AuthorizationError::Control),
        (&*format!("Basic {}", base64(b"a:b\0")), AuthorizationError::Control),
        (&*format!("Basic {}", base64(b"a:\x7f")), AuthorizationError::Control),
        (&*format!("Basic {}", base64("a:\u{85}".as_bytes())), AuthorizationError::Control),
        (&*too_long(256), AuthorizationError::TooLong),
        (&*too_long(10_000), AuthorizationError::TooLong),
    ] {
        assert_eq!(basic(value).unwrap_err(), wanted, "{value}");
    }
    // Cut anywhere, nothing is taken for more than it is.
    let whole = "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==";
    for end in 0..whole.len() {
        if let Ok(Authorization::Basic(credentials)) = Authorization::parse(&whole[..end]) {
            assert!((end - 6).is_multiple_of(4) && !credentials.are("Aladdin", "open sesame"), "{end}");
        }
    }
}

#[test]
fn schemes() {
    for (value, wanted) in [
        ("", AuthorizationError::NoScheme),
        (" Basic Og==", AuthorizationError::NoScheme),
        ("Basic:Og==", AuthorizationError::NoScheme),
        ("Basic\tOg==", AuthorizationError::NoScheme),
        ("é x", AuthorizationError::NoScheme),
        ("Bearer", AuthorizationError::Nothing),
        ("Digest ", AuthorizationError::Nothing),
    ] {
        assert_eq!(Authorization::parse(value).unwrap_err(), wanted, "{value}");
    }
    for (value, name) in [("Negotiate abc", "Negotiate"), ("Basics Og==", "Basics"), ("x", "x")] {
        assert!(matches!(Authorization::parse(value), Ok(Authorization::Other(found)) if found == name), "{value}");
    }
}

#[test]
fn tokens() {
    // RFC 6750 section 2.1 has the first one.
    for token in ["mF_9.B5f-4.1JqM", "a", "AZaz09-._~+/==", "a="] {
        for scheme in ["Bearer", "bearer"] {
            let value = format!("{scheme} {token}");
            assert!(
                matches!(Authorization::parse(&value), Ok(Authorization::Bearer(found)) if found == token),
                "{value}"
            );
        }
    }
    for token in ["=", "a b", "a,b", "a=b", "\"a\"", "a\t", "é", "a\u{0}"] {
        let error = Authorization::parse(&format!("Bearer {token}")).unwrap_err();
        assert_eq!(error, AuthorizationError::NotToken, "{token:?}");
    }
}

const PARAMETERS: [(&str, &str); 9] = [
    ("username", "\"Mufasa\""),
    ("realm", "\"lab\""),
    ("uri", "\"/a\""),
    ("algorithm", "SHA-256"),
    ("nonce", "\"n0\""),
    ("nc", "00000001"),
    ("cnonce", "\"c0\""),
    ("qop", "auth"),
    ("response", "\"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1\""),
];

fn digest(value: &str) -> Result<Proof<'_>, AuthorizationError> {
    match Authorization::parse(value)? {
        Authorization::Digest(proof) => Ok(proof),
        other => panic!("{value}: {other:?}"),
    }
}

/// The parameters above with another value for `name`; without any where it is empty.
fn with(name: &str, value: &str) -> String {
    let known = PARAMETERS.map(|(known, usual)| (known, if known == name { value } else { usual }));
    let mut list: Vec<_> = known.iter().filter(|(_, value)| !value.is_empty()).copied().collect();
    if PARAMETERS.iter().all(|(known, _)| *known != name) {
        list.push((name, value));
    }
    let list: Vec<_> = list.iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!("Digest {}", list.join(", "))
}

#[test]
fn parameters_of_digest() {
    for (value, user) in [
        (with("username", "\"Mufasa\""), "Mufasa"),
        (with("username", "Mufasa"), "Mufasa"),
        (with("username", r#""a \"b\" \\ c""#), r#"a "b" \ c"#),
        (with("username", "\"Jäsøn Doe\""), "Jäsøn Doe"),
        (with("username", &format!("\"{}\"", "x".repeat(64))), &*"x".repeat(64)),
        // RFC 7616 section 3.9.2.
        (with("username", "").replace("Digest ", "Digest username*=UTF-8''J%C3%A4s%C3%B8n%20Doe,"), "Jäsøn Doe"),
        (with("username", "").replace("Digest ", "Digest username*=utf-8'de'a,"), "a"),
        (with("algorithm", "\"sha-256\""), "Mufasa"),
        (with("qop", "\"auth\""), "Mufasa"),
        (with("nc", "\"ffffffff\""), "Mufasa"),
        (with("userhash", "false"), "Mufasa"),
        (with("opaque", "\"a, b=c\""), "Mufasa"),
        (with("unknown", "1"), "Mufasa"),
        (with("cnonce", &"c".repeat(128)), "Mufasa"),
        (with("uri", r#""/a,b\"""#), "Mufasa"),
        (with("a", "b").replace(", ", " ,\t, , ").replace('=', " =\t").replace("Digest ", "DIGEST ,"), "Mufasa"),
        (with("a", "b").replace(", ", ","), "Mufasa"),
        (with("a", "b").replace("realm", "REALM"), "Mufasa"),
    ] {
        let proof = digest(&value).unwrap_or_else(|error| panic!("{value}: {error}"));
        assert_eq!(proof.user(), user, "{value}");
    }
}

#[test]
fn what_digest_refuses() {
    let invalid = AuthorizationError::ParameterInvalid;
    let hash = "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1";
    for (value, wanted) in [
        (with("algorithm", ""), AuthorizationError::Algorithm),
        (with("algorithm", "MD5"), AuthorizationError::Algorithm),
        (with("algorithm", "SHA-256-sess"), AuthorizationError::Algorithm),
        (with("algorithm", "SHA-512-256"), AuthorizationError::Algorithm),
        (with("qop", "auth-int"), AuthorizationError::Protection),
        (with("userhash", "true"), AuthorizationError::HashedName),
        (with("username", "\"\""), invalid("username")),
        (with("username", &"x".repeat(65)), invalid("username")),
        (with("username", "\"a\tb\""), invalid("username")),
        (with("username*", "UTF-8''a"), AuthorizationError::ParameterTwice("username")),
        (with("username", "").replace("Digest ", "Digest username*=UTF-8'a,"), invalid("username*")),
        (with("username", "").replace("Digest ", "Digest username*=UTF-8''%C3,"), invalid("username*")),
        (with("username", "").replace("Digest ", "Digest username*=UTF-8''%4,"), invalid("username*")),
        (with("username", "").replace("Digest ", "Digest username*=UTF-8''a%,"), invalid("username*")),
        (with("username", "").replace("Digest ", "Digest username*=\"UTF-8''a b\","), invalid("username*")),
        (with("username", "").replace("Digest ", "Digest username*=ISO-8859-1''a,"), invalid("username*")),
        (with("nc", "0000001"), invalid("nc")),
        (with("nc", "000000001"), invalid("nc")),
        (with("nc", "00000000"), invalid("nc")),
        (with("nc", "+0000001"), invalid("nc")),
        (with("nc", "0000000g"), invalid("nc")),
        (with("cnonce", "\"\""), invalid("cnonce")),
        (with("cnonce", &"c".repeat(129)), invalid("cnonce")),
        (with("cnonce", r#""a\b""#), invalid("cnonce")),
        (with("response", &hash[1..]), invalid("response")),
        (with("response", &format!("{hash}0")), invalid("response")),
        (with("response", &hash.replace('f', "g")), invalid("response")),
        (with("a", ""), AuthorizationError::NoParameters),
        (with("a", "\"b"), AuthorizationError::NoParameters),
        (with("a", "\"b\\\""), AuthorizationError::NoParameters),
        (with("a", "\"b\u{1}\""), AuthorizationError::NoParameters),
        (with("a", "\"b\"c"), AuthorizationError::NoParameters),
        (with("a", "b c"), AuthorizationError::NoParameters),
        (with("a b", "c"), AuthorizationError::NoParameters),
        (with("é", "c"), AuthorizationError::NoParameters),
        ("Digest a".to_owned(), AuthorizationError::NoParameters),
        ("Digest =a".to_owned(), AuthorizationError::NoParameters),
        ("Digest ,".to_owned(), AuthorizationError::Algorithm),
    ] {
        assert_eq!(digest(&value).unwrap_err(), wanted, "{value}");
    }
    for (name, value) in PARAMETERS {
        let twice = format!("{}, {}={value}", with("a", "b"), name.to_uppercase());
        assert_eq!(digest(&twice).unwrap_err(), AuthorizationError::ParameterTwice(name), "{twice}");
        if name != "algorithm" {
            let error = digest(&with(name, "")).unwrap_err();
            assert_eq!(error, AuthorizationError::ParameterMissing(name), "{name}");
            assert!(error.to_string().contains(name) && error.reason().contains(name));
        }
    }
}

/// Cut anywhere it is refused, as its last parameter is needed.
#[test]
fn digest_cut_anywhere() {
    let whole = with("opaque", "").replace(", opaque=", "");
    assert!(digest(&whole).is_ok());
    for end in 0..whole.len() {
        assert!(!matches!(Authorization::parse(&whole[..end]), Ok(Authorization::Digest(_))), "{}", &whole[..end]);
    }
}
