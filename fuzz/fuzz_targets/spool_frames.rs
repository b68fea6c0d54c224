#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| postroad_spool::fuzzing::spool_frames(input));
