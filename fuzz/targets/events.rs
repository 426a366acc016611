#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| runbook_fuzz::events::events(data));
