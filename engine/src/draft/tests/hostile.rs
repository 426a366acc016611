//! Any source becomes a draft or is refused, within bounds.

use runbook_core::expr::is_whole;

use super::*;

fn page(text: &str) -> Result<Draft, Undrafted> {
    from_markdown(&name(), "`a.md`", text.as_bytes())
}

#[test]
fn hostile_sources_are_drafted_or_refused() {
    let many = |part: &str, count: usize| part.repeat(count);
    for (what, text, refused) in [
        ("nothing", String::new(), Some("there is nothing in it that could become a step")),
        ("blanks", many(" \n", 1000), Some("there is nothing in it that could become a step")),
        ("deep quotes", many("> ", 20_000) + "x", None),
        ("deep lists", (0..200).map(|n| format!("{}- x\n", many("  ", n))).collect(), None),
        ("deep emphasis", many("*a ", 20_000), None),
        ("open links", many("[a](", 5_000), None),
        ("open brackets", many("[", 50_000), None),
        ("backticks", (1..300).map(|n| many("`", n) + " ").collect(), None),
        ("fences that never end", many("```sh\nls -l\n", 100), None),
        ("a page of quotes", many("'\"`", 10_000), None),
        (
            "blanks to fill in",
            "```sh\nls -l ".to_owned() + &(0..2000).map(|n| format!("<a{n}> ")).collect::<String>() + "\n```\n",
            None,
        ),
        (
            "passwords",
            "```sh\n".to_owned() + &(0..500).map(|n| format!("tool --password=Secret{n}\n")).collect::<String>() + "```\n",
            Some("more than 200 values in it look like secrets"),
        ),
        ("the same name for all", many("password=password=", 3000), None),
        ("braces", many("{{", 20_000), None),
        ("braces behind backslashes", many("\\{{x}} \\\\{{y}} {{{z}}} ", 500), None),
        ("many steps", many("```sh\nls -l\n```\n\n", 1500), Some("1500 steps would come of it, and a draft has at most 1000")),
        ("a long line", many("word ", 12_000), None),
        ("a text beyond what a procedure holds", many("word ", 20_000), Some("a text in it is longer than")),
        (
            "a head too long to be looked through",
            format!("---\npassword: hunter2hunter2\n{}\n---\n# T\n1. do\n", many("a: b\n", 14_000)),
            Some("a text in it is longer than"),
        ),
        (
            "a comment too long to be looked through",
            format!("# T\n\n<!-- password: hunter2hunter2 {} -->\n\n1. do\n", many("word ", 20_000)),
            Some("a text in it is longer than"),
        ),
        ("YAML in the text", "## a: b\n- \"x\n- 'y: #\n- |\n  %TAG !\n--- \n...\n? x\n".to_owned(), None),
        ("headings that are no names", "## \n\n### **\n\n## 12\n\n## ДВА\n\nx\n".to_owned(), None),
        ("text of other scripts", "## 再起動\n\n```sh\n再起動 -f\n```\n\n- [ ] مرحبا\n".to_owned(), None),
        ("a here-document that never ends", "```console\n$ cat <<EOF\n".to_owned() + &many("a 'b\n", 9_000) + "```\n", None),
        (
            "comments of a session",
            "```console\n$ a\n".to_owned() + &many("# a b\n", 60_000) + "$ b\n```\n",
            Some("a text in it is longer"),
        ),
        ("commands that lean on each other", "```console\n".to_owned() + &many("$ cd a\n", 8_000) + "```\n", None),
        ("a shell asked for more", "```console\n$ a \\\n".to_owned() + &many("> b \\\n", 8_000) + "```\n", None),
        ("prompts alone", "```console\n".to_owned() + &many("$ \n# \n% \n> \n", 5_000) + "```\n", None),
        ("prompts of every kind", "```\n# a -b\n[a@b ~]# c '\n➜ d\n% e\n$ f <<G\n```\n".to_owned(), None),
        ("a here-document", "```sh\ncat <<'EOF' > a\n  {{x}} $Y <z>\nEOF\n```\n".to_owned(), None),
    ] {
        match (page(&text), refused) {
            (Ok(draft), None) => drop(steps(&draft)),
            (Err(why), Some(refused)) => assert!(why.to_string().starts_with(refused), "{what}: {why}"),
            (Ok(draft), Some(_)) => panic!("{what} became a draft of {} steps", draft.open),
            (Err(why), None) => panic!("{what}: {why}"),
        }
    }
}

