//! Which media type a file's name tells: what the web serves, by IANA's registry and the WHATWG's MIME sniffing standard.

/// What a file is whose name tells nothing: RFC 2046 section 4.5.1.
pub const UNKNOWN: &str = "application/octet-stream";

/// The Content-Type for a file of that name, by what stands behind its last dot; [`UNKNOWN`] where that tells nothing. Text is UTF-8.
///
/// # Examples
/// ```
/// use tenure_proto::media::{UNKNOWN, content_type};
///
/// assert_eq!(content_type("css/page.min.CSS"), "text/css; charset=utf-8");
/// assert_eq!(content_type("LICENSE"), UNKNOWN);
/// ```
pub fn content_type(name: &str) -> &'static str {
    let file = name.rsplit('/').next().unwrap_or_default();
    let Some((_, extension)) = file.rsplit_once('.') else { return UNKNOWN };
    let found = TYPES.iter().find(|(known, _)| known.eq_ignore_ascii_case(extension));
    found.map_or(UNKNOWN, |(_, content_type)| content_type)
}

/// Whether that type is worth packing: what is not packed by itself.
///
/// # Examples
/// ```
/// use tenure_proto::media::is_compressible;
///
/// assert!(is_compressible("text/css; charset=utf-8") && !is_compressible("image/png"));
/// ```
pub fn is_compressible(content_type: &str) -> bool {
    let media = content_type.split(';').next().unwrap_or_default().trim();
    media.starts_with("text/")
        || media.ends_with("+xml")
        || media.ends_with("+json")
        || matches!(
            media,
            UNKNOWN
                | "application/json"
                | "application/xml"
                | "application/wasm"
                | "application/rtf"
                | "application/x-ndjson"
                | "image/bmp"
                | "image/vnd.microsoft.icon"
                | "font/ttf"
                | "font/otf"
                | "application/vnd.ms-fontobject"
                | "audio/wav"
        )
}

/// Whether a file's name has a digest in it, as bundlers put there: then what the name stands for never changes. A digest is eight or more
/// hexadecimal digits, letters and numerals among them, between a dot or a dash and the last dot.
///
/// # Examples
/// ```
/// use tenure_proto::media::has_digest;
///
/// assert!(has_digest("js/app.3f2a9c1b.js") && has_digest("app-3F2A9C1B.min.js"));
/// assert!(!has_digest("app.js") && !has_digest("app.20260101.js") && !has_digest("3f2a9c1b.js"));
/// ```
pub fn has_digest(name: &str) -> bool {
    let file = name.rsplit('/').next().unwrap_or_default();
    let Some((stem, _)) = file.rsplit_once('.') else { return false };
    stem.split(['.', '-']).skip(1).any(|part| {
        let is = |class: fn(&u8) -> bool| part.as_bytes().iter().any(class);
        let is_hexadecimal = part.len() >= 8 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hexadecimal && is(u8::is_ascii_alphabetic) && is(u8::is_ascii_digit)
    })
}

