//! The bounds of what one step does, tried: what `check` takes can run, whatever it is made of, and one byte more is refused.

use super::{Desk, procedure};

/// What a step does as it is recorded, without its values: as docs/format.md says.
const BYTES: usize = 60 * 1024;

/// The bytes of a text in the record.
fn recorded(text: &str) -> usize {
    serde_json::to_string(text).unwrap().len() - 2
}

/// A script of exactly so many bytes in the record: `line` again and again, and a comment.
fn script(line: &str, bytes: usize, comment: &str, [given, taken]: [&str; 2]) -> String {
    let taken = recorded(taken);
    let lines = (bytes - taken - 100) / recorded(line);
    let body = line.repeat(lines);
    let rest = bytes - taken - recorded(&body) - comment.len() - recorded("\n");
    format!("{body}{comment}{}\n{given}", "x".repeat(rest))
}

#[test]
fn the_longest_step_runs_and_a_longer_one_is_refused() {
    let text = |text: &str| serde_json::to_string(text).unwrap();
    // A value becomes the name of a variable, and the last line ends without a line end of its own.
    let shell = |line: &str, bytes| {
        let script = script(line, bytes, "#", ["printf %s {{inputs.x}}", "printf %s \"${RB_1}\""]);
        format!("run: {}", text(&script))
    };
    let shapes: [(&str, &dyn Fn(usize) -> String); 6] = [
        ("of plain lines", &|bytes| shell("true; true; true; true; true; true\n", bytes)),
        ("of signs", &|bytes| shell(": \"\" \\\\ \"\" \\\\\n", bytes)),
        ("of values", &|bytes| {
            let written = ": \"${RB_1}\" ''\"${RB_1}\"''\n";
            let lines = (bytes - 100) / recorded(written);
            let rest = bytes - lines * recorded(written) - 1;
            format!("run: {}", text(&format!("{}#{}", ": {{inputs.x}} '{{inputs.x}}'\n".repeat(lines), "x".repeat(rest))))
        }),
        ("of arguments", &|bytes| format!("exec: [echo, {}, {}]", text(&"a".repeat(bytes - 4 - 100)), text(&"\"".repeat(50)))),
        ("of rhai", &|bytes| format!("rhai: {}", text(&script("let a = \"\";\n", bytes, "//", ["7", "7"])))),
        ("of a message", &|bytes| format!("notify: {{to: post, message: {}}}", text(&"m".repeat(bytes)))),
    ];
    for (of, step) in shapes {
        let at = |bytes: usize| {
            procedure(&format!("inputs: {{x: {{type: string, default: a}}}}\nsteps:\n  - {}\n    irreversible: No.\n", step(bytes)))
        };
        let workspace = "apiVersion: runbook/v1\nkind: Workspace\nchannels: {post: {log: {}}}\n";
        let desk = Desk::new(&[("workspace.yaml", workspace), ("try.yaml", &at(BYTES))]);
        desk.run("exec try --yes").exits(0);
        std::fs::write(desk.path("try.yaml"), at(BYTES + 1)).unwrap();
        let said = desk.run("check try").exits(2);
        assert!(
            said.out.contains("RB0018") && said.out.contains(&format!("has {} bytes as it is recorded", BYTES + 1)),
            "{of}: {}",
            said.out
        );
        desk.run("exec try --yes").exits(2);
    }
}
