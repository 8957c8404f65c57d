//! See [`tenure_fuzz::connection`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tenure_fuzz::connection::run(bytes));
