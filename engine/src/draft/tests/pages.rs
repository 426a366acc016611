//! What becomes of a page of Markdown.

use std::collections::BTreeSet;

use super::*;

#[test]
fn parts_of_a_page_become_steps() {
    for (what, page, expected) in [
        (
            "a heading with one thing to do",
            "# T\n\n## Stop it\n\nAll of it:\n\n```sh\nstop all\n```\n",
            &["stop_it (Stop it): run stop all"][..],
        ),
        (
            "a heading with several",
            "## Restart\n\nFirst stop:\n\n```\nsystemctl stop web\n```\n\n```bash\nsystemctl start web\n```\n",
            &[
                "restart (Restart): group",
                "  first_stop (First stop): run systemctl stop web",
                "  systemctl_start_web: run systemctl start web",
            ],
        ),
        (
            "an ordered list, item by item",
            "## By hand\n1. Open the panel.\n2. Press the *red* button.\n",
            &[
                "by_hand (By hand): group",
                "  open_the_panel: manual Open the panel.",
                "  press_the_red_button: manual Press the *red* button.",
            ],
        ),
        (
            "a list to tick off",
            "- [ ] lights off\n- [x] door shut\n",
            &["lights_off: manual lights off", "door_shut: manual door shut"],
        ),
        (
            "commands within a list",
            "1. Look:\n\n   ```sh\n   df -h\n   ```\n2. Think.\n",
            &["look (Look): run df -h", "think: manual Think."],
        ),
        ("a list that only tells", "## Think\n\n- of this\n- or that\n", &["think (Think): manual - of this\n- or that"]),
        (
            "a session, without its prompts and what it prints",
            "```console\n$ uptime\n up 3 days\n$ df -h \\\n>   /var\n/dev/sda1 90%\n```\n",
            &["uptime: run uptime", "df: run df -h \\\n  /var"],
        ),
        (
            "the prompt of a host",
            "```\n[root@db-1 ~]# systemctl restart db\n```\n",
            &["systemctl_restart_db: run systemctl restart db"],
        ),
        (
            "code of another language",
            "Apply:\n\n```sql\nselect 1;\n```\n",
            &["apply_sql_select_1: manual Apply:\n\n```sql\nselect 1;\n```"],
        ),
        (
            "a message that is called shell",
            "```bash\nFailed to start: no space\n```\n",
            &["bash_failed_to_start_no_space: manual ```bash\nFailed to start: no space\n```"],
        ),
        ("what needs a keyboard", "```sh\nssh db-1\n```\n", &["ssh_db_1: manual ```sh\nssh db-1\n```"]),
        (
            "what another program calls templates",
            "```sh\ndocker ps --format '{{.Names}} {{json .}}'\n```\n",
            &["docker_ps: run docker ps --format '\\{{.Names}} \\{{json .}}'"],
        ),
        ("braces in prose", "Say {{hello}}.\n", &["say_hello: manual Say \\{{hello}}."]),
        (
            "what is left open",
            "```sh\nping -c 1 <host>\nssh-keyscan YOUR_HOST {{port}}\n```\nLook at <host>.\n",
            &[
                "ping: run ping -c 1 {{inputs.host}}\nssh-keyscan {{inputs.your_host}} {{inputs.port}}",
                "look_at_host: manual Look at {{inputs.host}}.",
            ],
        ),
        (
            "what would be read as code is for a person",
            "```sh\npsql -c \"drop table <table>\"\n```\n",
            &["psql_drop_table: manual ```sh\npsql -c \"drop table {{inputs.table}}\"\n```"],
        ),
        (
            "a way back",
            "## Change\n\n```sh\nflip on\n```\n\n## Look\n\n```sh\nflip show\n```\n\n## Rollback\n\n```sh\nflip off\n```\n",
            &[
                "change_2: group",
                "  change (Change): run flip on",
                "  look (Look): run flip show",
                "~ rollback (Rollback): run flip off",
            ],
        ),
        ("a quote with commands in it", "> Note:\n>\n> ```sh\n> df -h\n> ```\n", &["note (Note): run df -h"]),
        ("a heading without anything", "## Nothing\n", &["nothing: manual Nothing"]),
        ("a page that only explains", "# T\n\n## Overview\n\nOf it.\n", &["overview_of_it: manual ## Overview\n\nOf it."]),
        ("a link in a heading", "## See [it](http://a)\n\nx\n", &["see_it_http_a (See it (http://a)): manual x"]),
        ("setext headings", "Title\n=====\n\nPart\n----\n\nDo it.\n", &["part (Part): manual Do it."]),
    ] {
        assert_eq!(steps(&markdown(page)), expected, "{what}");
    }
}

#[test]
fn what_explains_becomes_the_description() {
    let draft = markdown(
        "---\ntitle: old\n---\n# Restart the *web*\n\nWhen it hangs.\n\n## Overview\n\nA [link][1].\n\n## Do\n\nIt.\n\n## References\n- [a](http://b)\n\n[1]: http://c\n",
    );
    assert_eq!(steps(&draft), ["do (Do): manual It."]);
    for part in [
        "title: Restart the web",
        "When it hangs.",
        "## Overview",
        "A [link][1].",
        "- [a](http://b)",
        "[1]: http://c",
        "# title: old",
    ] {
        assert!(draft.text.contains(part), "{part}:\n{}", draft.text);
    }
}

