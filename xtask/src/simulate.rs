//! Many random walks over the driver, on both widths, in release builds.

use std::process::Command;

use crate::Failure;

const WALKS: u64 = 1_000_000;
const WIDTHS: [(&str, &str, &str); 2] = [("wide", "", "target"), ("narrow", "--cfg tenure_narrow", "target/narrow")];

pub(crate) fn run(options: &[&str]) -> Result<(), Failure> {
    let (mut walks, mut seed) = (WALKS, 0);
    for pair in options.chunks(2) {
        let number =
            |text: &str| text.parse::<u64>().map_err(|_| format!("{text} is no number: {} takes one", pair[0]));
        match *pair {
            ["--walks", text] => walks = number(text)?,
            ["--seed", text] => seed = number(text)?,
            _ => return Err("cargo xtask simulate takes --walks N and --seed S".into()),
        }
    }
    for (width, flags, target) in WIDTHS {
        let mut cargo = Command::new("cargo");
        cargo.args([
            "test",
            "--quiet",
            "--release",
            "--package",
            "tenure",
            "--test",
            "simulation",
            "--target-dir",
            target,
        ]);
        cargo.env("TENURE_WALKS", walks.to_string()).env("TENURE_SEED", seed.to_string());
        if !flags.is_empty() {
            cargo.env("RUSTFLAGS", flags);
        }
        if !cargo.status()?.success() {
            return Err(format!("a walk failed, {width}: the test says which, and by which steps").into());
        }
        println!("{walks} walks from seed {seed} on, {width}: all held");
    }
    Ok(())
}
