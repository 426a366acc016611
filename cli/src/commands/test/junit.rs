//! Results as the XML that CI systems read: a suite per file, a case per case.
//!
//! The shape is that of Jenkins' and GitLab's readers: `testsuites/testsuite/testcase/failure`.

use std::fmt::Write;

use runbook_core::diagnostic::Diagnostic;
use runbook_core::diagnostic::render::{self, Look};
use runbook_engine::catalogue::Catalogue;
use runbook_engine::suite::Report;

pub fn document<'r>(reports: impl Iterator<Item = (&'r Catalogue, &'r Report)>) -> String {
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"runbook\">\n");
    // Writing into a string does not fail.
    for (catalogue, report) in reports {
        let told = |fault: &Diagnostic| catalogue.source(&fault.source).map(|source| render::to_text(fault, source, Look::Plain));
        if !report.faults.is_empty() {
            let count = report.faults.len();
            let _ = writeln!(xml, "  <testsuite name=\"catalogue\" tests=\"{count}\" failures=\"0\" errors=\"{count}\">");
            for fault in &report.faults {
                let (name, message) = (escaped(fault.code.as_str()), escaped(&fault.message));
                let text = escaped(&told(fault).unwrap_or_default());
                let _ = writeln!(xml, "    <testcase classname=\"{}\" name=\"{name}\">", escaped(&fault.source));
                let _ = writeln!(xml, "      <error message=\"{message}\">{text}</error>\n    </testcase>");
            }
            xml.push_str("  </testsuite>\n");
        }
        for file in &report.files {
            let failed = file.cases.iter().filter(|case| !case.faults.is_empty()).count();
            let (name, tests) = (escaped(&file.file), file.cases.len());
            let _ = writeln!(xml, "  <testsuite name=\"{name}\" tests=\"{tests}\" failures=\"{failed}\" errors=\"0\">");
            for case in &file.cases {
                let _ = write!(xml, "    <testcase classname=\"{}\" name=\"{}\"", escaped(&file.procedure), escaped(&case.name));
                let Some(first) = case.faults.first() else {
                    xml.push_str("/>\n");
                    continue;
                };
                let text: Vec<String> = case.faults.iter().filter_map(told).collect();
                let (message, text) = (escaped(&first.message), escaped(&text.join("\n")));
                let _ = writeln!(xml, ">\n      <failure message=\"{message}\">{text}</failure>\n    </testcase>");
            }
            xml.push_str("  </testsuite>\n");
        }
    }
    xml.push_str("</testsuites>\n");
    xml
}

/// Text as it may stand in an element or an attribute. What XML cannot hold at all becomes `�`.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_text_is_markup() {
        assert_eq!(escaped("<a b=\"1\">&\u{1b}[31m\n\u{ffff}é"), "&lt;a b=&quot;1&quot;&gt;&amp;\u{fffd}[31m&#10;\u{fffd}é");
    }
}