#[test]
fn output_and_variables_keep_their_place() {
    let draft = markdown(
        "```sh\nNS=prod\nkubectl get pods -n $NS\n```\n\nIt prints:\n\n```\nNAME  READY\nweb   1/1\n```\n\n```sh\nkubectl delete pod $POD -n $NS\n```\n",
    );
    for part in [
        "example:\n      stdout: |\n        NAME  READY\n",
        "# It prints:",
        "POD: inputs.pod",
        "NS: inputs.ns",
        "default: \"prod\"",
    ] {
        assert!(draft.text.contains(part), "{part}:\n{}", draft.text);
    }
    assert_eq!(draft.inputs, ["ns", "pod"]);
}

/// A draft tells by itself which of its steps nobody has confirmed, and a run of it asks first.
#[test]
fn every_step_is_reported_until_somebody_confirms_it() {
    let draft = markdown("## A\n\n```sh\nrm -r x\n```\n\n1. one\n2. two\n\n## Rollback\n\n```sh\nmv y x\n```\n");
    assert_eq!(draft.open, 4);
    let (_, document, _) = load_bytes("try.yaml", draft.text.as_bytes());
    let Some(Document::Procedure(procedure)) = document else { panic!("no procedure") };
    let found = check(&procedure, &Catalogue::default(), &CheckOptions::default()).1;
    let codes: Vec<&str> = found.iter().map(|fault| fault.code.as_str()).collect();
    // What takes back is confirmed with what it takes back.
    assert_eq!(codes, ["RB0206"; 3]);
}

/// What a page says of some case, or of no way back, must not become what is always done, or a way back.
#[test]
fn what_is_done_only_in_some_case_is_said() {
    const DEPENDS: &str = "# confirm: it reads as if it were done only in some case";
    for (page, said) in [
        ("## If it fails\n\n```sh\nput -b\n```\n", DEPENDS),
        ("## 3. Otherwise\n\n1. put it back\n2. wait\n", DEPENDS),
        ("If it hangs:\n\n```sh\nput -b\n```\n", DEPENDS),
        ("```sh\nput\n```\n\nOtherwise:\n\n1. Tell somebody.\n", DEPENDS),
        ("```sh\nput\n```\n\nIf it fails, call somebody.\n", DEPENDS),
        ("```sh\nput -b\n```\n\n## Rollback\n\nThere is no way back.\n", "# confirm: the source names no way back"),
    ] {
        let draft = markdown(page);
        assert_eq!(draft.text.matches(said).count(), 1, "{page}\n{}", draft.text);
        assert!(!draft.text.contains("undo:\n"), "{}", draft.text);
    }
    let draft = markdown("## Put\n\nIt lifts:\n\n```sh\nkubectl -n shop get pods\n```\n");
    assert!(!draft.text.contains(DEPENDS) && draft.text.contains("it seems only to look"), "{}", draft.text);
}

#[test]
fn secrets_of_a_page_are_not_written() {
    let draft = markdown(
        "The password is hunter2-and-more.\n\n```sh\nmysql -u root -phunter2-and-more < a.sql\n```\n\n```yaml\npassword: hunter2-and-more\ntoken: abc-def-123\n```\n",
    );
    for secret in ["hunter2", "and_more", "abc-def-123"] {
        assert!(!draft.text.contains(secret), "{secret}:\n{}", draft.text);
    }
    assert!(draft.text.contains("run: mysql -u root -p\"${PASSWORD}\" < a.sql"), "{}", draft.text);
}

#[test]
fn a_secret_that_the_prose_tells_is_not_written() {
    for said in [
        "The admin password: `Wint3r2024!`.",
        "password: Wint3r2024!",
        "Password: **Wint3r2024!**",
        "The password is Wint3r2024! now",
        "Passwort: Wint3r2024!",
        "pw = Wint3r2024!, as ever",
        "password=Wint3r2024!",
        "The token is \"Wint3r2024!\".",
        "The password is: Wint3r2024!",
        "The new password was Wint3r2024!",
    ] {
        let draft = markdown(&format!("{said}\n\n```sh\nuptime\n```\n"));
        assert!(!draft.text.contains("Wint3r") && !draft.text.contains("2024"), "{said}:\n{}", draft.text);
    }
    for said in ["The password is rotated daily.", "Password: see the vault.", "The token is `kubectl get secret`.", "Secret: none"]
    {
        let draft = markdown(&format!("{said}\n\n```sh\nuptime\n```\n"));
        assert!(draft.text.contains(said), "{said}:\n{}", draft.text);
    }
}

