//! See [`tenure_fuzz::login`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tenure_fuzz::login::run(bytes));
