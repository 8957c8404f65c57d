//! Embeds the folder `site` for the example `embedded`.

fn main() -> Result<(), tenure_files::Error> {
    tenure_files::embed("site")
}
