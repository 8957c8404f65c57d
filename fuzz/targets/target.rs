//! See [`tenure_fuzz::target`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tenure_fuzz::target::run(bytes));
