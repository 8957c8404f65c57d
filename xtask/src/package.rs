//! What would be published: each crate's archive has what a reader needs, and builds from the archives of the others.

use std::{fmt::Write, fs, process::Command};

use crate::{Failure, server::root};

const CRATES: [&str; 12] = [
    "tenure-proto",
    "tenure",
    "tenure-host",
    "tenure-linux",
    "tenure-tokio",
    "tenure-embassy",
    "tenure-files",
    "tenure-login",
    "tenure-compress",
    "tenure-adder",
    "tenure-load",
    "tenure-cli",
];
const NEEDED: [&str; 4] = ["Cargo.toml", "README.md", "LICENSE-MIT", "LICENSE-APACHE"];

pub(crate) fn run() -> Result<(), Failure> {
    let made = root().join("target/package");
    let archives = made.join("archives");
    for folder in [&made, &archives] {
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
    }
    // Cargo's own check keeps what it unpacks in its home by name and version alone: a second run there would build the
    // archives of the first.
    let mut package = Command::new("cargo");
    package.current_dir(root()).args(["package", "--locked", "--allow-dirty", "--no-verify"]);
    package.arg("--target-dir").arg(root().join("target"));
    let packed = package.args(CRATES.iter().flat_map(|name| ["--package", name])).status()?;
    if !packed.success() {
        return Err("not every crate can be packed: see above".into());
    }
    fs::create_dir_all(&archives)?;
    let version = env!("CARGO_PKG_VERSION");
    let mut workspace = String::from("[workspace]\nresolver = \"3\"\nmembers = [\"*\"]\n\n[patch.crates-io]\n");
    for name in CRATES {
        let folder = format!("{name}-{version}");
        let archive = made.join(format!("{folder}.crate"));
        // Unpacked files are as old as they look: cargo would take those of an earlier run for the same.
        if !Command::new("tar").arg("-xmzf").arg(archive).arg("-C").arg(&archives).status()?.success() {
            return Err(format!("the archive of {name} cannot be unpacked").into());
        }
        if let Some(lacking) = NEEDED.iter().find(|needed| !archives.join(&folder).join(needed).exists()) {
            return Err(format!("the archive of {name} has no {lacking}").into());
        }
        writeln!(workspace, "{name} = {{ path = \"{folder}\" }}")?;
    }
    fs::write(archives.join("Cargo.toml"), workspace)?;
    fs::copy(root().join("Cargo.lock"), archives.join("Cargo.lock"))?;
    // Each by itself, so that none borrows a feature from another.
    for name in CRATES {
        let mut check = Command::new("cargo");
        check
            .current_dir(&archives)
            .args(["check", "--package", name, "--target-dir"])
            .arg(root().join("target/archives"));
        if !check.status()?.success() {
            return Err(format!("the archive of {name} does not build: see above").into());
        }
    }
    println!("{} crates are ready to be published", CRATES.len());
    Ok(())
}
