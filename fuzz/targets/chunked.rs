//! See [`tenure_fuzz::chunked`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tenure_fuzz::chunked::run(bytes));
