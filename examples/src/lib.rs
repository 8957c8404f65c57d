//! Examples of tenure, one idea each: see the files in `examples/examples`.

/// The programs of the README are tested.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
