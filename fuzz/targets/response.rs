//! See [`tenure_fuzz::response`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tenure_fuzz::response::run(bytes));
