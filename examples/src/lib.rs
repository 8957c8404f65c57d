//! Examples of tenure, one idea each: see the files in `examples/examples`.
