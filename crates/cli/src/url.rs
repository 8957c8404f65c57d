//! The URLs that `listen`, `chat` and `load` take: `http://HOST:PORT/PATH` and `ws://HOST:PORT/PATH` (RFC 3986, RFC 6455 section 3).

use std::fmt;

use tenure_load::authority;

/// Where a server is, and what is asked of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url {
    pub(crate) scheme: Scheme,
    /// A name or an address, without the brackets of IPv6.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Path and query, as they are sent.
    pub(crate) target: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// A stream of events.
    Http,
    /// A WebSocket.
    Ws,
}

impl Url {
    /// The value of Host.
    pub(crate) fn authority(&self) -> String {
        authority(&self.host, self.port)
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.scheme == Scheme::Ws { "ws" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority(), self.target)
    }
}

/// Reads a URL of either scheme.
pub(crate) fn url(text: &str) -> Result<Url, String> {
    parse(text, "http:// or ws://")
}

/// Reads a URL of a WebSocket.
pub(crate) fn websocket_url(text: &str) -> Result<Url, String> {
    let url = parse(text, "ws://")?;
    if url.scheme == Scheme::Ws { Ok(url) } else { Err("give a URL that begins with ws://".to_owned()) }
}

fn parse(text: &str, begins: &str) -> Result<Url, String> {
    let begin = || format!("give a URL that begins with {begins}, such as ws://127.0.0.1:8080/chat");
    let (scheme, rest) = text.split_once("://").ok_or_else(begin)?;
    let scheme = match &*scheme.to_ascii_lowercase() {
        "http" => Scheme::Http,
        "ws" => Scheme::Ws,
        "https" | "wss" => return Err(format!("TLS is not spoken here: give a URL that begins with {begins}")),
        _ => return Err(begin()),
    };
    if rest.contains('#') {
        return Err("leave out the # and what follows: it is not sent".to_owned());
    }
    let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    if authority.contains('@') {
        return Err("leave out the name in front of the @: there is no login".to_owned());
    }
    if !target.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("write blanks, and what is not ASCII, as % and two digits per byte: %20 for a blank".to_owned());
    }
    // An IPv6 address has colons of its own, and brackets around them.
    let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, port)) => (host, port.strip_prefix(':').map_or((port.is_empty()).then_some("80"), Some)),
        None => authority.split_once(':').map_or((authority, Some("80")), |(host, port)| (host, Some(port))),
    };
    if host.is_empty() {
        return Err("give the server's address or name, such as ws://127.0.0.1:8080/ or ws://[::1]:8080/".to_owned());
    }
    if host.starts_with('[') || !host.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("give an address or a name, such as 127.0.0.1, [::1] or chat.local".to_owned());
    }
    let is_number = |port: &&str| !port.is_empty() && port.bytes().all(|digit| digit.is_ascii_digit());
    let port = port.filter(is_number).and_then(|port| port.parse().ok()).filter(|port| *port != 0);
    let port = port.ok_or("give a port from 1 to 65535, and an IPv6 address in brackets, such as ws://[::1]:8080/")?;
    let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
    Ok(Url { scheme, host: host.to_owned(), port, target })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_and_what_they_say() {
        for (text, scheme, host, port, target, shown) in [
            ("ws://127.0.0.1:8080/chat", Scheme::Ws, "127.0.0.1", 8080, "/chat", "ws://127.0.0.1:8080/chat"),
            ("WS://a", Scheme::Ws, "a", 80, "/", "ws://a:80/"),
            ("http://a?b=c", Scheme::Http, "a", 80, "/?b=c", "http://a:80/?b=c"),
            ("http://a:65535/?b:/@", Scheme::Http, "a", 65_535, "/?b:/@", "http://a:65535/?b:/@"),
            ("ws://[::1]:1/", Scheme::Ws, "::1", 1, "/", "ws://[::1]:1/"),
            ("ws://[fe80::1%eth0]/x", Scheme::Ws, "fe80::1%eth0", 80, "/x", "ws://[fe80::1]:80/x"),
        ] {
            let wanted = Url { scheme, host: host.to_owned(), port, target: target.to_owned() };
            assert_eq!(url(text).as_ref(), Ok(&wanted), "{text}");
            assert_eq!(wanted.to_string(), shown);
        }
    }

    #[test]
    fn what_is_no_url_is_said() {
        for (text, wanted) in [
            ("127.0.0.1:8080", "begins with http:// or ws://"),
            ("ftp://a/", "begins with http:// or ws://"),
            ("https://a/", "TLS is not spoken here"),
            ("WSS://a/", "TLS is not spoken here"),
            ("ws://a/#b", "leave out the #"),
            ("ws://me:word@a/", "in front of the @"),
            ("ws:///a", "give the server's address"),
            ("ws://:80/a", "give the server's address"),
            ("ws://[]/a", "give the server's address"),
            ("ws://a/b c", "%20 for a blank"),
            ("ws://a/\u{e4}", "two digits per byte"),
            ("ws://\u{e4}/", "give an address or a name"),
            ("ws://a b/", "give an address or a name"),
            ("ws://a:/", "a port from 1 to 65535"),
            ("ws://a:0/", "a port from 1 to 65535"),
            ("ws://a:65536/", "a port from 1 to 65535"),
            ("ws://a:+80/", "a port from 1 to 65535"),
            ("ws://a:http/", "a port from 1 to 65535"),
            ("ws://::1/", "or ws://[::1]:8080/"),
            ("ws://fe80::1/", "an IPv6 address in brackets"),
            ("ws://[::1]80/", "a port from 1 to 65535"),
            ("ws://[::1]:/", "a port from 1 to 65535"),
            ("ws://[::1/", "give an address or a name"),
        ] {
            let error = url(text).unwrap_err();
            assert!(error.contains(wanted), "{text}: {error}");
        }
        for (text, wanted) in [("http://a/", "with ws://"), ("https://a/", "with ws://"), ("a", "with ws://, such")] {
            assert!(websocket_url(text).unwrap_err().contains(wanted), "{text}");
        }
        assert!(websocket_url("ws://a/").is_ok());
    }
}
