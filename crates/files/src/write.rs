//! The file that a program includes.

use std::{fmt::Write as _, path::Path};

use crate::{Embed, pack::Entry};

/// Its text.
pub(crate) fn table(embed: &Embed, name: &str, folder: &Path, entries: &[Entry]) -> String {
    let doc = format!("The files of `{}`.", folder.display()).replace('\\', "/");
    let mut text =
        format!("#[doc = {doc:?}]\npub static {name}: ::tenure::files::Table = ::tenure::files::Table::new(&[\n");
    // Writing into a text cannot fail.
    for Entry { path, content_type, is_immutable, identity, gzip, brotli } in entries {
        let _ = write!(text, "    ::tenure::files::File::new({path:?}, {content_type:?})");
        for (method, variant) in [("identity", identity), ("gzip", gzip), ("brotli", brotli)] {
            if let Some((path, tag)) = variant {
                let tag = format!("\"{tag}\"");
                let _ = write!(text, "\n        .{method}({tag:?}, include_bytes!({:?}))", path.to_string_lossy());
            }
        }
        if *is_immutable {
            text.push_str("\n        .cache_control(::tenure::files::IMMUTABLE)");
        }
        text.push_str(",\n");
    }
    text.push_str("])");
    if let Some(fallback) = &embed.fallback {
        let _ = write!(text, ".fallback({fallback:?})");
    }
    text.push_str(";\n");
    text
}
