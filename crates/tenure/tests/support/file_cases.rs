//! The rows of `conformance/files`: requests for files and what they are answered, for every server that there is.
#![allow(dead_code, missing_docs, unreachable_pub, reason = "each user has its own use of it")]

use std::{fmt::Write as _, fs, path::Path};

/// The second of the last change of all files.
pub const MODIFIED: u64 = 784_111_777;

/// What `/plain.txt` has.
pub const PLAIN: &str = "abcdefghijklmnopqrstuvwxyz";

/// What `/page.html` has.
pub fn page() -> String {
    format!("{:<2000}", format!("<!doctype html>\n{}", "<p>once more\n".repeat(150)))
}

/// One row.
#[derive(Debug)]
pub struct Case {
    /// File and line.
    pub place: String,
    /// Method and target.
    pub request: String,
    pub fields: Vec<String>,
    pub status: u16,
    pub response: Vec<String>,
    /// The status of nginx, where it answers otherwise in any way.
    pub nginx: Option<u16>,
}

/// All rows.
pub fn cases() -> Vec<Case> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().find_map(|folder| {
        let file = folder.join("conformance/files/conditional.md");
        file.exists().then_some(file)
    });
    let text = fs::read_to_string(file.expect("conformance is above")).expect("a file of text");
    let mut cases = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, request, fields, status, response, nginx, _] = cells[..] else { continue };
        let Ok(status) = status.parse() else { continue };
        let spans = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
        cases.push(Case {
            place: format!("conditional.md:{}", number + 1),
            request: spans(request).remove(0),
            fields: spans(fields),
            status,
            response: spans(response),
            nginx: nginx.get(..3).map(|status| status.parse().expect("nginx's status")),
        });
    }
    cases
}

/// The tags that a server has chosen.
#[derive(Debug)]
pub struct Tags {
    pub etag: String,
    pub page: String,
    pub packed: String,
}

impl Tags {
    /// Asks a server, by a function from a request to its response, and fails where a tag is not strong or two are the same.
    pub fn learn(mut ask: impl FnMut(&str) -> Vec<u8>) -> Self {
        let mut tag = |target: &str, field: &str| {
            let response = ask(&format!("HEAD {target} HTTP/1.1\r\nHost: test\r\n{field}\r\n"));
            let tag = field_of(&String::from_utf8_lossy(&response), "ETag").expect("an entity tag");
            assert!(tag.len() > 2 && tag.starts_with('"') && tag.ends_with('"'), "{tag}");
            tag
        };
        let etag = tag("/plain.txt", "");
        let (page, packed) = (tag("/page.html", ""), tag("/page.html", "Accept-Encoding: gzip\r\n"));
        assert_ne!(page, packed);
        Tags { etag, page, packed }
    }

    fn set(&self, text: &str) -> String {
        text.replace("{etag}", &self.etag).replace("{page}", &self.page).replace("{packed}", &self.packed)
    }
}

impl Case {
    /// The request as it is sent.
    pub fn bytes(&self, tags: &Tags) -> String {
        let mut request = format!("{} HTTP/1.1\r\nHost: test\r\n", self.request);
        for field in &self.fields {
            write!(request, "{}\r\n", tags.set(field)).expect("there is room");
        }
        request + "\r\n"
    }

    /// What is wrong with a response, to its end.
    pub fn check(&self, tags: &Tags, response: &[u8]) -> Result<(), String> {
        let text = String::from_utf8_lossy(response);
        let wrong = |what: &str| Err(format!("{}: {what}\n{}\n{text}\n", self.place, self.bytes(tags)));
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        if head.get(9..12) != Some(&self.status.to_string()) {
            return wrong(&format!("not {}", self.status));
        }
        for wanted in &self.response {
            if let Some(body_wanted) = wanted.strip_prefix('"').and_then(|wanted| wanted.strip_suffix('"')) {
                if body != body_wanted {
                    return wrong(&format!("not {wanted}"));
                }
            } else if let Some(name) = wanted.strip_prefix("no ") {
                if field_of(head, name).is_some() {
                    return wrong(&format!("{name} is there"));
                }
            } else {
                let wanted = tags.set(wanted);
                let (name, value) = wanted.split_once(": ").expect("a field");
                if field_of(head, name).as_deref() != Some(value) {
                    return wrong(&format!("not {wanted}"));
                }
            }
        }
        Ok(())
    }
}

/// The value of the first field of that name.
pub fn field_of(head: &str, name: &str) -> Option<String> {
    let mut lines = head.split("\r\n").filter_map(|line| line.split_once(": "));
    lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
}
