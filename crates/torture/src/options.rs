//! What is asked for.

pub(crate) const HELP: &str = "\
cargo xtask torture [--port linux|tokio] [--minutes N | --lives N] [--seed S]

  --port linux|tokio   that port alone: both, one after the other
  --minutes N          for how long, per port: 1
  --lives N            how many servers' lives instead, per port
  --seed S             what the clients' scripts and the settings follow from: 0";

/// A port to torture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Port {
    Linux,
    Tokio,
}

impl Port {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Port::Linux => "linux",
            Port::Tokio => "tokio",
        }
    }
}

/// How long it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    Minutes(u64),
    Lives(u64),
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) ports: Vec<Port>,
    pub(crate) bound: Bound,
    pub(crate) seed: u64,
}

impl Options {
    pub(crate) fn parse(args: &[&str]) -> Result<Options, String> {
        let mut options = Options { ports: vec![Port::Linux, Port::Tokio], bound: Bound::Minutes(1), seed: 0 };
        for pair in args.chunks(2) {
            let number = |text: &str| text.parse().map_err(|_| format!("{text} is no number: {} takes one", pair[0]));
            match *pair {
                ["--port", "linux"] => options.ports = vec![Port::Linux],
                ["--port", "tokio"] => options.ports = vec![Port::Tokio],
                ["--minutes", text] => options.bound = Bound::Minutes(number(text)?),
                ["--lives", text] => options.bound = Bound::Lives(number(text)?),
                ["--seed", text] => options.seed = number(text)?,
                _ => return Err(format!("{}: no such option\n\n{HELP}", pair.join(" "))),
            }
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_parsed_or_refused() {
        let parsed = |args: &str| Options::parse(&args.split_whitespace().collect::<Vec<_>>());
        let both = vec![Port::Linux, Port::Tokio];
        assert_eq!(parsed(""), Ok(Options { ports: both.clone(), bound: Bound::Minutes(1), seed: 0 }));
        let linux = Options { ports: vec![Port::Linux], bound: Bound::Minutes(10), seed: 7 };
        assert_eq!(parsed("--port linux --minutes 10 --seed 7"), Ok(linux));
        assert_eq!(parsed("--lives 5"), Ok(Options { ports: both, bound: Bound::Lives(5), seed: 0 }));
        for refused in ["--port embassy", "--port", "--minutes x", "--seed -1", "--lives", "now"] {
            assert!(parsed(refused).is_err(), "{refused}");
        }
    }
}
