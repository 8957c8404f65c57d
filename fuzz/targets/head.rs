//! See [`tenure_fuzz::head`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tenure_fuzz::head::run(bytes));
