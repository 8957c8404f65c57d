//! What would be published: each crate's archive has what a reader needs, and builds from the archives of the others.

use std::process::Command;

use crate::{Failure, server::root};

/// In the order in which they depend on each other.
const CRATES: [&str; 9] = [
    "tenure-proto",
    "tenure",
    "tenure-host",
    "tenure-linux",
    "tenure-tokio",
    "tenure-embassy",
    "tenure-adder",
    "tenure-load",
    "tenure-cli",
];
const NEEDED: [&str; 4] = ["Cargo.toml", "README.md", "LICENSE-MIT", "LICENSE-APACHE"];

pub(crate) fn run() -> Result<(), Failure> {
    for name in CRATES {
        let output = cargo().args(["--list", "--package", name]).output()?;
        let listed = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            return Err(format!("{name}: {}", String::from_utf8_lossy(&output.stderr)).into());
        }
        if let Some(lacking) = NEEDED.iter().find(|needed| !listed.lines().any(|file| file == **needed)) {
            return Err(format!("the archive of {name} has no {lacking}").into());
        }
    }
    let status = cargo().args(CRATES.iter().flat_map(|name| ["--package", name])).status()?;
    if !status.success() {
        return Err("not every archive builds: see above".into());
    }
    println!("{} crates are ready to be published", CRATES.len());
    Ok(())
}

fn cargo() -> Command {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(root()).args(["package", "--locked", "--allow-dirty"]);
    cargo
}