#[test]
fn a_secret_of_several_words_is_not_written() {
    for said in [
        "The password is \"horse battery staple\".",
        "Passphrase: **horse battery staple**",
        "Password: `horse battery staple`, for all.",
        "The passphrase is 'horse battery staple' now",
        "Password: horse battery st4ple",
        "Password: c0rrect horse battery staple",
        "pass = horse battery staple!",
    ] {
        let draft = markdown(&format!("{said}\n\n```sh\nuptime\n```\n"));
        assert!(!draft.text.contains("horse") && !draft.text.contains("battery"), "{said}:\n{}", draft.text);
    }
    for said in [
        "The password is rotated every 90 days.",
        "Password: see the vault, path kv.",
        "The **password** is rotated by the **vault**.",
    ] {
        let draft = markdown(&format!("{said}\n\n```sh\nuptime\n```\n"));
        assert!(draft.text.contains(said), "{said}:\n{}", draft.text);
    }
}

#[test]
fn a_secret_in_the_column_of_a_table_is_not_written() {
    for table in [
        "| user | password |\n|------|----------|\n| app | CANARYplain |\n| web | `CANARY two` |\n",
        "user | Root password | host\n:---|:---:|---\napp | **CANARY9** | db1\nb\\|c | CANARY | db2\n",
        "| API token | for |\n| --- | --- |\n| CANARY-123 | all |\n",
        "| PIN | door |\n|-|-|\n| CANARY1 | north |\n",
        "> | user | passwd |\n> |---|---|\n> | app | CANARY |\n",
    ] {
        let draft = markdown(&format!("## Do\n\n{table}\n```sh\nuptime\n```\n"));
        assert!(!draft.text.contains("CANARY"), "{table}:\n{}", draft.text);
    }
    for table in [
        "| key | value |\n|---|---|\n| port | eighty80 |\n",
        "| token | meaning |\n|---|---|\n| HOST | where it runs |\n",
        "| password file | owner |\n|---|---|\n| /etc/app9 | root |\n",
        "| user | password |\n|---|---|\n| app | in the vault |\n",
    ] {
        let draft = markdown(&format!("## Do\n\n{table}\n```sh\nuptime\n```\n"));
        let kept = table.lines().last().unwrap();
        assert!(draft.text.contains(kept), "{kept}:\n{}", draft.text);
    }
}

/// The words of the next line belong to the next command.
#[test]
fn a_secret_at_the_end_of_a_line_is_that_of_its_command() {
    let draft = markdown(
        "## Do\n\n```sh\naws configure set aws_secret_access_key AKSECRETVALUE1234567\nuptime -p\nhtpasswd -b f user hunter22\nls x\n```\n",
    );
    for kept in ["uptime -p", "ls x", "htpasswd -b f user \"${PASSWORD"] {
        assert!(draft.text.contains(kept), "{kept}:\n{}", draft.text);
    }
    assert!(!draft.text.contains("SECRETVALUE") && !draft.text.contains("hunter22"), "{}", draft.text);
}

/// A part of a secret looks like one too, and stands nowhere by itself.
#[test]
fn a_secret_that_is_told_stands_in_the_draft() {
    let draft = markdown(
        "## Ask\n\n```sh\ncurl -H \"Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abcabcabcabc\" https://u:pass@x.org/\n```\n",
    );
    let declared: Vec<&str> =
        draft.text.lines().filter_map(|line| line.trim().split_once(": {env: ")).map(|(name, _)| name).collect();
    assert_eq!(draft.secrets, declared, "{}", draft.text);
    assert_eq!(declared.len(), 2, "{}", draft.text);
}

#[test]
fn what_no_reader_can_see_is_left_out_and_said() {
    let draft = markdown("\u{feff}## A\u{200b}\r\n\r\n```sh\r\nls\u{a0}-l\r\n```\r\n");
    assert_eq!(steps(&draft), ["a (A): run ls -l"]);
    assert!(draft.text.contains("# 1 character that a reader cannot see was left out."), "{}", draft.text);
}

/// Runbooks as people write them: each word of them stands in the draft.
#[test]
fn nothing_of_a_page_is_lost() {
    for (file, page) in [
        ("deploy", include_str!("samples/deploy.md")),
        ("failover", include_str!("samples/failover.md")),
        ("alert", include_str!("samples/alert.md")),
        ("notes", include_str!("samples/notes.md")),
    ] {
        let draft = markdown(page);
        let lost: Vec<String> = words(page).difference(&words_of(&draft)).cloned().collect();
        assert!(lost.is_empty(), "{file}: {lost:?}");
        assert_eq!(lay_out(&Source::new("try.yaml", draft.text.as_str())).unwrap(), draft.text, "{file}");
        insta::assert_snapshot!(file, draft.text);
    }
}

/// The words of a draft, whichever way YAML writes them.
pub(super) fn words_of(draft: &Draft) -> BTreeSet<String> {
    &words(&draft.text) | &words(&draft.text.replace("\\t", " ").replace("\\n", " "))
}

/// The words of a text; what a fence is called is none, and neither is a number alone, as lists have them.
pub(super) fn words(text: &str) -> BTreeSet<String> {
    // Of a heading its marks are not kept.
    let lower = text.to_lowercase().replace(['`', '*', '~', '_', '\\', '\u{200d}'], "");
    let words = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| word.bytes().any(|b| !b.is_ascii_digit()));
    words.filter(|word| !matches!(*word, "bash" | "sh" | "console" | "shell" | "x")).map(str::to_owned).collect()
}
