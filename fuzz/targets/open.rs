//! See [`tenure_fuzz::open`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tenure_fuzz::open::run(bytes));
