//! Embeds the page: packed alone, as flash is little.

fn main() -> Result<(), tenure_files::Error> {
    tenure_files::Embed::new("site").only_gzip().write()
}
