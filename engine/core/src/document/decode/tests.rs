//! Whole files: what loads, and every fault of what does not.

use super::*;

fn load(text: &str) -> (Option<Document>, Vec<Diagnostic>) {
    let (document, diagnostics) = document(&Source::new("test.yaml", text));
    (document, diagnostics.into_sorted())
}

#[test]
fn the_example_of_the_format_loads() {
    let (document, diagnostics) = load(include_str!("tests/whole.yaml"));
    assert_eq!(diagnostics, []);
    let Some(Document::Procedure(procedure)) = document else { panic!("a procedure") };
    assert_eq!(procedure.steps.len(), 6);
    assert_eq!(procedure.name.value.as_str(), "pg-replica-lag");
}
