//! The bench beside other servers: a workspace of its own, built and run from here.

use std::process::Command;

use crate::{
    Failure,
    server::{program, root},
};

pub(crate) const HELP: &str = "\
cargo xtask bench [--quick] [--only NAME,NAME] [--pairs N] [--rates-only|--costs-only] [--record]

  --quick          fewer and shorter measurements: a few minutes
  --only NAMES     these servers alone, such as tenure,hyper
  --pairs N        how often each pair is measured, 1 to 99
  --rates-only     neither memory nor instructions
  --costs-only     memory and instructions alone
  --record         writes bench/results.md, bench/results.svg

Needs two cores. Takes nginx, valgrind and wrk along where they are installed:
  apt-get install nginx-light valgrind wrk";

pub(crate) fn run(args: &[&str]) -> Result<(), Failure> {
    if args.iter().any(|argument| ["--help", "-h"].contains(argument)) {
        println!("{HELP}");
        return Ok(());
    }
    let tenure = program()?;
    let bench = root().join("bench");
    // Its programs are never mixed with those of the workspace, wherever cargo has been told to build.
    let target = tenure.parent().and_then(|release| release.parent()).ok_or("no target directory")?.join("bench");
    let mut build = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    build.current_dir(&bench).args(["build", "--release", "--locked", "--target-dir"]).arg(&target);
    eprintln!("building the servers (the first time takes some minutes) …");
    if !build.status()?.success() {
        return Err("the bench cannot be built".into());
    }
    let record = args.contains(&"--record");
    let out = if record { bench.clone() } else { target.clone() };
    let mut runner = Command::new(target.join("release/bench-runner"));
    runner.args(args.iter().filter(|&&argument| argument != "--record")).arg("--out").arg(out);
    if !runner.arg("--tenure").arg(tenure).status()?.success() {
        return Err("the bench has failed".into());
    }
    Ok(())
}
