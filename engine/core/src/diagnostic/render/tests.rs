use super::*;
use crate::diagnostic::Code;

fn source() -> Source {
    Source::new("disk.yaml", "kind: Runbook\nsteps:\n  - run: df\n    timout: 5s\n")
}

fn fault(source: &Source, needle: &str) -> Diagnostic {
    let at = source.text.find(needle).unwrap();
    Diagnostic::new(Code::RB0010, source, Span::new(at, at + needle.len()), format!("a step has no key `{needle}`"))
}

#[test]
fn a_fault_is_shown_as_a_compiler_does() {
    let source = source();
    let at = source.text.find("timout").unwrap();
    let diagnostic = fault(&source, "timout").help("did you mean `timeout`?").replace(Span::new(at, at + 6), "timeout");
    insta::assert_snapshot!(to_text(&diagnostic, &source, Look::Plain));
}

#[test]
fn places_far_apart_are_shown_apart() {
    let text = format!("first: 1\n{}first: 2\n", "#\n".repeat(40));
    let source = Source::new("far.yaml", text.clone());
    let at = text.rfind("first").unwrap();
    let diagnostic = Diagnostic::new(Code::RB0002, &source, Span::new(at, at + 5), "`first` stands twice in the same map")
        .label(Span::new(0, 5), "first here")
        .help("remove one of them");
    insta::assert_snapshot!(to_text(&diagnostic, &source, Look::Plain));
}

#[test]
fn nothing_from_the_file_reaches_the_terminal_raw() {
    let text = "a: \"\u{1b}]0;owned\u{7}\u{202e}txt\"\n";
    let source = Source::new("a\u{1b}[2J.yaml", text);
    let diagnostic = Diagnostic::new(Code::RB0004, &source, Span::new(4, 5), "a \u{1b}[31mred\u{9b} message")
        .reason("why\u{7}")
        .help("do\nthis\u{202e}")
        .replace(Span::new(4, 5), "\u{1b}[H");
    let shown = to_text(&diagnostic, &source, Look::Plain) + &to_line(&diagnostic, &source);
    assert!(!shown.contains(|c: char| (c.is_control() && c != '\n') || c == '\u{202e}'), "{shown:?}");
    assert!(shown.contains("\\u{1b}"), "{shown}");
}

#[test]
fn long_lines_are_cut_around_the_place() {
    let text = format!("a: {}NEEDLE{}\n", "x".repeat(100_000), "y".repeat(100_000));
    let source = Source::new("long.yaml", text);
    let shown = to_text(&fault(&source, "NEEDLE"), &source, Look::Plain);
    assert!(shown.len() < 2_000, "{}", shown.len());
    assert!(shown.contains("…xxx") && shown.contains("NEEDLEyyy"), "{shown}");
    let (line, marks) = (shown.lines().find(|l| l.contains("NEEDLEy")).unwrap(), shown.lines().find(|l| l.contains("^^")).unwrap());
    let column = |text: &str, what: &str| text[..text.find(what).unwrap()].chars().count();
    assert_eq!(column(line, "NEEDLE"), column(marks, "^"));
    assert_eq!(marks.matches('^').count(), "NEEDLE".len());
}

#[test]
fn the_heading_names_the_place_in_the_file() {
    let far = format!("a: 1\nb: {}NEEDLE{}\n", "x".repeat(300), "y".repeat(300));
    for (text, expect) in [
        (far.as_str(), "x.yaml:2:304\n"),
        ("\u{7}\u{7}: NEEDLE\n", "x.yaml:1:5\n"),
        ("NEEDLE: \u{202e}\n", "x.yaml:1:1\n"),
        ("a: 1\r\nü: NEEDLE\r\n", "x.yaml:2:4\n"),
    ] {
        let source = Source::new("x.yaml", text);
        let shown = to_text(&fault(&source, "NEEDLE"), &source, Look::Plain);
        assert!(shown.contains(expect), "{shown}");
    }
}

#[test]
fn every_place_can_be_pointed_at() {
    let text = "é: [a,\r\n  \"b\u{1f600}\", \u{7}]\n\n";
    let source = Source::new("x.yaml", text);
    for start in 0..=text.len() + 2 {
        for end in start..=text.len() + 2 {
            let span = Span::new(start, end);
            let diagnostic =
                Diagnostic::new(Code::RB0010, &source, span, "m").label(Span::new(end, end + 1), "l").replace(span, "r");
            assert!(!to_text(&diagnostic, &source, Look::Colour).is_empty());
            assert!(to_json(&diagnostic, &source).is_object());
        }
    }
}

#[test]
fn json_has_places_from_one() {
    let source = source();
    let diagnostic = fault(&source, "timout").help("did you mean `timeout`?");
    insta::assert_snapshot!(serde_json::to_string_pretty(&to_json(&diagnostic, &source)).unwrap());
}
