//! Fuzzing with libFuzzer: the targets of the workspace `fuzz`, built by the compiler at hand.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Failure, server::root};

pub(crate) const HELP: &str = "\
cargo xtask fuzz [TARGET] [OPTIONS]        looks for faults in that target, or in each
cargo xtask fuzz TARGET [OPTIONS] FILE …   runs these inputs alone: reproduces what was found

  TARGET         head, chunked, target, connection, response, files, websocket, open, json, values, login or multipart: see fuzz/src
  --minutes N    how long each target is fuzzed, 1 minute otherwise
  --narrow       built as boards are (--cfg tenure_narrow)
  --asan         with the address sanitizer
  --check        runs each target a fixed number of times from a fixed seed, on inputs of the repository alone";

/// The targets, with how often a check runs each: all together take less than a minute.
const TARGETS: [(&str, u32); 12] = [
    ("head", 60_000),
    ("chunked", 40_000),
    ("target", 60_000),
    ("connection", 15_000),
    ("response", 60_000),
    ("files", 40_000),
    ("websocket", 40_000),
    ("open", 5_000),
    ("json", 20_000),
    ("values", 20_000),
    ("login", 20_000),
    ("multipart", 30_000),
];

/// Bytes of an input at the most. Longer ones show nothing else, and take longer.
const INPUT_BYTES_MAX: u32 = 600;

/// What cargo-fuzz lets the compiler do: coverage is counted, comparisons are told.
const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Cllvm-args=-simplifycfg-branch-fold-threshold=0";

/// What is to be done.
#[derive(Default)]
struct Options {
    targets: Vec<(&'static str, u32)>,
    minutes: u32,
    narrow: bool,
    asan: bool,
    check: bool,
    /// Inputs to reproduce.
    inputs: Vec<PathBuf>,
}

pub(crate) fn run(args: &[&str]) -> Result<(), Failure> {
    let options = Options::parse(args)?;
    let programs = options.build()?;
    for &(target, runs) in &options.targets {
        let mut fuzzer = Command::new(programs.join(target));
        fuzzer.current_dir(root());
        if !options.inputs.is_empty() {
            succeed(fuzzer.args(&options.inputs), &format!("an input of {target} shows a fault, see above"))?;
            continue;
        }
        // What is found goes into the first folder.
        let found = root().join("target/fuzz").join(if options.check { "check" } else { "corpus" }).join(target);
        if options.check && found.exists() {
            fs::remove_dir_all(&found)?;
        }
        let artifacts = root().join("target/fuzz/artifacts").join(target);
        fs::create_dir_all(&found)?;
        fs::create_dir_all(&artifacts)?;
        if options.check {
            fuzzer.args(["-seed=1".to_owned(), format!("-runs={runs}")]);
        } else {
            fuzzer.arg(format!("-max_total_time={}", 60 * options.minutes));
        }
        fuzzer.args([format!("-max_len={INPUT_BYTES_MAX}"), "-print_final_stats=1".into()]);
        fuzzer.arg(format!("-artifact_prefix={}/", artifacts.display()));
        let help = format!(
            "{target} has a fault. It is reproduced by\n  cargo xtask fuzz {target}{} {}/FILE\nwith the file that is named above",
            options.flags(),
            artifacts.strip_prefix(root()).unwrap_or(&artifacts).display()
        );
        fuzzer.arg(found).arg(Path::new("fuzz/corpus").join(target));
        if options.check {
            // libFuzzer says much: it is of interest where there is a fault.
            let output = fuzzer.output()?;
            if !output.status.success() {
                eprintln!("{}", String::from_utf8_lossy(&output.stderr));
                return Err(help.into());
            }
            println!("{target}: {runs} inputs");
        } else {
            println!("{target}:");
            succeed(&mut fuzzer, &help)?;
        }
    }
    Ok(())
}

impl Options {
    fn parse(args: &[&str]) -> Result<Self, Failure> {
        let mut options = Options { minutes: 1, ..Options::default() };
        let mut args = args.iter();
        while let Some(&arg) = args.next() {
            let target = TARGETS.iter().find(|(target, _)| *target == arg);
            match (arg, target) {
                ("--narrow", _) => options.narrow = true,
                ("--asan", _) => options.asan = true,
                ("--check", _) => options.check = true,
                ("--minutes", _) => {
                    let minutes = args.next().and_then(|minutes| minutes.parse().ok());
                    options.minutes = minutes.ok_or("--minutes wants a whole number")?;
                }
                (_, Some(target)) if options.targets.is_empty() => options.targets.push(*target),
                _ if options.targets.len() == 1 && Path::new(arg).is_file() => {
                    options.inputs.push(Path::new(arg).canonicalize()?);
                }
                _ => return Err(format!("{arg:?} is neither a target nor an option nor a file\n\n{HELP}").into()),
            }
        }
        if options.targets.is_empty() {
            options.targets = TARGETS.to_vec();
        }
        Ok(options)
    }

    /// Builds the targets, and returns where they are.
    fn build(&self) -> Result<PathBuf, Failure> {
        let mut flags = FLAGS.to_owned();
        let mut directory = root().join("target/fuzz/build");
        let mut build = Command::new(env::var_os("CARGO").unwrap_or("cargo".into()));
        if self.narrow {
            flags.push_str(" --cfg tenure_narrow");
            directory.push("narrow");
        }
        if self.asan {
            // The stable compiler has the sanitizer but does not offer it.
            flags.push_str(" -Zsanitizer=address");
            build.env("RUSTC_BOOTSTRAP", "1");
            directory.push("asan");
        }
        let host = host()?;
        // With a target of its own, build scripts and macros are built without the flags.
        build.current_dir(root().join("fuzz")).env("RUSTFLAGS", flags).args([
            "build",
            "--release",
            "--locked",
            "--quiet",
        ]);
        build.args(["--target", &host, "--target-dir"]).arg(&directory);
        if let [(target, _)] = self.targets[..] {
            build.args(["--bin", target]);
        }
        succeed(&mut build, "the fuzz targets cannot be built")?;
        Ok(directory.join(host).join("release"))
    }

    /// The options that the targets were built with.
    fn flags(&self) -> String {
        [(self.narrow, " --narrow"), (self.asan, " --asan")]
            .iter()
            .filter(|(is, _)| *is)
            .map(|(_, flag)| *flag)
            .collect()
    }
}

fn succeed(command: &mut Command, otherwise: &str) -> Result<(), Failure> {
    if command.status()?.success() { Ok(()) } else { Err(otherwise.into()) }
}

/// The machine that this is, as the compiler names it.
fn host() -> Result<String, Failure> {
    let output = Command::new("rustc").arg("-vV").output()?;
    let text = String::from_utf8(output.stdout)?;
    Ok(text.lines().find_map(|line| line.strip_prefix("host: ")).ok_or("rustc does not name its host")?.to_owned())
}
