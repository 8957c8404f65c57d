//! The ports for hosts on other systems than this one: compiled, not run.

use crate::{Failure, riscv::debian_cargo, server::root};

/// Packages that every host has.
const ON_ALL: &[&str] = &["tenure-host", "tenure-tokio", "tenure-cli"];
/// Those of systems with epoll.
const WITH_EPOLL: &[&str] = &["tenure-host", "tenure-tokio", "tenure-cli", "tenure-linux"];

/// A system, its packages, and whether it is one of those that every change is checked on: of each difference one.
type System = (&'static str, &'static [&'static str], bool);

const SYSTEMS: &[System] = &[
    ("i686-unknown-linux-gnu", WITH_EPOLL, true),
    ("x86_64-unknown-openbsd", ON_ALL, true),
    ("armv7-unknown-linux-gnueabihf", WITH_EPOLL, false),
    ("aarch64-unknown-linux-gnu", WITH_EPOLL, false),
    ("x86_64-unknown-freebsd", ON_ALL, false),
    ("aarch64-apple-darwin", ON_ALL, false),
];

/// Checks the usual ones, or all.
pub(crate) fn run(all: bool) -> Result<(), Failure> {
    let mut failed = Vec::new();
    for &(target, packages, _) in SYSTEMS.iter().filter(|(_, _, usual)| *usual || all) {
        let mut cargo = debian_cargo("std,panic_unwind", target)?;
        cargo.current_dir(root()).args(["check", "--locked", "--target", target, "--target-dir"]);
        // A directory of its own: another compiler's files would be thrown away at every change between the two.
        cargo.arg(root().join("target").join("systems"));
        // The standard library is compiled along: without what helps to debug it, which takes most of the time and room.
        cargo.envs([("CARGO_PROFILE_DEV_DEBUG", "0"), ("CARGO_INCREMENTAL", "0")]);
        for package in packages {
            cargo.args(["--package", package]);
        }
        let status = cargo.status().map_err(|error| format!("cargo cannot be started: {error}"))?;
        if status.success() {
            println!("{} compile for {target}", packages.join(", "));
        } else {
            failed.push(target);
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(format!("it does not compile for {}", failed.join(", ")).into()) }
}
