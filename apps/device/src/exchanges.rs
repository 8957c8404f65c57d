//! What the application answers to what, one exchange after the other over one connection: for a test on each port.

use core::fmt;

/// A request and its answer.
#[derive(Clone, Copy, Debug)]
pub struct Exchange {
    /// Method and target.
    pub line: &'static str,
    /// Fields besides `Host` and `Content-Length`, each with its end.
    pub fields: &'static str,
    /// The request's body.
    pub body: &'static str,
    /// The answer's status.
    pub status: u16,
    /// Fields that the answer must have.
    pub has: &'static [&'static str],
    /// The answer's body; none where that is not text.
    pub answer: Option<&'static str>,
}

impl Exchange {
    /// Whether a response is the answer: its head, with the empty line, and its body.
    #[must_use]
    pub fn is_answered_by(&self, head: &str, body: &[u8]) -> bool {
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let has = |wanted: &&str| head.split("\r\n").any(|line| line == *wanted);
        let is_secured = has(&"X-Content-Type-Options: nosniff");
        let is_body = self.answer.is_none_or(|answer| answer.as_bytes() == body);
        status == Some(self.status) && self.has.iter().all(has) && is_secured && is_body
    }
}

/// The request as it is sent.
impl fmt::Display for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Exchange { line, fields, body, .. } = self;
        write!(f, "{line} HTTP/1.1\r\nHost: device\r\n{fields}Content-Length: {}\r\n\r\n{body}", body.len())
    }
}

const WORD: &str = "Authorization: Bearer open\r\n";
const JSON: &str = "Authorization: Bearer open\r\nContent-Type: application/json\r\n";
const IS_JSON: &str = "Content-Type: application/json";

const fn asked(line: &'static str, fields: &'static str, status: u16, answer: &'static str) -> Exchange {
    Exchange { line, fields, body: "", status, has: &[IS_JSON], answer: Some(answer) }
}

const fn put(body: &'static str, status: u16, answer: &'static str) -> Exchange {
    Exchange { body, ..asked("PUT /api/config", JSON, status, answer) }
}

/// All of them, in an order in which each can follow on the one before, and the first on the last.
pub const ALL: &[Exchange] = &[
    // State, both ways.
    asked("GET /api/config", WORD, 200, r#"{"name":"lamp","wifi":{"ssid":"home","port":1883},"interval_s":5}"#),
    put(
        r#" {"interval_s": 60, "wifi": {"port": 65535, "ssid": "caf\u00e9"}, "name": "fan", "more": [1, {}]} "#,
        200,
        r#"{"name":"fan","wifi":{"ssid":"café","port":65535},"interval_s":60}"#,
    ),
    put(
        r#"{"name":"fan","wifi":{"ssid":"home","port":65536},"interval_s":60}"#,
        400,
        r#"{"status":400,"error":"\"wifi.port\": 65536 is above 65535 (byte 43)"}"#,
    ),
    put(r#"{"name":"fan"}"#, 400, r#"{"status":400,"error":"\"wifi\" is missing (byte 0)"}"#),
    Exchange {
        fields: WORD,
        has: &[IS_JSON],
        ..put("{}", 415, r#"{"status":415,"error":"send JSON, as application/json: the Content-Type says another"}"#)
    },
    asked("GET /api/config", WORD, 200, r#"{"name":"fan","wifi":{"ssid":"café","port":65535},"interval_s":60}"#),
    // Queries and parameters.
    asked("POST /api/pins/5?on=true&level=100", WORD, 200, r#"{"pin":5,"on":true,"level":100}"#),
    asked("POST /api/pins/5?on=1&level=101", WORD, 422, r#"{"status":422,"error":"a level is 0 to 100"}"#),
    asked("POST /api/pins/5", WORD, 400, r#"{"status":400,"error":"\"on\" is missing"}"#),
    asked("POST /api/pins/6?on=1", WORD, 404, r#"{"status":404,"error":"there is no such pin: see GET /api/pins"}"#),
    asked("POST /api/pins/256?on=1", WORD, 400, r#"{"status":400,"error":"\"pin\": 256 is above 255"}"#),
    asked(
        "GET /api/pins?from=1&limit=2",
        WORD,
        200,
        r#"[{"pin":5,"on":true,"level":100},{"pin":18,"on":false,"level":0}]"#,
    ),
    asked("GET /api/pins?from=4", WORD, 200, "[]"),
    // Who may.
    Exchange {
        has: &[IS_JSON, "WWW-Authenticate: Bearer"],
        ..asked("GET /api/config", "", 401, r#"{"status":401,"error":"send the word of access"}"#)
    },
    Exchange {
        has: &[IS_JSON, "WWW-Authenticate: Bearer"],
        ..asked(
            "GET /api/pins",
            "Authorization: Bearer ope\r\n",
            401,
            r#"{"status":401,"error":"send the word of access"}"#,
        )
    },
    // Another site's pages.
    Exchange {
        line: "OPTIONS /api/config",
        fields: "Origin: https://panel.example\r\nAccess-Control-Request-Method: PUT\r\n\
            Access-Control-Request-Headers: authorization,content-type\r\n",
        body: "",
        status: 204,
        has: &[
            "Access-Control-Allow-Origin: https://panel.example",
            "Access-Control-Allow-Methods: GET, PUT, HEAD, OPTIONS",
            "Access-Control-Max-Age: 600",
        ],
        answer: Some(""),
    },
    Exchange {
        has: &[IS_JSON, "Access-Control-Allow-Origin: https://panel.example"],
        ..asked(
            "GET /api/config",
            "Origin: https://panel.example\r\n",
            401,
            r#"{"status":401,"error":"send the word of access"}"#,
        )
    },
    // Errors of the router.
    asked("GET /api/none", WORD, 404, r#"{"status":404,"error":"there is no such target here"}"#),
    Exchange {
        has: &[IS_JSON, "Allow: GET, PUT, HEAD, OPTIONS"],
        ..asked(
            "DELETE /api/config",
            WORD,
            405,
            r#"{"status":405,"error":"this target has no such method: see Allow"}"#,
        )
    },
    asked("GET /none.css", "", 404, r#"{"status":404,"error":"there is no such file"}"#),
    // The page.
    Exchange {
        line: "GET /",
        fields: "Accept-Encoding: gzip\r\n",
        body: "",
        status: 200,
        has: &["Content-Type: text/html; charset=utf-8", "Content-Encoding: gzip", "Vary: Accept-Encoding"],
        answer: None,
    },
    // As at the start, so that all can be asked once more.
    asked("POST /api/pins/5?on=off&level=", WORD, 200, r#"{"pin":5,"on":false,"level":0}"#),
    put(
        r#"{"name":"lamp","wifi":{"ssid":"home","port":1883},"interval_s":5}"#,
        200,
        r#"{"name":"lamp","wifi":{"ssid":"home","port":1883},"interval_s":5}"#,
    ),
];
