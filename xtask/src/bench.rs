//! The bench beside other servers: a workspace of its own, built and run from here.

use std::{fs, process::Command};

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
  --record         writes bench/results.md, bench/results.svg and the README's table

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
    if record {
        let readme = root().join("README.md");
        let table = fs::read_to_string(bench.join("results.md"))?;
        let text = with_table(&fs::read_to_string(&readme)?, &table);
        fs::write(readme, text.ok_or_else(|| format!("the README has no place for it: {BEGIN} … {END}"))?)?;
    }
    Ok(())
}

/// What stands around the table in the README.
const BEGIN: &str = "<!-- bench -->";
const END: &str = "<!-- /bench -->";

/// The text with that table and the picture in place of those between the marks; `None`: it has no marks.
fn with_table(readme: &str, table: &str) -> Option<String> {
    let (before, rest) = readme.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    let picture = "![Requests a processor second, relative to the limit](bench/results.svg)";
    Some(format!("{before}{BEGIN}\n{picture}\n\n{}\n{END}{after}", table.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::with_table;

    #[test]
    fn the_table_stands_between_its_marks() {
        let once = with_table("a\n<!-- bench -->\nold\n<!-- /bench -->\nz\n", "| new |\n\n").unwrap();
        assert!(
            once.starts_with("a\n<!-- bench -->\n![") && once.ends_with("\n\n| new |\n<!-- /bench -->\nz\n"),
            "{once}"
        );
        assert_eq!(with_table(&once, "| new |\n"), Some(once.clone()), "twice is as once");
        for readme in ["", "<!-- bench -->", "<!-- /bench --> <!-- bench -->"] {
            assert_eq!(with_table(readme, "new"), None, "{readme}");
        }
    }
}