#[test]
fn what_is_no_text_is_refused_with_its_line() {
    for (bytes, refused) in [
        (&b"a\nb\0c\n"[..], "line 2 holds a NUL byte: this is no text"),
        (b"a\n\nb \xff\n", "line 3 is not UTF-8"),
        (b"\xfe\xff\0a", "line 1 holds a NUL byte: this is no text"),
    ] {
        assert_eq!(from_markdown(&name(), "`a.md`", bytes).unwrap_err().to_string(), refused);
        assert_eq!(from_bytes(bytes, Wanted::default()).unwrap_err().to_string(), refused);
    }
    let long = vec![b'a'; limits::DRAFT_BYTES + 1];
    assert_eq!(from_markdown(&name(), "`a.md`", &long).unwrap_err().to_string(), "it is larger than 512 KiB");
    let long = vec![b'\n'; limits::HISTORY_BYTES + 1];
    assert_eq!(from_bytes(&long, Wanted::default()).unwrap_err().to_string(), "it is larger than 16384 KiB");
}

/// What the steps of a draft run.
fn scripts(draft: &Draft) -> Vec<String> {
    fn inside(step: &Step, scripts: &mut Vec<String>) {
        match &step.verb.value {
            Verb::Run(run) => scripts.push(run.script.value.clone()),
            Verb::Group(steps) => steps.iter().for_each(|step| inside(step, scripts)),
            _ => {}
        }
        step.undo.iter().flat_map(|undo| &undo.value).for_each(|step| inside(step, scripts));
    }
    let mut scripts = Vec::new();
    if let Some(Document::Procedure(procedure)) = load_bytes("try.yaml", draft.text.as_bytes()).1 {
        procedure.steps.iter().for_each(|step| inside(step, &mut scripts));
    }
    scripts
}

/// Text of what makes Markdown, shells and templates what they are.
fn text() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        2 => "[a-z]{1,6}",
        1 => prop::sample::select(vec![
            "\n", "\n\n", "# ", "## ", "```console\n$ ", "```console\n# ", "root@a:~# ", "dquote> ", " |\n", " &&\n", "\\\n", "<<'E'\n", "\nE\n", "for i in a; do\n",
            "done\n", "sudo -i\n", "exit\n", "ls -l", "rm ", "- ", "1. ", "> ", "```", "```sh\n", "    ", "\t", "* ", "|", "---\n", "[ ] ", "[a](b)", "<a>", "</a>", "{{", "}}", "{{x}}", "\\", "$", "${X}", "$X", "'", "\"", "`", "#", ": ", ", ", "&", "*x", "!",
            "%", "@", "--password=", "token: ", "<<EOF\n", "EOF\n", "$ ", "~", "=", "YOUR_X", "é", "\u{2028}", "\u{a0}", "\u{200d}", "\r\n", "  ", "[x]: y\n", "Rollback", "ssh a", "cd /x", "export A=", ";", "(", ")", "\u{7f}",
        ]).prop_map(str::to_owned),
    ];
    prop::collection::vec(part, 1..60).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// What is drafted was read and checked on its way; here it must also be in form, lose no word, and never be refused for what it says.
    #[test]
    fn any_page_becomes_a_draft_in_form(text in text()) {
        match page(&text) {
            Ok(draft) => {
                prop_assert!(scripts(&draft).iter().all(|script| is_whole(script)), "{}", draft.text);
                prop_assert_eq!(lay_out(&Source::new("try.yaml", draft.text.as_str())).unwrap(), draft.text.clone());
                if draft.secrets.is_empty() && draft.left_out == 0 {
                    // Words that a link in a heading holds apart may stand together.
                    let text_of = draft.text.to_lowercase().replace('_', "");
                    let has = |word: &String| pages::words_of(&draft).contains(word) || text_of.contains(word.as_str());
                    let lost: Vec<String> = pages::words(&text.replace('\u{7f}', "")).into_iter().filter(|word| !has(word)).collect();
                    prop_assert!(lost.is_empty(), "{lost:?}\n{}", draft.text);
                }
            }
            Err(why) => prop_assert!(matches!(why, Undrafted::Empty), "{why}"),
        }
    }

    #[test]
    fn any_history_becomes_a_draft(text in text()) {
        match from_bytes(text.as_bytes(), Wanted::default()) {
            Ok(draft) => {
                prop_assert!(scripts(&draft).iter().all(|script| is_whole(script)), "{}", draft.text);
                prop_assert_eq!(lay_out(&Source::new("try.yaml", draft.text.as_str())).unwrap(), draft.text);
            }
            Err(why) => prop_assert!(matches!(why, Undrafted::Empty), "{why}"),
        }
    }
}
