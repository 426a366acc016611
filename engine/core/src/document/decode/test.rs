//! `kind: Test`: names and places; what the cases say is for the review tooling.

use super::Fields;
use crate::diagnostic::Code;
use crate::document::test::{Case, Test};

pub(super) fn decode(mut fields: Fields) -> Option<Test> {
    let reading = fields.reading;
    fields.describe("a test");
    let procedure = fields.require_text("procedure");
    let nodes = match fields.require("cases") {
        Some(node) => fields.as_list("cases", node).unwrap_or_default(),
        None => &[],
    };
    let mut cases = Vec::new();
    for node in nodes {
        let Some(mut case) = Fields::of(reading, node, "a case") else { continue };
        let name = case.require_text("name");
        let body = case.rest();
        cases.extend(name.map(|name| Case { span: node.span, name, body }));
    }
    let mut names: Vec<_> = cases.iter().map(|case| &case.name).collect();
    names.sort_by(|a, b| (&a.value, a.span).cmp(&(&b.value, b.span)));
    for pair in names.windows(2) {
        if let [first, second] = pair
            && first.value == second.value
        {
            let diagnostic = reading.diagnostic(Code::RB0002, second.span, "two cases have the same name");
            reading.report(diagnostic.label(first.span, "first here").help("rename one of them"));
        }
    }
    let test = Test { source: reading.source().clone(), span: fields.span(), cases, procedure: procedure? };
    fields.finish();
    Some(test)
}
