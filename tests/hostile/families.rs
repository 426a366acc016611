//! The table: families of hostile files, each with its parameters.

use std::fmt::Write;

#[derive(Debug)]
pub enum Answer {
    /// No fault.
    Valid,
    /// At least a fault of this code.
    Fault(&'static str),
    /// Faults or none: what matters is that it is answered.
    Any,
}
use Answer::{Any, Fault, Valid};

pub struct Case {
    pub family: &'static str,
    pub name: String,
    pub answer: Answer,
    make: Box<dyn Fn() -> Vec<u8> + Send + Sync>,
}

impl Case {
    pub fn new(family: &'static str, name: &str, answer: Answer, make: impl Fn() -> String + Send + Sync + 'static) -> Case {
        Case { family, name: name.to_owned(), answer, make: Box::new(move || make().into_bytes()) }
    }

    pub fn bytes(&self) -> Vec<u8> {
        (self.make)()
    }
}

#[derive(Default)]
struct Table(Vec<Case>);

impl Table {
    fn add(
        &mut self,
        family: &'static str,
        name: impl Into<String>,
        answer: Answer,
        make: impl Fn() -> String + Send + Sync + 'static,
    ) {
        self.raw(family, name, answer, move || make().into_bytes());
    }

    fn raw(
        &mut self,
        family: &'static str,
        name: impl Into<String>,
        answer: Answer,
        make: impl Fn() -> Vec<u8> + Send + Sync + 'static,
    ) {
        self.0.push(Case { family, name: name.into(), answer, make: Box::new(make) });
    }
}

const HEAD: &str = "apiVersion: runbook/v1\nkind: Runbook\nname: a\nversion: 1.0.0\n";
/// As much as a file may hold, with room for what stands around it.
const WHOLE: usize = 1024 * 1024 - 4096;

fn steps(text: &str) -> String {
    format!("{HEAD}steps:\n{text}\n")
}

/// A literal block under `key` of one step.
fn block(key: &str, rest: &str, code: &str) -> String {
    let lines: String = code.lines().map(|line| format!("      {line}\n")).collect();
    steps(&format!("  - id: s\n    {key}: |\n{lines}    {rest}"))
}

fn expression(source: &str) -> String {
    block("set", "why: x", "").replace("set: |\n", &format!("set:\n      v: |\n        {}\n", source.replace('\n', "\n        ")))
}

fn text(source: &str) -> String {
    block("name", "set: {v: '1'}", source)
}

fn rhai(source: &str) -> String {
    block("rhai", "why: x", source)
}

fn shell(source: &str) -> String {
    block("run", "effect: read", source)
}

fn times(part: &str, count: usize) -> String {
    part.repeat(count)
}

/// `open` × n, a middle, `close` × n.
fn nest(open: &str, middle: &str, close: &str, depth: usize) -> String {
    format!("{}{middle}{}", open.repeat(depth), close.repeat(depth))
}

pub fn all() -> Vec<Case> {
    let mut table = Table::default();
    yaml(&mut table);
    characters(&mut table);
    words(&mut table);
    languages(&mut table);
    shells(&mut table);
    documents(&mut table);
    broken(&mut table);
    table.0
}

fn yaml(table: &mut Table) {
    for (width, depth) in
        [(2, 10), (2, 30), (2, 60), (5, 6), (5, 20), (10, 4), (10, 6), (10, 9), (10, 30), (50, 4), (50, 12), (500, 3)]
    {
        let bomb = move || {
            let mut text = HEAD.to_owned();
            for level in 0..depth {
                let item = if level == 0 { "x".to_owned() } else { format!("*a{}", level - 1) };
                let _ = writeln!(text, "a{level}: &a{level} [{}]", vec![item; width].join(", "));
            }
            text
        };
        let answer = if (width as f64).powi(depth) > 200_000.0 { Fault("RB0003") } else { Fault("RB0010") };
        table.add("alias bomb", format!("{width}^{depth}"), answer, bomb);
    }
    for (bytes, uses) in [(10, 10), (1000, 1000), (1000, 10_000), (100_000, 100), (500_000, 20_000), (900_000, 9)] {
        let answer = if bytes * uses > 4 * 1024 * 1024 { Fault("RB0003") } else { Any };
        table.add("aliases of a long text", format!("{bytes} × {uses}"), answer, move || {
            steps(&format!("  - &a {{run: {}}}\n  - [{}]", times("x", bytes), vec!["*a"; uses].join(",")))
        });
    }
    for (name, text) in [
        ("itself", "a: &a [*a]"),
        ("unknown", "a: *b"),
        ("merge", "<<: {a: b}"),
        ("merge of an alias", "x: &x {a: b}\n<<: *x"),
        ("an anchor as key", "&a a: *a"),
        ("an alias as key", "x: &x y\n*x : z"),
    ] {
        table.add("alias", name, Any, move || format!("{HEAD}{text}\n"));
    }
    for (name, open, close) in [
        ("lists", "[", "]"),
        ("maps", "{a: ", "}"),
        ("both", "[{a: ", "}]"),
        ("block lists", "- ", ""),
        ("keys", "? ", ""),
        ("open lists", "[", ""),
        ("open maps", "{", ""),
        ("closed lists", "", "]"),
        ("anchors", "&a [", "]"),
    ] {
        for depth in [10, 62, 64, 100, 1000, 30_000, 200_000] {
            let depth = depth.min(WHOLE / (open.len() + close.len()).max(1) / 2);
            table.add("depth of YAML", format!("{name} × {depth}"), Any, move || {
                format!("{HEAD}x: \n  {}\n", nest(open, "1", close, depth))
            });
        }
    }
    for depth in [10, 63, 65, 300, 700] {
        table.add("depth of YAML", format!("indented × {depth}"), Any, move || {
            let lines: String = (0..depth).map(|n| format!("{}a:\n", " ".repeat(n))).collect();
            format!("{HEAD}{lines}")
        });
    }
    for count in [2, 100, 10_000, 70_000] {
        table.add("duplicate keys", format!("at the top × {count}"), Fault("RB0002"), move || {
            steps("  - set: {a: '1'}") + &times("owner: x\n", count)
        });
        table.add("duplicate keys", format!("of a step × {count}"), Fault("RB0002"), move || {
            steps(&format!("  - run: x\n{}", times("    why: x\n", count)))
        });
        table.add("duplicate keys", format!("of env × {count}"), Fault("RB0002"), move || {
            steps(&format!("  - run: x\n    env:\n{}", times("      A: '1'\n", count)))
        });
        table.add("duplicate keys", format!("of data × {count}"), Fault("RB0002"), move || {
            steps(&format!("  - run: x\n    effect: read\n    example: {{{}}}", times("a: 1, ", count)))
        });
    }
    for bytes in [5000, 70_000, WHOLE] {
        let long = move || times("x", bytes);
        let folded = move || times("xxxx xxxx xxxx\n      ", bytes / 21);
        for (name, make) in [
            (
                "a plain script",
                Box::new(move || steps(&format!("  - {{effect: read, run: {}}}", long()))) as Box<dyn Fn() -> String + Send + Sync>,
            ),
            ("a quoted script", Box::new(move || steps(&format!("  - {{effect: read, run: \"{}\"}}", long())))),
            ("a literal script", Box::new(move || shell(&long()))),
            ("a folded script", Box::new(move || steps(&format!("  - effect: read\n    run: >\n      {}", folded())))),
            ("many lines of script", Box::new(move || shell(&times("x\n", bytes / 8)))),
            ("a plain text over lines", Box::new(move || steps(&format!("  - set: {{a: '1'}}\n    why: {}", folded())))),
            ("an expression", Box::new(move || expression(&long()))),
            ("a name", Box::new(move || format!("{HEAD}title: {}\nsteps: [{{set: {{a: '1'}}}}]\n", long()))),
            ("an id", Box::new(move || steps(&format!("  - {{id: {}, run: x}}", long())))),
            ("a key", Box::new(move || format!("{HEAD}{}: x\n", long()))),
            ("a quoted key", Box::new(move || format!("{HEAD}\"{}\": x\n", long()))),
            ("a comment", Box::new(move || format!("# {}\n{}", long(), steps("  - set: {a: '1'}")))),
            ("a number", Box::new(move || steps(&format!("  - {{run: x, retry: {{attempts: {}}}}}", times("9", bytes))))),
            ("a duration", Box::new(move || steps(&format!("  - {{run: x, timeout: {}}}", times("1s", bytes / 2))))),
            ("a version", Box::new(move || steps("  - run: x").replace("1.0.0", &times("1.", bytes / 2)))),
            ("an open quote", Box::new(move || steps(&format!("  - run: \"{}", long())))),
            ("escapes", Box::new(move || steps(&format!("  - {{effect: read, run: \"{}\"}}", times("\\u00e9", bytes / 6))))),
            ("wrong escapes", Box::new(move || steps(&format!("  - {{effect: read, run: \"{}\"}}", times("\\d", bytes / 2))))),
        ] {
            table.add("huge scalars", format!("{name}, {bytes} bytes"), Any, make);
        }
    }
    for (name, part) in [
        ("a fault of syntax a line", "a: b: c\n"),
        ("open quotes", "'\n"),
        ("tabs", "\t\n"),
        ("colons", ":\n"),
        ("brackets", "]\n"),
        ("percents", "%a\n"),
        ("dashes", "---\n"),
        ("dots", "...\n"),
        ("stars", "*a\n"),
        ("bangs", "!a\n"),
        ("unknown keys", "x1: y\n"),
        ("carriage returns", "a\r"),
        ("new lines", "\n"),
        ("spaces", " "),
        ("hashes", "#"),
        ("commas", ","),
    ] {
        for count in [100, 1_000_000] {
            let count = count.min(WHOLE / part.len());
            table.add("many", format!("{name} × {count}"), Any, move || format!("{HEAD}{}", times(part, count)));
        }
    }
    for text in [
        "!!str x",
        "!!binary eA==",
        "!mine x",
        "!<tag:x> y",
        "%YAML 1.1\n---\na: b",
        "%TAG ! tag:x:\n---\na: b",
        "a: b\n---\nc: d",
        "a: b\n...\nc: d",
        "!!python/object/apply:os.system [\"id\"]",
        "? a\n: b",
        "? [a]\n: b",
        "a: !!set {x, y}",
        "- !!map {}",
        "&a &b c: d",
        "\u{feff}a: b",
        "a: \u{feff}b",
    ] {
        table.add("parts of YAML", text.replace('\n', "↵"), Any, move || format!("{text}\n"));
    }
}

fn characters(table: &mut Table) {
    let wrong: [&[u8]; 12] = [
        b"\x80",
        b"\xff",
        b"\xfe\xff",
        b"\xc0\xaf",
        b"\xc3",
        b"\xe2\x82",
        b"\xed\xa0\x80",
        b"\xf0\x9f\x98",
        b"\xf4\x90\x80\x80",
        b"\xf8\x88\x80\x80\x80",
        b"\xff\xfea\0",
        b"\xe0\x80\xaf",
    ];
    for bytes in wrong {
        for (name, before, behind) in [
            ("at the start", "", "a: b\n"),
            ("in a key", HEAD, "x: y\n"),
            ("in a script", "steps: [{run: \"echo ", "\"}]\n"),
            ("at the end", HEAD, ""),
        ] {
            table.raw("bad UTF-8", format!("{bytes:02x?} {name}"), Fault("RB0026"), move || {
                [before.as_bytes(), bytes, behind.as_bytes()].concat()
            });
        }
    }
    table.raw("bad UTF-8", "nothing else", Fault("RB0026"), || vec![0xff; WHOLE]);
    table.raw("bad UTF-8", "UTF-16", Fault("RB0004"), || steps("  - run: x").encode_utf16().flat_map(u16::to_le_bytes).collect());
    let hidden = [
        '\u{200b}',
        '\u{200c}',
        '\u{200d}',
        '\u{200e}',
        '\u{200f}',
        '\u{202a}',
        '\u{202b}',
        '\u{202c}',
        '\u{202d}',
        '\u{202e}',
        '\u{2060}',
        '\u{2066}',
        '\u{2067}',
        '\u{2068}',
        '\u{2069}',
        '\u{feff}',
        '\u{ad}',
        '\u{61c}',
        '\u{180e}',
        '\u{e0041}',
        '\u{a0}',
        '\u{2003}',
        '\u{3000}',
        '\u{2028}',
        '\u{2029}',
        '\u{85}',
        '\u{fe0f}',
        '\u{34f}',
    ];
    for c in hidden {
        for (name, make) in [
            ("in an id", format!("  - {{id: \"a{c}b\", set: {{a: '1'}}}}")),
            ("in a key", format!("  - {{\"run{c}\": x}}")),
            ("in a command", format!("  - {{effect: read, run: \"rm {c}file\"}}")),
            ("in an argument", format!("  - {{effect: read, exec: [rm, \"a{c}b\"]}}")),
            ("in an expression", format!("  - {{set: {{a: \"1 +{c} 1\"}}}}")),
        ] {
            let code = if name == "in an id" { Any } else { Fault("RB0004") };
            table.add("invisible and bidi", format!("U+{:04X} {name}", u32::from(c)), code, move || steps(&make));
        }
        table.add("invisible and bidi", format!("U+{:04X} everywhere", u32::from(c)), Any, move || times(&c.to_string(), 200_000));
    }
    for c in (0u8..32).chain([127]).filter(|c| !b"\t\n\r".contains(c)) {
        table.add("control characters", format!("{c:#04x}"), Fault("RB0004"), move || {
            steps(&format!("  - {{effect: read, run: 'x{}y'}}", char::from(c)))
        });
    }
}

fn words(table: &mut Table) {
    for word in ["yes", "no", "on", "off", "y", "n", "Yes", "NO", "On", "OFF", "1", "\"true\"", "~", "null", "Y"] {
        for field in ["idempotent", "not_requester", "required"] {
            table.add("YAML 1.1 booleans", format!("{field}: {word}"), Any, move || match field {
                "idempotent" => steps(&format!("  - {{run: x, idempotent: {word}}}")),
                "required" => format!("{HEAD}inputs: {{a: {{type: string, required: {word}}}}}\nsteps: [{{effect: read, run: 'x {{{{inputs.a}}}}'}}]\n"),
                _ => steps(&format!("  - approve: {{question: x, within: 1h, not_requester: {word}}}")),
            });
        }
    }
    for word in [
        "1:30",
        "0777",
        "0o777",
        "0b11",
        "1_000",
        "+1",
        "1e2",
        ".5",
        ".inf",
        "-.inf",
        ".nan",
        "0x",
        "1e999",
        "99999999999999999999",
        "-1",
        "1.0",
        "2001-12-14t21:59:43.10-05:00",
        "190:20:30",
        "=",
        "<<",
    ] {
        table.add("YAML 1.1 numbers", word, Any, move || steps(&format!("  - {{run: x, retry: {{attempts: {word}, delay: {word}, backoff: {word}}}, timeout: {word}, example: {{a: {word}}}}}")));
    }
}

fn languages(table: &mut Table) {
    let patterns = [
        "(?=a)b(",
        "(?<=a+)b",
        "(?<!x)y",
        "(?!-).*",
        "(a+)+$",
        "(a|a)*$",
        "(a|aa)+$",
        "(a{1000}){1000}",
        "((a{100}){100}){100}",
        "a{0,65535}",
        "(?R)",
        "(a)\\1",
        "\\p{L}{1,1000}",
        "(?i)ſ{500}",
        "[",
        "[^",
        "(?P<x>",
        "\\",
        "(((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((",
        "a**",
        "(?x: a )",
        "(.*a){25}",
        "\\u{110000}",
        "[[:alpha:]&&[^a]]",
    ];
    for pattern in patterns {
        table.add("patterns", pattern, Any, move || {
            format!(
                "{HEAD}inputs: {{a: {{type: string, pattern: '{pattern}', default: '{}', examples: ['{}!']}}}}\nsteps: [{{effect: read, run: 'x {{{{inputs.a}}}}'}}]\n",
                times("a", 3000),
                times("a", 3000)
            )
        });
    }
    table.add("patterns", "long", Fault("RB0025"), || {
        format!("{HEAD}inputs: {{a: {{type: string, pattern: '{}'}}}}\nsteps: [{{run: x}}]\n", times("(a|b)", 100_000))
    });
    for n in [1, 16, 17, 1000, 15_000] {
        for (name, source) in [
            ("if", nest("{{#if run.id}}", "x", "{{/if}}", n)),
            ("each", nest("{{#each run.id}}", "x", "{{/each}}", n)),
            ("open ifs", times("{{#if run.id}}", n)),
            ("open braces", times("{{", n)),
            ("triple braces", times("{{{run.id}}}", n)),
            ("partials", times("{{> x}}", n)),
            ("parentheses", format!("{{{{{}}}}}", nest("(upper ", "run.id", ")", n))),
            ("values", times("{{run.id}}", n)),
            ("escapes", times("\\{{", n)),
            ("comments", times("{{! {{x}} }}", n)),
        ] {
            let source = source.chars().take(WHOLE).collect::<String>();
            table.add("texts", format!("{name} × {n}"), Any, move || text(&source));
        }
    }
    for n in [10, 63, 65, 1000, 200_000] {
        for (name, source) in [
            ("parentheses", nest("(", "1", ")", n)),
            ("lists", nest("[", "1", "]", n)),
            ("maps", nest("#{a: ", "1", "}", n)),
            ("not", format!("{}true", times("!", n))),
            ("minus", format!("{}1", times("-", n))),
            ("sums", format!("1{}", times(" + 1", n))),
            ("powers", format!("2{}", times(" ** 2", n))),
            ("if", nest("if true { ", "1", " } else { 2 }", n)),
            ("members", format!("run{}", times(".a", n))),
            ("indexes", format!("run{}", times("[0]", n))),
            ("closures", nest("[1].map(|x| ", "x", ")", n)),
            ("calls", format!("\"a\"{}", times(".trim()", n))),
            ("open text", format!("\"{}", times("\\\"", n))),
            ("comments", format!("{}1", times("/*", n))),
            ("interpolation", nest("`${", "1", "}`", n)),
        ] {
            let source = source.chars().take(WHOLE / 2).collect::<String>();
            table.add("expressions", format!("{name} × {n}"), Any, move || expression(&source));
        }
        for (name, source) in [
            ("blocks", nest("{", "1", "}", n)),
            ("parentheses", nest("(", "1", ")", n)),
            ("closures", nest("|x| ", "x", "", n)),
            ("called closures", nest("(|x| ", "x", ").call(1)", n)),
            ("functions", (0..n.min(4000)).map(|f| format!("fn f{f}() {{ f{f}() }}\n")).collect()),
            ("if", nest("if true { ", "1", " }", n)),
            ("else if", format!("if true {{ 1 }}{}", times(" else if true { 1 }", n))),
            ("loops", nest("loop { ", "break;", " }", n)),
            ("switch", nest("switch 1 { 1 => ", "1", " }", n)),
            ("interpolation", nest("`${", "1", "}`", n)),
            ("comments", times("/*", n)),
            ("lists", nest("[", "1", "]", n)),
            ("lets", times("let a = 1;\n", n)),
            ("open text", format!("\"{}", times("x", n))),
        ] {
            let source = source.chars().take(WHOLE / 2).collect::<String>();
            table.add("scripts in Rhai", format!("{name} × {n}"), Any, move || rhai(&source));
        }
    }
}

fn shells(table: &mut Table) {
    for n in [1, 100, 20_000] {
        for (name, open, close) in [
            ("single quotes", "'", "'"),
            ("double quotes", "\"", "\""),
            ("substitutions", "$(", ")"),
            ("parameters", "${a:-", "}"),
            ("backticks", "`", "`"),
            ("arithmetic", "$((", "))"),
            ("subshells", "( ", " )"),
            ("groups", "{ ", "; }"),
            ("here-documents", "cat <<A; ", "\nA\n"),
            ("case", "case a in a) ", ";; esac"),
            ("arrays", "a=(", ")"),
            ("dollars", "$'", "'"),
            ("tests", "[[ ", " ]]"),
            ("processes", "<(", ")"),
        ] {
            let source: String = format!("echo {} {{{{run.name}}}}", nest(open, "x", close, n)).chars().take(90_000).collect();
            table.add("quotes of a shell", format!("{name} × {n}"), Any, move || shell(&source));
            let open: String = format!("echo {} {{{{run.name}}}}", times(open, n)).chars().take(90_000).collect();
            table.add("quotes of a shell", format!("open {name} × {n}"), Any, move || shell(&open));
        }
    }
    table.add("quotes of a shell", "holes × 8000", Any, || shell(&times("{{run.id}} ", 8000)));
    let behind = "\necho {{run.name}}";
    let of = |length: usize, part: &str| times(part, length / part.len());
    for (name, script) in [
        ("values", format!("echo {}", of(60_000, "{{run.id}} a "))),
        ("ssh", of(60_000, "ssh a b c d e f g\n")),
        ("ssh in a row", of(60_000, &format!("{}\n", times("ssh ", 900)))),
        ("functions", of(60_000, "f() { g; }; ")),
        ("functions with here-documents", of(60_000, "f() { cat <<E; }\nx {{run.id}}\nE\n")),
        ("functions of many names", (0..1300).map(|n| format!("f{n}() {{ cat <<E; }}\nx {{{{run.id}}}}\nE\n")).collect()),
        ("functions in one another", (0..3500).map(|n| format!("f{n}() {{ ")).collect()),
        ("functions in a chain", (0..2400).map(|n| format!("f{n}() {{ f{}; }}\n", n + 1)).collect()),
        (
            "functions in a chain with a value",
            (0..9).map(|n| format!("f{n}() {{ f{}; }}\n", n + 1)).collect::<String>()
                + "f9() { echo {{run.id}}; }\n"
                + &of(50_000, "f0 | f3\n"),
        ),
        ("files", (0..2000).map(|n| format!("echo {{{{run.id}}}} > a{n}\n")).collect()),
        ("pipes", of(60_000, "ls | ")),
        ("parameters", of(60_000, &format!("{}\n", nest("${a:-", "x", "}", 90)))),
        ("words", of(60_000, "a ")),
    ] {
        // As many of it as a file holds.
        table.add("scripts of a shell", name, Any, move || {
            let lines: String = format!("{script}{behind}").lines().map(|line| format!("      {line}\n")).collect();
            let step = format!("  - effect: read\n    run: |\n{lines}");
            steps(&times(&step, WHOLE / step.len()))
        });
    }
    for part in [
        "{{run.id}} ",
        "{{run.di}} ",
        "{{default run.id 'x'}} ",
        "{{#if run.id}}a{{/if}}\n",
        "{{#if run.id}}a{{/if}} ",
        "{{! a }}\n",
    ] {
        table.add("values in texts", part.trim(), Any, move || text(&of(60_000, part)));
        table.add("values in texts", format!("{} in all", part.trim()), Any, move || {
            let lines: String = of(60_000, part).lines().map(|line| format!("      {line}\n")).collect();
            steps(&times(&format!("  - set: {{a: '1'}}\n    why: |\n{lines}"), WHOLE / (lines.len() + 32)))
        });
    }
}

fn documents(table: &mut Table) {
    for count in [1000, 9999] {
        table.add("large procedures", format!("20000 variables for {count} steps"), Fault("RB0219"), move || {
            let variables: String = (0..20_000).map(|n| format!("V{n}: '1', ")).collect();
            format!("{HEAD}defaults: {{env: {{{variables}}}}}\nsteps:\n{}", times("- {exec: [a], env: {A: 1}}\n", count))
        });
    }
    for count in [1000, 9999, 10_001, 45_000] {
        let answer = if count > 10_000 { Fault("RB0219") } else { Valid };
        table.add("large procedures", format!("{count} steps"), answer, move || steps(&times("  - set: {a: '1'}\n", count)));
        table.add("large procedures", format!("{count} ids, each read"), Any, move || {
            steps(
                &(0..count.min(15_000))
                    .map(|n| format!("  - {{id: s{n}, set: {{a: 'steps.s{} ?? 1'}}}}\n", n.saturating_sub(1)))
                    .collect::<String>(),
            )
        });
        table.add("large procedures", format!("{count} jumps"), Any, move || {
            let count = count.min(15_000);
            steps(&(0..count).map(|n| format!("  - {{id: s{n}, next: s{}, set: {{a: '1'}}}}\n", count - 1)).collect::<String>())
        });
        table.add("large procedures", format!("{count} inputs"), Any, move || {
            let inputs: String = (0..count.min(20_000)).map(|n| format!("  i{n}: {{type: string}}\n")).collect();
            format!("{HEAD}inputs:\n{inputs}steps: [{{run: x}}]\n")
        });
        table.add("large procedures", format!("{count} misspelt keys"), Any, move || {
            steps(&format!("  - run: x\n{}", (0..count).map(|n| format!("    timeout{n}: x\n")).collect::<String>()))
        });
        table.add("large procedures", format!("{count} misspelt names"), Any, move || {
            let ids: String = (0..200).map(|n| format!("  - {{id: step_number_{n}, set: {{a: '1'}}}}\n")).collect();
            steps(&format!("{ids}{}", times("  - set: {a: steps.step_numbr_7}\n", count.min(9000))))
        });
    }
    for count in [1000, 9990] {
        let all = move |line: &dyn Fn(usize) -> String| (0..count).map(line).collect::<String>();
        table.add("misspelt names", format!("{count} steps of {count}"), Any, move || {
            steps(&all(&|n| format!("  - {{id: some_step_{n}, set: {{a: steps.sme_step_{n}}}}}\n")))
        });
        table.add("misspelt names", format!("{count} targets of {count}"), Any, move || {
            steps(&all(&|n| format!("  - {{id: some_step_{n}, next: sme_step_{n}, set: {{a: '1'}}}}\n")))
        });
        table.add("misspelt names", format!("{count} inputs of {count}"), Any, move || {
            let inputs = all(&|n| format!("  some_input_{n}: {{type: string}}\n"));
            format!("{HEAD}inputs:\n{inputs}steps:\n{}", all(&|n| format!("  - {{set: {{a: inputs.sme_input_{n}}}}}\n")))
        });
        table.add("misspelt names", format!("{count} people of {count}"), Any, move || {
            let people = all(&|n| format!("  some_person_{n}: {{}}\n"));
            let groups = all(&|n| format!("  g{n}: [sme_person_{n}]\n"));
            format!("apiVersion: runbook/v1\nkind: Workspace\npeople:\n{people}groups:\n{groups}")
        });
    }
    for depth in [5, 20, 30, 100] {
        table.add("deep procedures", format!("groups × {depth}"), Any, move || {
            steps(&format!("- {}", nest("{group: [", "{run: x}", "]}", depth)))
        });
        table.add("deep procedures", format!("choices × {depth}"), Any, move || {
            steps(&format!("- {}", nest("{choose: [{when: 'true', steps: [", "{run: x}", "]}]}", depth)))
        });
        table.add("deep procedures", format!("loops × {depth}"), Any, move || {
            steps(&format!("- {}", nest("{each: {in: '[1]', steps: [", "{run: x}", "]}}", depth)))
        });
        table.add("deep procedures", format!("undo of undo × {depth}"), Any, move || {
            steps(&format!("- {}", nest("{run: x, undo: ", "{run: x}", "}", depth)))
        });
        table.add("deep procedures", format!("items of items × {depth}"), Any, move || {
            format!("{HEAD}inputs: {{a: {}}}\nsteps: [{{run: x}}]\n", nest("{type: list, items: ", "{type: string}", "}", depth))
        });
        table.add("deep procedures", format!("data × {depth}"), Any, move || {
            steps(&format!("- {{run: x, example: {}}}", nest("[", "1", "]", depth)))
        });
    }
    for count in [100, 5000] {
        table.add("large procedures", format!("{count} branches at once"), Any, move || {
            steps(&format!("- parallel: {{{}}}", (0..count).map(|n| format!("b{n}: [{{set: {{a: '1'}}}}], ")).collect::<String>()))
        });
        table.add("large procedures", format!("{count} branches of a choice"), Any, move || {
            steps(&format!("- choose: [{}]", times("{when: 'true', steps: [{set: {a: '1'}}]}, ", count)))
        });
        table.add("large procedures", format!("{count} choices of an input"), Any, move || {
            format!(
                "{HEAD}inputs: {{a: {{type: enum, choices: [{}], default: c7x}}}}\nsteps: [{{run: x}}]\n",
                (0..count).map(|n| format!("c{n}, ")).collect::<String>()
            )
        });
        table.add("large procedures", format!("{count} arguments"), Any, move || {
            steps(&format!("- exec: [{}]", times("a, ", count)))
        });
        table.add("large procedures", format!("{count} calls of nothing"), Fault("RB0301"), move || {
            steps(&times("- call: b@^1\n", count))
        });
        table.add("large procedures", format!("{count} assertions"), Any, move || {
            steps(&format!("- check: [{}]", times("{that: now.year > 1}, ", count)))
        });
    }
    let workspace = "apiVersion: runbook/v1\nkind: Workspace\n";
    for count in [10, 1000, 8000] {
        for (name, make) in [
            (
                "groups in a row",
                Box::new(move || (0..count).map(|n| format!("  g{n}: [g{}]\n", n + 1)).collect::<String>())
                    as Box<dyn Fn() -> String + Send + Sync>,
            ),
            (
                "groups in a circle",
                Box::new(move || (0..count).map(|n| format!("  g{n}: [g{}, g{}]\n", (n + 1) % count, n / 2)).collect()),
            ),
        ] {
            table.add("workspaces", format!("{count} {name}"), Any, move || {
                format!("{workspace}people: {{p: {{}}}}\ngroups:\n{}  g{count}: [p]\n", make())
            });
        }
        table.add("workspaces", format!("{count} people of one user"), Fault("RB0401"), move || {
            format!("{workspace}people:\n{}", (0..count).map(|n| format!("  p{n}: {{users: [same]}}\n")).collect::<String>())
        });
        table.add("workspaces", format!("{count} wrong zones"), Fault("RB0403"), move || {
            format!(
                "{workspace}environments: {{e: {{change_windows: [{}]}}}}\n",
                times("{days: mon-fri, from: '09:00', to: '17:00', zone: Europe/Berln}, ", count)
            )
        });
        table.add("workspaces", format!("{count} values in a channel"), Any, move || {
            format!(
                "{workspace}channels: {{c: {{http: {{url: 'https://x.org', json: {{text: '{}'}}}}}}}}\n",
                times("{{mesage}}", count)
            )
        });
    }
}

/// A right procedure, cut short at many places and with single bytes changed.
fn broken(table: &mut Table) {
    const RIGHT: &str = include_str!("../../cli/src/commands/init/hello.yaml");
    table.add("cut short", "not at all", Valid, || RIGHT.to_owned());
    for part in 0..40 {
        table.add("cut short", format!("at {part}/40"), Any, move || {
            RIGHT.chars().take(RIGHT.chars().count() * part / 40).collect()
        });
    }
    for n in 0..60usize {
        table.raw("a byte changed", n.to_string(), Any, move || {
            let mut bytes = RIGHT.as_bytes().to_vec();
            // A stride that is prime to the length reaches all parts of the file.
            let at = n * 7919 % bytes.len();
            bytes[at] ^= 1 << (n % 8);
            bytes
        });
    }
    for (name, text) in [
        ("empty", ""),
        ("a mark", "\u{feff}"),
        ("white space", " \n\t\n"),
        ("a comment", "# x\n"),
        ("dashes", "---\n"),
        ("dots", "...\n"),
        ("a scalar", "x"),
        ("a list", "[a]"),
        ("NUL", "\0"),
        ("a brace", "{"),
    ] {
        table.add("hardly a file", name, Any, move || text.to_owned());
    }
    table.add("too large", "a byte more", Fault("RB0003"), || times("#", 1024 * 1024 + 1));
    table.add("too large", "as large as can be", Any, || times("#", 1024 * 1024));
    table.add("too large", "16 MiB", Fault("RB0003"), || times("#", 16 * 1024 * 1024));
}
