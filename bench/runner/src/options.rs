//! The command line.

use std::path::PathBuf;

use crate::Failure;

/// Where the options are explained.
const HELP: &str = "`cargo xtask bench --help` has all options";

/// What is asked for.
#[allow(clippy::struct_excessive_bools, reason = "each is an option")]
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) quick: bool,
    /// WebSockets instead of the adder.
    pub(crate) websockets: bool,
    /// JSON instead of the adder.
    pub(crate) json: bool,
    /// Files instead of the adder.
    pub(crate) files: bool,
    pub(crate) only: Vec<String>,
    pub(crate) pairs: Option<u32>,
    pub(crate) rates_only: bool,
    pub(crate) costs_only: bool,
    /// Where the table and the picture go, besides the standard output.
    pub(crate) out: Option<PathBuf>,
    /// The program `tenure`.
    pub(crate) tenure: PathBuf,
    /// What a person typed, for the table.
    pub(crate) typed: String,
}

impl Options {
    pub(crate) fn of(args: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let mut options = Options { typed: "cargo xtask bench".to_owned(), ..Options::default() };
        let mut args = args.peekable();
        while let Some(name) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{name} wants a value; {HELP}"));
            match &*name {
                "--quick" => options.quick = true,
                "--websockets" => options.websockets = true,
                "--json" => options.json = true,
                "--files" => options.files = true,
                "--rates-only" => options.rates_only = true,
                "--costs-only" => options.costs_only = true,
                "--only" => options.only = value()?.split(',').map(str::to_owned).collect(),
                "--pairs" => {
                    let number = value()?.parse().ok().filter(|pairs| (1..=99).contains(pairs));
                    options.pairs = Some(number.ok_or("--pairs: give a whole number from 1 to 99")?);
                }
                // Of these two only the xtask knows: no person types them.
                "--out" => options.out = Some(value()?.into()),
                "--tenure" => options.tenure = value()?.into(),
                _ => return Err(format!("{name}: no such option; {HELP}").into()),
            }
        }
        if options.rates_only && options.costs_only {
            return Err(format!("--rates-only and --costs-only leave nothing: give one of them; {HELP}").into());
        }
        if u32::from(options.websockets) + u32::from(options.json) + u32::from(options.files) > 1 {
            return Err(format!("--websockets, --json and --files: give one of them; {HELP}").into());
        }
        if options.json {
            options.typed += " --json";
        }
        if options.files {
            options.typed += " --files";
        }
        if options.websockets {
            options.typed += " --websockets";
        }
        if options.quick {
            options.typed += " --quick";
        }
        if options.rates_only {
            options.typed += " --rates-only";
        }
        if options.costs_only {
            options.typed += " --costs-only";
        }
        if let Some(pairs) = options.pairs {
            options.typed.push_str(" --pairs ");
            options.typed.push_str(&pairs.to_string());
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Result<Options, String> {
        Options::of(line.split_whitespace().map(str::to_owned)).map_err(|error| error.to_string())
    }

    #[test]
    fn options_and_what_is_wrong_of_them() {
        let options = of("--quick --only a,b --pairs 99").unwrap();
        assert_eq!((options.quick, options.only, options.pairs), (true, vec!["a".into(), "b".into()], Some(99)));
        assert_eq!(options.typed, "cargo xtask bench --quick --pairs 99");
        assert_eq!(of("").unwrap().pairs, None);
        assert_eq!(of("--quick --websockets").unwrap().typed, "cargo xtask bench --websockets --quick");
        assert!(!of("").unwrap().websockets);
        let only = |line| of(line).map(|options| (options.rates_only, options.costs_only));
        assert_eq!((only("--rates-only"), only("--costs-only")), (Ok((true, false)), Ok((false, true))));
        assert_eq!(of("--pairs 3 --rates-only").unwrap().typed, "cargo xtask bench --rates-only --pairs 3");
        assert_eq!(
            of("--json").map(|options| (options.json, options.typed)),
            Ok((true, "cargo xtask bench --json".into()))
        );
        assert_eq!(of("--quick --files").unwrap().typed, "cargo xtask bench --files --quick");
        assert_eq!(of("--costs-only").unwrap().typed, "cargo xtask bench --costs-only");
        for (line, wanted) in [
            ("--pairs 0", "from 1 to 99"),
            ("--pairs 100", "from 1 to 99"),
            ("--pairs", "--pairs wants a value"),
            ("--fast", "--fast: no such option"),
            ("--rates-only --costs-only", "leave nothing"),
            ("--json --files", "give one of them"),
            ("--files --websockets", "give one of them"),
        ] {
            assert!(of(line).unwrap_err().contains(wanted), "{line}");
        }
    }
}
