//! What is told of a panic, which is always a fault of ours: where it was, and how to go on. Not what it was about: a text that was
//! put together at that moment may hold anything that was in memory, a secret too. Only what stands in the source is repeated.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::Write as _;
use std::panic::{self, Location};

/// From now on, panics are told like this.
pub fn watch() {
    panic::set_hook(Box::new(|panic| {
        let backtrace = Backtrace::capture();
        let mut text = report(panic.location(), panic.payload());
        if backtrace.status() == BacktraceStatus::Captured {
            text.push_str(&format!("{backtrace}\n"));
        }
        // Where nobody reads any more, there is nobody to tell.
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
    }));
}

fn report(place: Option<&Location<'_>>, payload: &dyn Any) -> String {
    let place = place.map(|place| format!(" at {place}")).unwrap_or_default();
    let literal = payload.downcast_ref::<&str>().map(|text| format!(": {text}")).unwrap_or_default();
    format!(
        "error: runbook itself is at fault and panicked{place}{literal}; what is recorded stands; please report this line\n\
         next: runbook runs\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_in_the_source_is_repeated() {
        let place = Location::caller();
        let at = format!("error: runbook itself is at fault and panicked at {place}");
        let secret = "hunter2".to_owned();
        for (payload, expect) in [
            (panic::catch_unwind(|| panic!("no room")), format!("{at}: no room; what")),
            (panic::catch_unwind(move || panic!("no room for {secret}")), format!("{at}; what")),
            (panic::catch_unwind(|| panic::panic_any(7)), format!("{at}; what")),
        ] {
            let told = report(Some(place), &*payload.unwrap_err());
            assert!(told.starts_with(&expect) && told.ends_with("\nnext: runbook runs\n"), "{told}");
            assert!(!told.contains("hunter2"), "{told}");
        }
    }
}
