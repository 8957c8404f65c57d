//! The application without a host: everything that a board runs, compiled for riscv32imc, which has no heap here and no
//! atomic operations beyond loads and stores.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::Failure;

const TARGET: &str = "riscv32imc-unknown-none-elf";
/// Debian's own compiler, whose standard library comes as source.
const DEBIAN_CARGO: &str = "/usr/bin/cargo";
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_SOURCE: &str = "/usr/lib/rustlib/src/rust/library/core";

pub(crate) fn run() -> Result<(), Failure> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("xtask lies in no workspace")?;
    let mut cargo = if has_target()? {
        println!("with the target that rustup has installed");
        Command::new("cargo")
    } else if Path::new(DEBIAN_CARGO).exists() && Path::new(DEBIAN_SOURCE).exists() {
        println!("with Debian's compiler and its library's source");
        let mut cargo = Command::new(DEBIAN_CARGO);
        // What cargo and rustup have set for this program is about another compiler.
        cargo.env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO").env("RUSTC", DEBIAN_RUSTC);
        cargo.env("RUSTC_BOOTSTRAP", "1").arg("-Zbuild-std=core");
        cargo
    } else {
        return Err(format!(
            "no compiler for {TARGET}: `rustup target add {TARGET}`, or on Debian \
             `apt-get install rustc-web cargo-web rust-web-src`"
        )
        .into());
    };
    // The adder counts its visitors with a read-modify-write: on one core a critical section makes it atomic.
    let status = cargo
        .current_dir(root)
        .args(["build", "--release", "--package", "tenure-adder", "--features", "portable-atomic/critical-section"])
        .args(["--target", TARGET, "--target-dir"])
        .arg(target_dir(root))
        .status()
        .map_err(|error| format!("cargo cannot be started: {error}"))?;
    if !status.success() {
        return Err(format!("tenure-adder does not compile for {TARGET}").into());
    }
    println!("tenure-proto, tenure and tenure-adder compile for {TARGET}");
    Ok(())
}

/// A directory of its own: another compiler's files would be thrown away at every change between the two.
fn target_dir(root: &Path) -> PathBuf {
    root.join("target").join("riscv32imc")
}

/// Whether the compiler at hand has the target's core library.
fn has_target() -> Result<bool, Failure> {
    let output = Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]).output()?;
    let directory = String::from_utf8(output.stdout)?;
    Ok(output.status.success() && Path::new(directory.trim()).exists())
}
