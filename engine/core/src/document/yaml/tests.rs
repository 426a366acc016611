use crate::diagnostic::Source;

use super::*;
use crate::diagnostic::{Code, Diagnostic};
use crate::document::decode::Reading;

fn read(text: &str) -> (Option<Node>, Vec<Diagnostic>) {
    let source = Source::new("test.yaml", text);
    let reading = Reading::new(&source);
    scan(&reading);
    let node = parse(&reading);
    (node, reading.into_diagnostics().into_sorted())
}

/// The tree in one line: strings in quotes, everything else bare.
fn show(node: &Node) -> String {
    match &node.kind {
        NodeKind::Null => "null".to_owned(),
        NodeKind::Bool(value, _) => value.to_string(),
        NodeKind::Int(value, _) => value.to_string(),
        NodeKind::Float(value, _) => format!("{value:?}"),
        NodeKind::Text(scalar) => format!("{:?}", scalar.value),
        NodeKind::List(items) => format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(", ")),
        NodeKind::Map(entries) => {
            format!("{{{}}}", entries.iter().map(|(k, v)| format!("{}: {}", k.value, show(v))).collect::<Vec<_>>().join(", "))
        }
    }
}

#[test]
fn values_follow_the_core_schema() {
    for (text, expect) in [
        ("[~, null, Null, '']", r#"[null, null, null, ""]"#),
        ("{a: , b:}", "{a: null, b: null}"),
        ("[true, False, TRUE, yes, on, off]", r#"[true, false, true, "yes", "on", "off"]"#),
        ("[12, -3, +4, 012, 0o17, 0x1F, 0o9, 1_000]", r#"[12, -3, 4, 12, 15, 31, "0o9", "1_000"]"#),
        (
            "[1.10, 1e3, .5, -.5, 5., 1.e2, ., e3, 1e, infinity, nan]",
            r#"[1.1, 1000.0, 0.5, -0.5, 5.0, 100.0, ".", "e3", "1e", "infinity", "nan"]"#,
        ),
        ("[.inf, -.INF, .nan]", "[inf, -inf, NaN]"),
        ("[9223372036854775807, 9223372036854775808]", r#"[9223372036854775807, "9223372036854775808"]"#),
        ("['12', \"true\", !!str 5]", r#"["12", "true", 5]"#),
        ("a: |\n  x\n   y\n\nb: >-\n  x\n  y\n", r#"{a: "x\n y\n", b: "x y"}"#),
        ("a: &x {b: 1}\nc: *x\n", "{a: {b: 1}, c: {b: 1}}"),
        ("2026-10-02", r#""2026-10-02""#),
        ("1.2.0", r#""1.2.0""#),
    ] {
        let (node, _) = read(text);
        assert_eq!(node.as_ref().map(show).as_deref(), Some(expect), "{text}");
    }
}

#[test]
fn every_byte_of_a_value_is_found_again() {
    // In each text, every capital letter of the value must stand in the file where `locate` says.
    for text in [
        "a: ABC\n",
        "a: ABC   # comment\n",
        "a: AB\n  CD\n\n  EF\n",
        "a: 'AB''CD'\n",
        "a: 'AB\n\n\n  CD'\n",
        "a: \"A\\tB\\u00e9C\\U0001F600D\\x41E\\\\F\\\"G\"\n",
        "a: \"AB \\\n   CD\n  EF\"\n",
        "a: |\n  AB\n   CD\n\n  EF\n",
        "a: |+\n\n\n  AB\n    CD\n  E\n\n\n",
        "a: |2\n    AB\n  CD\n",
        "a: |-\r\n  AB\r\n  CD\r\n",
        "- - a: |\n     éAC\n     B\n",
    ] {
        let source = Source::new("x", text);
        let (node, faults) = read(text);
        assert_eq!(faults, [], "{text:?}");
        let mut node = node.unwrap();
        while !matches!(node.kind, NodeKind::Text(_)) {
            node = match node.kind {
                NodeKind::List(mut items) => items.remove(0),
                NodeKind::Map(mut entries) => entries.remove(0).1,
                other => panic!("{other:?}"),
            };
        }
        let scalar = node.scalar().unwrap();
        let places = scalar.places(&source);
        let mut letters = 0;
        for (offset, c) in scalar.value.char_indices().filter(|(_, c)| c.is_ascii_uppercase()) {
            let at = places.locate(offset) as usize;
            let found = &text[at..];
            assert!(found.starts_with(c) || (c == 'A' && found.starts_with("\\x41")), "{text:?}: {c} at {at}: {found:?}");
            letters += 1;
        }
        assert!(letters >= 3, "{text:?}");
        for offset in 0..scalar.value.len() + 3 {
            assert!(text.is_char_boundary(places.locate(offset) as usize) || !scalar.value.is_char_boundary(offset));
        }
    }
}

/// It is told as what it is, once for each, and no guess beside it.
#[test]
fn a_conflict_of_git_is_told() {
    let text = "a: 1\n<<<<<<< HEAD\nb: 1\n=======\nb: 2\n>>>>>>> theirs\nc: [\n<<<<<<< HEAD\n=======\nd: 2\n>>>>>>> x\n";
    let (source, (_, faults)) = (Source::new("test.yaml", text), read(text));
    let told: Vec<_> =
        faults.iter().map(|fault| (source.position(fault.span.start).line, fault.message.contains("conflict"))).collect();
    assert_eq!(told, [(2, true), (8, true)], "{faults:?}");
    // Without an end, or in a text of the author's, it is none.
    for text in ["a: 1\n<<<<<<< HEAD\nb: 1\n=======\n", "a: |\n  <<<<<<< HEAD\n  =======\n  >>>>>>> x\nb: [\n"] {
        let (_, faults) = read(text);
        assert!(!faults.is_empty() && faults.iter().all(|fault| !fault.message.contains("conflict")), "{faults:?}");
    }
}

#[test]
fn of_many_faults_of_syntax_it_is_said_that_there_are_more() {
    for (count, told) in [(20, 20), (21, 22), (30, 22)] {
        let text: String = (0..count).map(|n| format!("a{n}: \"b\" in c\n")).collect();
        let (_, faults) = read(&text);
        assert_eq!(faults.len(), told, "{count}: {:?}", faults.last());
        let more = faults.iter().find(|fault| fault.code == Code::RB0005).map(|fault| fault.message.as_str());
        assert_eq!(more, (count > 20).then_some("after 21 faults of syntax the rest is not read"));
    }
}

#[test]
fn spans_cover_exactly_what_was_written() {
    let text = "a: x y  # c\nb: 'q'\nc: [1, {d: e}]\nf:\n  - |\n    lit\n\n  - g: h\ni:\n";
    let (node, faults) = read(text);
    assert_eq!(faults, []);
    let mut seen = Vec::new();
    fn walk(node: &Node, text: &str, seen: &mut Vec<String>) {
        match &node.kind {
            NodeKind::List(items) => items.iter().for_each(|item| walk(item, text, seen)),
            NodeKind::Map(entries) => entries.iter().for_each(|(key, value)| {
                seen.push(format!("{}:", &text[key.span.start as usize..key.span.end as usize]));
                walk(value, text, seen);
            }),
            _ => seen.push(text[node.span.start as usize..node.span.end as usize].to_owned()),
        }
    }
    let node = node.unwrap();
    walk(&node, text, &mut seen);
    assert_eq!(seen, ["a:", "x y", "b:", "'q'", "c:", "1", "d:", "e", "f:", "lit", "g:", "h", "i:", ""]);
    let NodeKind::Map(entries) = &node.kind else { panic!("a map") };
    assert_eq!(&text[entries[2].1.span.start as usize..entries[2].1.span.end as usize], "[1, {d: e}]");
    assert_eq!(&text[entries[3].1.span.start as usize..entries[3].1.span.end as usize], "- |\n    lit\n\n  - g: h");
}

#[test]
fn each_fault_of_the_yaml_has_its_code_and_place() {
    for (text, expect) in [
        ("a: 1\na: 2\na: 3\n", &[("RB0002", 2, 1), ("RB0002", 3, 1)][..]),
        ("a: b: c\nd: e: f\n", &[("RB0001", 1, 5), ("RB0001", 2, 5)]),
        ("a: @x\nb: \"\\d\"\nc: `y\nd: {e: 1, e: 2}\n", &[("RB0001", 1, 4), ("RB0001", 2, 5), ("RB0001", 3, 4), ("RB0002", 4, 11)]),
        ("a:\n\t- b\n", &[("RB0001", 2, 2)]),
        ("a: [1, 2\nb: 3\n", &[("RB0001", 2, 2)]),
        ("a: b\n\tc: d\n", &[("RB0001", 2, 1)]),
        ("a: |\n\tb\n", &[("RB0001", 2, 1)]),
        ("a: 'x", &[("RB0001", 1, 4)]),
        ("a: !(b)\nc: \"d\" in e\nf: g: h\n", &[("RB0006", 1, 4), ("RB0001", 2, 8), ("RB0001", 3, 5)]),
        ("a: 'it's'\nb: c: d\n", &[("RB0001", 1, 8), ("RB0001", 2, 5)]),
        ("a: b\n c: d\n", &[("RB0001", 2, 3)]),
        ("a: 'x\nb: 1\n", &[("RB0001", 2, 1)]),
        ("a: {{inputs.x}}\n", &[("RB0006", 1, 4)]),
        ("a: {{inputs.x}} y\nb: {{x}}\nc: d: e\n", &[("RB0006", 1, 4), ("RB0006", 2, 4), ("RB0001", 3, 5)]),
        ("- {{x}} z\n- b: {c: {{x}} y}\n", &[("RB0006", 1, 3), ("RB0006", 2, 10)]),
        ("a: *x\nb: &y [*y]\n", &[("RB0007", 1, 4), ("RB0007", 2, 8)]),
        ("a: 1\n---\nb: 2\n", &[("RB0006", 2, 1)]),
        ("a: !!str 1\nb: !mine [x]\n", &[("RB0006", 1, 4), ("RB0006", 2, 4)]),
        ("%YAML 1.2\n---\na: 1\n", &[("RB0006", 2, 1)]),
        ("? [a]\n: b\n<<: {c: d}\n", &[("RB0006", 1, 3), ("RB0006", 3, 1)]),
        ("", &[("RB0019", 1, 1)]),
        ("# only a comment\n", &[("RB0019", 1, 1)]),
        ("a: \u{202e}b\n# \u{200b}\n", &[("RB0004", 1, 4), ("RB0004", 2, 3)]),
        ("\u{feff}a: b\r\n", &[]),
        ("a\u{a0}b: c\n\"d\\u00ade\": f\n", &[("RB0004", 1, 2), ("RB0004", 2, 3)]),
        ("a: \u{1b}[2J\n", &[("RB0004", 1, 4)]),
    ] {
        let source = Source::new("x", text);
        let (_, faults) = read(text);
        let found: Vec<_> = faults
            .iter()
            .map(|fault| (fault.code.as_str(), source.position(fault.span.start).line, source.position(fault.span.start).column))
            .collect();
        assert_eq!(found, expect, "{text:?}: {faults:?}");
    }
}

#[test]
fn a_fault_of_the_yaml_says_what_to_write() {
    for (text, message, replacement) in [
        ("a: !(b)\n", "a YAML tag has no meaning here", Some("\"!(b)\"")),
        ("a: !(\"b\" in c)\n", "an unquoted text may not begin with `!`", Some("'!(\"b\" in c)'")),
        ("a: \"b\" in c\n", "something stands behind the closing quote", Some("'\"b\" in c'")),
        ("a: 'it's'\n", "something stands behind the closing quote", None),
        ("a: b: c\n", "a `:` followed by a space may not stand in an unquoted text", Some("\"b: c\"")),
        ("a: b\n   c: d\n", "this line is indented as a part of the value above it", None),
        ("a: {b: #{c: 1}}\n", "`{` is not closed: ` #` begins a comment", None),
        ("a: [b\nc: d\n", "a `:` may not stand here", None),
        ("a: |\n\tb\n", "a tab may not stand in indentation", None),
    ] {
        let (_, faults) = read(text);
        let [fault] = faults.as_slice() else { panic!("{text:?}: {faults:?}") };
        let suggested = fault.suggestion.as_ref().map(|suggestion| suggestion.replacement.as_str());
        assert_eq!((fault.message.as_str(), suggested), (message, replacement), "{text:?}");
        assert!(fault.help.is_some(), "{text:?}");
    }
}

#[test]
fn a_duplicate_key_names_the_first() {
    let (_, faults) = read("a: 1\nb:\n  a: 2\na: 3\n");
    let [fault] = faults.as_slice() else { panic!("{faults:?}") };
    assert_eq!(fault.labels[0].span, Span::new(0, 1));
    assert_eq!(fault.span, Span::new(15, 16));
}

/// A file whose reading grew faster than its size would not come back from here.
#[test]
fn hostile_files_are_answered_at_once() {
    let bomb: String = (0..20)
        .map(|n| format!("a{n}: &a{n} [{}]\n", vec![if n == 0 { "x".to_owned() } else { format!("*a{}", n - 1) }; 10].join(", ")))
        .collect();
    let long = "x".repeat(1000 * 1000);
    for (what, text, expect) in [
        ("alias bomb", bomb, Some(Code::RB0003)),
        (
            "long text, many aliases",
            format!("a: &a {}\nb: [{}]\n", "y".repeat(1_000_000), "*a, ".repeat(5_000)),
            Some(Code::RB0003),
        ),
        ("flow depth", "[".repeat(500_000), Some(Code::RB0003)),
        ("block depth", (0..700).map(|n| format!("{}a:\n", " ".repeat(n))).collect(), Some(Code::RB0003)),
        ("sequence depth", "- ".repeat(100_000), Some(Code::RB0003)),
        ("nested anchors", format!("{}x{}", "&a [".repeat(60), "]".repeat(60)), None),
        ("many values", "- x\n".repeat(250_000), Some(Code::RB0003)),
        ("same key", "a: 1\n".repeat(150_000), Some(Code::RB0002)),
        ("huge scalar", format!("a: {long}\n"), None),
        ("huge key", format!("{long}: a\n"), Some(Code::RB0001)),
        ("many faults of syntax", "a: b: c\n".repeat(100_000), Some(Code::RB0001)),
        ("many escapes", format!("a: \"{}\"", "\\d".repeat(500_000)), Some(Code::RB0001)),
        ("many hidden characters", "\u{202e}".repeat(300_000), Some(Code::RB0004)),
        ("open quotes", "'\n".repeat(500_000), Some(Code::RB0001)),
        ("question marks", "? ".repeat(400_000), Some(Code::RB0003)),
    ] {
        let (_, faults) = read(&text);
        match expect {
            Some(code) => assert!(faults.iter().any(|fault| fault.code == code), "{what}: {:?}", faults.first()),
            None => assert_eq!(faults, [], "{what}"),
        }
        assert!(faults.len() <= crate::limits::DIAGNOSTICS + 1, "{what}");
    }
}

#[test]
fn yaml_gives_data() {
    let value = |text: &str| read(text).0.unwrap().to_value();
    assert_eq!(value("{a: [1, 2.5, x, null, '7']}").unwrap().to_plain_json(), serde_json::json!({"a": [1, 2.5, "x", null, "7"]}));
    for wrong in ["[99999999999999999999]", "[.inf]", "{a: .nan}"] {
        assert!(value(wrong).is_err(), "{wrong}");
    }
}