/// Extensions in lower case, in order.
static TYPES: [(&str, &str); 69] = [
    ("7z", "application/x-7z-compressed"),
    ("aac", "audio/aac"),
    ("apng", "image/apng"),
    ("atom", "application/atom+xml"),
    ("avif", "image/avif"),
    ("bin", UNKNOWN),
    ("bmp", "image/bmp"),
    ("br", UNKNOWN),
    ("bz2", "application/x-bzip2"),
    ("cjs", "text/javascript; charset=utf-8"),
    ("css", "text/css; charset=utf-8"),
    ("csv", "text/csv; charset=utf-8"),
    ("eot", "application/vnd.ms-fontobject"),
    ("epub", "application/epub+zip"),
    ("flac", "audio/flac"),
    ("gif", "image/gif"),
    ("gz", "application/gzip"),
    ("htm", "text/html; charset=utf-8"),
    ("html", "text/html; charset=utf-8"),
    ("ico", "image/vnd.microsoft.icon"),
    ("ics", "text/calendar; charset=utf-8"),
    ("jpeg", "image/jpeg"),
    ("jpg", "image/jpeg"),
    ("js", "text/javascript; charset=utf-8"),
    ("json", "application/json"),
    ("jsonld", "application/ld+json"),
    ("jxl", "image/jxl"),
    ("m4a", "audio/mp4"),
    ("m4v", "video/mp4"),
    ("map", "application/json"),
    ("md", "text/markdown; charset=utf-8"),
    ("mid", "audio/midi"),
    ("mjs", "text/javascript; charset=utf-8"),
    ("mov", "video/quicktime"),
    ("mp3", "audio/mpeg"),
    ("mp4", "video/mp4"),
    ("mpeg", "video/mpeg"),
    ("ndjson", "application/x-ndjson"),
    ("oga", "audio/ogg"),
    ("ogg", "audio/ogg"),
    ("ogv", "video/ogg"),
    ("opus", "audio/ogg"),
    ("otf", "font/otf"),
    ("pdf", "application/pdf"),
    ("png", "image/png"),
    ("rss", "application/rss+xml"),
    ("rtf", "application/rtf"),
    ("svg", "image/svg+xml"),
    ("svgz", "image/svg+xml"),
    ("tar", "application/x-tar"),
    ("tgz", "application/gzip"),
    ("tif", "image/tiff"),
    ("tiff", "image/tiff"),
    ("toml", "application/toml"),
    ("ttf", "font/ttf"),
    ("txt", "text/plain; charset=utf-8"),
    ("vtt", "text/vtt; charset=utf-8"),
    ("wasm", "application/wasm"),
    ("wav", "audio/wav"),
    ("weba", "audio/webm"),
    ("webm", "video/webm"),
    ("webmanifest", "application/manifest+json"),
    ("webp", "image/webp"),
    ("woff", "font/woff"),
    ("woff2", "font/woff2"),
    ("xhtml", "application/xhtml+xml"),
    ("xml", "application/xml"),
    ("zip", "application/zip"),
    ("zst", "application/zstd"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_stand_once_and_in_order() {
        assert!(TYPES.is_sorted_by(|(before, _), (after, _)| before < after));
        assert!(TYPES.iter().all(|(extension, _)| extension.bytes().all(|byte| !byte.is_ascii_uppercase())));
    }

    #[test]
    fn names_tell_types() {
        for (name, wanted) in [
            ("index.html", "text/html; charset=utf-8"),
            ("a/b.c/app.3f2a9c1b.js", "text/javascript; charset=utf-8"),
            ("LOGO.PNG", "image/png"),
            ("manifest.webmanifest", "application/manifest+json"),
            ("", UNKNOWN),
            ("html", UNKNOWN),
            ("a.html/b", UNKNOWN),
            ("a.", UNKNOWN),
            (".html", "text/html; charset=utf-8"),
            ("a.htmlx", UNKNOWN),
            ("archive.tar.gz", "application/gzip"),
        ] {
            assert_eq!(content_type(name), wanted, "{name}");
        }
    }

    #[test]
    fn digests_in_names() {
        for (name, wanted) in [
            ("app.3f2a9c1b.js", true),
            ("a/b/app.3f2a9c1b.js", true),
            ("app-3f2a9c1b.js", true),
            ("app.3F2A9C1B.css.map", true),
            ("app.3f2a9c1.js", false),
            ("app.3f2a9c1bdeadbeef0.js", true),
            ("app.3f2a9c1g.js", false),
            ("app.12345678.js", false),
            ("app.deadbeef.js", false),
            ("3f2a9c1b.js", false),
            ("app.3f2a9c1b", false),
            ("3f2a9c1b/app.js", false),
            (".3f2a9c1b.js", true),
            ("", false),
        ] {
            assert_eq!(has_digest(name), wanted, "{name}");
        }
    }

    #[test]
    fn what_is_packed_already_is_told() {
        for (name, wanted) in
            [("a.html", true), ("a.svg", true), ("a.json", true), ("a.wasm", true), ("a.unknown", true)]
        {
            assert_eq!(is_compressible(content_type(name)), wanted, "{name}");
        }
        for name in ["a.png", "a.jpg", "a.woff2", "a.gz", "a.zip", "a.mp4"] {
            assert!(!is_compressible(content_type(name)), "{name}");
        }
    }
}
