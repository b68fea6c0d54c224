#![no_main]

#[path = "../bodies/data_framing.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|input: &[u8]| body::run(input));
