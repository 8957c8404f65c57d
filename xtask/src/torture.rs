//! Servers among bad clients: the program is `crates/torture`, built with checks of overflow and assertions.

use std::process::Command;

use crate::{Failure, server::root};

pub(crate) fn run(options: &[&str]) -> Result<(), Failure> {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(root()).args(["run", "--quiet", "--locked", "--package", "tenure-torture", "--"]).args(options);
    if !cargo.status()?.success() {
        return Err("torture failed: see above".into());
    }
    Ok(())
}
