//! The bench beside other servers: a workspace of its own, built and run from here.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    Failure,
    server::{program, root, target},
};

pub(crate) const HELP: &str = "\
cargo xtask bench [--websockets|--json|--files] [--quick] [--only NAME,NAME] [--pairs N] [--rates-only|--costs-only] [--record]

  --websockets     WebSockets instead of the adder: echoes and broadcasts
  --json           instructions of a POST of JSON instead
  --files          files of a folder instead, beside nginx
  --quick          fewer and shorter measurements: a few minutes
  --only NAMES     these servers alone, such as tenure,hyper
  --pairs N        how often each pair is measured, 1 to 99
  --rates-only     neither memory nor instructions
  --costs-only     memory and instructions alone
  --record         writes bench/results.md, bench/results.svg; with --websockets, --json, --files
                   bench/websockets.md, json.md, files.md

Needs two cores. Takes nginx, valgrind and wrk along where they are installed, and uWebSockets where there is g++:
  apt-get install nginx-light valgrind wrk g++";

/// What of the bench is enough for an option.
const ONLY: [(&str, &[&str]); 2] =
    [("--json", &["bench-json-tenure", "bench-json-axum", "bench-json-actix"]), ("--files", &["bench-files-tenure"])];

pub(crate) fn run(args: &[&str]) -> Result<(), Failure> {
    if args.iter().any(|argument| ["--help", "-h"].contains(argument)) {
        println!("{HELP}");
        return Ok(());
    }
    let only = ONLY.iter().find(|(option, _)| args.contains(option));
    let tenure = if only.is_some() { PathBuf::new() } else { program()? };
    let bench = root().join("bench");
    // Its programs are never mixed with those of the workspace, wherever cargo has been told to build.
    let target = target().join("bench");
    let mut build = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    build.current_dir(&bench).args(["build", "--release", "--locked", "--target-dir"]).arg(&target);
    // Of the servers only those that take part.
    if let Some((_, servers)) = only {
        build.args(["--package", "bench-runner"]).args(servers.iter().flat_map(|server| ["--package", server]));
    }
    eprintln!("building the servers (the first time takes some minutes) …");
    if !build.status()?.success() {
        return Err("the bench cannot be built".into());
    }
    if args.contains(&"--websockets")
        && let Err(failure) = uwebsockets(&bench, &target)
    {
        eprintln!("uWebSockets is left out: {failure}");
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

/// Compiles the echo on uWebSockets: its sources are in a crate that cargo fetches, of which nothing else is used.
fn uwebsockets(bench: &Path, target: &Path) -> Result<(), Failure> {
    let program = target.join("release/bench-websocket-uws");
    let echo = bench.join("uwebsockets/echo.cpp");
    let built = |path: &Path| fs::metadata(path).and_then(|file| file.modified());
    if built(&program).is_ok_and(|program| built(&echo).is_ok_and(|echo| echo <= program)) {
        return Ok(());
    }
    let mut metadata = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    metadata.args(["metadata", "--locked", "--format-version", "1", "--manifest-path"]);
    let metadata = metadata.arg(bench.join("uwebsockets/Cargo.toml")).output()?;
    let metadata = String::from_utf8(metadata.stdout)?;
    let manifests = metadata.split("\"manifest_path\":\"").filter_map(|rest| rest.split_once('"'));
    let manifest =
        manifests.map(|(path, _)| PathBuf::from(path)).find(|path| path.to_string_lossy().contains("libuwebsockets"));
    let sources = manifest.and_then(|manifest| Some(manifest.parent()?.join("uWebSockets")));
    let sources = sources.ok_or("cargo does not tell where its sources are")?;
    let sockets = sources.join("uSockets/src");
    let objects = target.join("uwebsockets");
    fs::create_dir_all(&objects)?;
    let mut compile = Command::new("gcc");
    compile.current_dir(&objects).args(["-O3", "-flto", "-DLIBUS_NO_SSL", "-std=c11", "-c", "-I"]).arg(&sockets);
    for folder in [sockets.clone(), sockets.join("eventing")] {
        compile.args(with_ending(&folder, "c")?);
    }
    succeed(&mut compile)?;
    let mut link = Command::new("g++");
    link.args(["-O3", "-flto", "-std=c++20", "-DLIBUS_NO_SSL", "-DUWS_NO_ZLIB", "-I"]).arg(sources.join("src"));
    link.arg("-I").arg(&sockets).arg(echo).args(with_ending(&objects, "o")?).arg("-o").arg(program);
    succeed(&mut link)
}

/// The files of a folder that end so.
fn with_ending(folder: &Path, ending: &str) -> Result<Vec<PathBuf>, Failure> {
    let paths = fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path()));
    let mut paths = paths.collect::<Result<Vec<_>, _>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == ending));
    Ok(paths)
}

fn succeed(command: &mut Command) -> Result<(), Failure> {
    let name = command.get_program().to_string_lossy().into_owned();
    // Its warnings are not ours.
    let output = command.output().map_err(|error| format!("{name}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{name} fails:\n{}", String::from_utf8_lossy(&output.stderr)).into())
}
