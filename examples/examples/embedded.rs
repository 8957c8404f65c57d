//! Files that are part of the program: `examples/build.rs` embeds the folder `examples/site`, with types, tags and packed variants. On a
//! board they stay in flash, and no file takes RAM.
//!
//! `cargo run --example embedded`, then open <http://127.0.0.1:8080/>, or
//! - `curl -i --compressed http://127.0.0.1:8080/app.js`: packed when the program was built;
//! - `curl -i -H 'Accept-Encoding: br' http://127.0.0.1:8080/app.js`: by Brotli, where that is a good deal smaller than by gzip.

use tenure::{Handler, Router, files};
use tenure_linux::{Server, Settings};

// What the build script has written: static SITE, a tenure::files::Table.
include!(concat!(env!("OUT_DIR"), "/site.rs"));

fn app() -> impl Handler<()> + Send + Sync {
    Router::new().route("/{*rest}", files(&SITE))
}

fn main() -> Result<(), tenure_linux::Error> {
    let server = Server::bind(Settings::at(([127, 0, 0, 1], 8080).into()))?.stop_on_signals()?;
    println!("serving {} files at http://{}/", SITE.files().len(), server.local_addr());
    server.run(&app(), &())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenure::kit::Server;

    fn ask(target: &str, field: &str) -> String {
        let mut server = Server::new(app());
        let client = server.connect();
        client.send(format!("GET {target} HTTP/1.1\r\nHost: test\r\n{field}\r\n"));
        server.run();
        String::from_utf8_lossy(&client.received()).into_owned()
    }

    #[test]
    fn every_file_is_there() {
        let paths: Vec<_> = SITE.files().iter().map(tenure::files::File::path).collect();
        assert_eq!(paths, ["app.js", "docs/index.html", "index.html", "style.css"]);
        for path in paths {
            assert!(ask(&format!("/{path}"), "").starts_with("HTTP/1.1 200 "), "{path}");
        }
        let script = ask("/app.js", "");
        assert!(
            script.ends_with(include_str!("../site/app.js")) && script.contains("\r\nContent-Type: text/javascript; ")
        );
        assert!(ask("/docs", "").contains("\r\nLocation: ./docs/\r\n"));
    }

    #[test]
    fn what_is_packed_is_sent_to_those_who_unpack_it() {
        let (whole, packed) = (ask("/app.js", ""), ask("/app.js", "Accept-Encoding: gzip\r\n"));
        assert!(packed.contains("\r\nContent-Encoding: gzip\r\n") && packed.len() < whole.len());
        let tag = packed.lines().find_map(|line| line.strip_prefix("ETag: ")).expect("a tag");
        let again = ask("/app.js", &format!("Accept-Encoding: gzip\r\nIf-None-Match: {tag}\r\n"));
        assert!(again.starts_with("HTTP/1.1 304 ") && again.ends_with("\r\n\r\n"));
        assert!(
            ask("/app.js", &format!("If-None-Match: {tag}\r\n")).starts_with("HTTP/1.1 200 "),
            "that is another variant"
        );
    }
}
