//! The application without a host: everything that a board runs, compiled for riscv32imc, which has no heap here and no
//! atomic operations beyond loads and stores.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Failure, server::root};

pub(crate) const TARGET: &str = "riscv32imc-unknown-none-elf";
/// Debian's own compiler, whose standard library comes as source.
const DEBIAN_CARGO: &str = "/usr/bin/cargo";
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_SOURCE: &str = "/usr/lib/rustlib/src/rust/library/core";
const DEBIAN_LINKER: &str = "ld.lld-22";

pub(crate) fn run() -> Result<(), Failure> {
    // The adder counts its visitors with a read-modify-write: on one core a critical section makes it atomic.
    let status = cargo()?
        .current_dir(root())
        .args(["build", "--release", "--package", "tenure-adder", "--package", "tenure-login"])
        .args(["--features", "portable-atomic/critical-section"])
        .args(["--target", TARGET, "--target-dir"])
        .arg(target_dir(root()))
        .status()
        .map_err(|error| format!("cargo cannot be started: {error}"))?;
    if !status.success() {
        return Err(format!("what boards run does not compile for {TARGET}").into());
    }
    println!("tenure-proto, tenure, tenure-login and tenure-adder compile for {TARGET}");
    Ok(())
}

/// A cargo that has a compiler for the target: `build` and its options are to be added.
pub(crate) fn cargo() -> Result<Command, Failure> {
    cargo_with("core")
}

/// The same, for what needs those crates of the standard library.
pub(crate) fn cargo_with(crates: &str) -> Result<Command, Failure> {
    if has_target()? {
        println!("with the target that rustup has installed");
        return Ok(Command::new("cargo"));
    }
    let mut cargo = debian_cargo(crates, TARGET)?;
    cargo.env("CARGO_TARGET_RISCV32IMC_UNKNOWN_NONE_ELF_LINKER", DEBIAN_LINKER);
    Ok(cargo)
}

/// Debian's cargo, which compiles those crates of the standard library along.
pub(crate) fn debian_cargo(crates: &str, target: &str) -> Result<Command, Failure> {
    if !Path::new(DEBIAN_CARGO).exists() || !Path::new(DEBIAN_SOURCE).exists() {
        return Err(format!(
            "no compiler for {target}: on Debian `apt-get install rustc-web cargo-web rust-web-src lld-22`{}",
            if target == TARGET { ", or `rustup target add riscv32imc-unknown-none-elf`" } else { "" }
        )
        .into());
    }
    println!("with Debian's compiler and its library's source");
    let mut cargo = Command::new(DEBIAN_CARGO);
    // What cargo and rustup have set for this program is about another compiler.
    cargo.env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO").env("RUSTC", DEBIAN_RUSTC);
    cargo.env("RUSTC_BOOTSTRAP", "1").arg(format!("-Zbuild-std={crates}"));
    Ok(cargo)
}

/// A directory of its own: another compiler's files would be thrown away at every change between the two.
pub(crate) fn target_dir(root: &Path) -> PathBuf {
    root.join("target").join("riscv32imc")
}

/// Whether the compiler at hand has the target's core library.
fn has_target() -> Result<bool, Failure> {
    let output = Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]).output()?;
    let directory = String::from_utf8(output.stdout)?;
    Ok(output.status.success() && Path::new(directory.trim()).exists())
}
