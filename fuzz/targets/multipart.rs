//! See [`tenure_fuzz::multipart`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tenure_fuzz::multipart::run(bytes));
