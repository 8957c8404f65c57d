//! Nothing: `cargo xtask bench` asks for the sources of the dependency alone.
