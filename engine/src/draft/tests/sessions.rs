//! What becomes of a block with prompts.

use super::*;

fn block(language: &str, text: &str) -> Draft {
    markdown(&format!("```{language}\n{text}\n```\n"))
}

#[test]
fn a_command_of_a_session_is_taken_whole() {
    for (what, session, expected) in [
        (
            "a here-document",
            "$ cat <<EOF > /etc/a.conf\nkey = 1\n\n> other\nEOF\n$ reload a\nreloaded",
            &["cat: run cat <<EOF > /etc/a.conf\nkey = 1\n\n> other\nEOF", "reload_a: run reload a"][..],
        ),
        (
            "a here-document behind prompts",
            "$ psql <<'EOF'\n> select pg_promote();\n>\n>   -- '\n> EOF\n pg_promote\n t",
            &["psql: run psql <<'EOF'\nselect pg_promote();\n\n  -- '\nEOF"],
        ),
        ("quotes over lines", "$ echo 'a\nb' > c\n$ rm d", &["echo_a: run echo 'a\nb' > c", "rm_d: run rm d"]),
        ("as zsh asks for more", "% echo \"a\ndquote> b\"\na\nb", &["echo_a: run echo \"a\nb\""]),
        ("a pipe at the end", "$ cat a |\n    grep b &&\n  rm c\nfound", &["cat_a: run cat a |\n    grep b &&\n  rm c"]),
        ("a backslash at the end", "$ df -h \\\n>   /var\n/dev/sda1 90%", &["df: run df -h \\\n  /var"]),
        ("two backslashes at the end", "$ echo a \\\\\na \\", &["echo_a: run echo a \\\\"]),
        (
            "a loop",
            "$ for h in a b; do\n>   ping -c 1 $h\n> done\n1 received",
            &["for_h_in: run for h in a b; do\n  ping -c 1 $h\ndone"],
        ),
        ("what is printed behind `>`", "$ curl -v a\n> GET / HTTP/1.1\n< 200", &["curl_a: run curl -v a"]),
        ("a table with `%`", "$ curl -O a/b\n  % Total    % Received\n100", &["curl_a_b: run curl -O a/b"]),
        ("indented", "  $ cat <<EOF\n    a\n  EOF\n  a", &["cat: run cat <<EOF\n  a\nEOF"]),
        ("examples that it prints", "$ tool help\nExamples:\n  $ tool rm", &["tool_help: run tool help"]),
        ("a host", "[root@db-1 ~]# stop a\nann@db-1:~$ look b", &["stop_a: run stop a", "look_b: run look b"]),
        ("a letter that is printed", "$ mail -p\nFrom: ann@a.example # not a prompt", &["mail: run mail -p"]),
    ] {
        assert_eq!(steps(&block("console", session)), expected, "{what}");
    }
}

#[test]
fn what_has_no_end_is_for_a_person() {
    for (what, language, text, whole) in [
        ("a quote", "console", "$ echo it's\n$ rm -r a", 0),
        ("a quote that the next command ends", "console", "$ echo it's\n$ echo don't", 0),
        ("a here-document", "console", "$ cat > a <<EOF\nb\n$ rm c", 0),
        ("one whose end has no prompt", "console", "$ cat > a <<EOF\n> b\nEOF", 0),
        ("behind others", "console", "$ stop a\n$ cat <<EOF |\nb", 1),
        ("an operator", "console", "$ stop a &&", 0),
        ("nothing but a shell", "console", "$ sudo -i\n# exit", 0),
        ("a script", "sh", "rm -r a\necho 'b", 0),
        ("a script with a here-document", "bash", "cat <<EOF > a\nb", 0),
        ("a script with a prompt further down", "sh", "stop a\n$ start a", 0),
    ] {
        let draft = block(language, text);
        let steps = steps(&draft);
        assert_eq!(steps.len(), whole + 1, "{what}: {steps:?}");
        let shown: Vec<&str> = text.lines().skip(whole).collect();
        let expected = format!(": manual ```{language}\n{}\n```", shown.join("\n"));
        assert!(steps.last().unwrap().ends_with(&expected), "{what}: {steps:?}");
        assert!(draft.text.contains("# by hand, because "), "{what}: {}", draft.text);
    }
}

#[test]
fn each_command_is_a_step_with_what_it_prints() {
    let draft = block("console", "$ stop a\nstopped\n\n$ look a\n$ start a\nstarting\nstarted\n");
    assert_eq!(steps(&draft), ["stop_a: run stop a", "look_a: run look a", "start_a: run start a"]);
    for part in ["run: stop a\n    example:\n      stdout: |\n        stopped\n", "stdout: |\n        starting\n        started\n"]
    {
        assert!(draft.text.contains(part), "{part}\n{}", draft.text);
    }
    assert_eq!(draft.text.matches("example:").count(), 2, "{}", draft.text);
    let draft = markdown("## Drain\n\nFirst out, then look:\n\n```console\n# comment\n$ out a\n# of it\n$ look b\n```\n");
    assert_eq!(steps(&draft), ["drain (Drain): group", "  out_a: run out a", "  look_b: run look b"]);
    for part in ["First out, then look:\n\n          comment", "why: of it"] {
        assert!(draft.text.contains(part), "{part}\n{}", draft.text);
    }
}

#[test]
fn commands_that_lean_on_each_other_stay_together() {
    for (session, expected) in [
        (
            "$ uptime\nup 3 days\n$ cd /srv\n$ make a\nmade\n$ make b\nmade, too",
            &["uptime: run uptime", "make_a: run cd /srv\nmake a\nmake b"][..],
        ),
        ("$ POD=$(first)\n# see above\n$ drop $POD", &["first: run POD=$(first)\n# see above\ndrop $POD"]),
        ("$ forward -L 1:2 &\n$ curl localhost:1", &["forward: run forward -L 1:2 &\ncurl localhost:1"]),
        ("$ look a\n$ echo $?\n0\n$ look b", &["look_a: run look a\necho $?", "look_b: run look b"]),
        (
            "$ look a\n$ ssh db-1\n$ stop b\n$ exit",
            &["look_a: run look a", "ssh_db_1: manual ```console\n$ ssh db-1\n$ stop b\n$ exit\n```"],
        ),
        ("$ vi /etc/a\n$ reload a", &["vi: manual ```console\n$ vi /etc/a\n```", "reload_a: run reload a"]),
    ] {
        assert_eq!(steps(&block("console", session)), expected, "{session}");
    }
}

/// `# ` begins a comment, and is the prompt of root.
#[test]
fn the_prompt_of_root_is_told_from_a_comment_or_the_doubt_is_said() {
    const ROOT: &str = "it has to run as root";
    const DOUBT: &str = "by hand, because whether `# ` is the prompt of root or begins a comment cannot be told";
    for (what, language, text, expected, said) in [
        (
            "a console of root",
            "console",
            "# systemctl stop a\n# certbot certificates\nFound the following certs:\n# reboot",
            &["systemctl_stop_a: run systemctl stop a", "certbot_certificates: run certbot certificates", "reboot: run reboot"][..],
            ROOT,
        ),
        (
            "without a language",
            "",
            "# systemctl stop a\n# reboot",
            &["systemctl_stop_a: run systemctl stop a", "reboot: run reboot"],
            ROOT,
        ),
        ("a program of their own", "console", "# ourctl drain\nDrained.", &["ourctl_drain: run ourctl drain"], ROOT),
        (
            "a here-document of root",
            "console",
            "# cat > /etc/a <<EOF\n# by hand\nkey = 1\nEOF\n# reboot",
            &["cat: run cat > /etc/a <<EOF\n# by hand\nkey = 1\nEOF", "reboot: run reboot"],
            ROOT,
        ),
        (
            "the prompt of a host",
            "",
            "root@db-1:~# stop a",
            &["stop_a: run stop a"],
            "confirm: it was typed at `root@db-1:~#`, so it may have to run there",
        ),
        (
            "a shell of root",
            "console",
            "$ look -a\n$ sudo -i\n# systemctl stop b\n# exit\n$ look -c",
            &["look: run look -a", "systemctl_stop_b: run systemctl stop b", "look_2: run look -c"],
            "left out: `sudo -i`, which opens a shell of root",
        ),
        (
            "what root prints",
            "console",
            "# cat /etc/a\n# made by hand\nkey: 1",
            &["cat: run cat /etc/a", "made_by_hand: manual ```console\n# made by hand\nkey: 1\n```"],
            DOUBT,
        ),
        (
            "a comment on commands",
            "console",
            "# Stop it\nsystemctl stop a",
            &["systemctl_stop_a: run # Stop it\nsystemctl stop a"],
            "",
        ),
        (
            "a comment on commands that could be one",
            "console",
            "# kill the old one\nsystemctl stop a",
            &["systemctl_stop_a: run # kill the old one\nsystemctl stop a"],
            "is a comment and does not run",
        ),
        (
            "a comment on a program of their own",
            "console",
            "# restart the app\nourctl restart",
            &["restart_the_app: manual ```console\n# restart the app\nourctl restart\n```"],
            DOUBT,
        ),
        (
            "comments of a script",
            "sh",
            "# systemctl stop a\nsystemctl start a",
            &["systemctl_start_a: run # systemctl stop a\nsystemctl start a"],
            "",
        ),
        (
            "nothing but comments",
            "sh",
            "# systemctl stop a",
            &["sh_systemctl_stop_a: manual ```sh\n# systemctl stop a\n```"],
            DOUBT,
        ),
        (
            "among other prompts",
            "console",
            "$ look a\n# systemctl stop a\n$ look b",
            &["look_a: run look a", "systemctl_stop_a: manual ```console\n# systemctl stop a\n```", "look_b: run look b"],
            DOUBT,
        ),
        (
            "at the end of others",
            "console",
            "$ look a\n# systemctl stop a",
            &["look_a: run look a", "systemctl_stop_a: manual ```console\n# systemctl stop a\n```"],
            DOUBT,
        ),
        (
            "in an output",
            "console",
            "$ crontab -l\nMAILTO=a\n# rm -r /b",
            &["crontab: run crontab -l"],
            "confirm: a line of what it prints begins with `# `",
        ),
        (
            "another program",
            "console",
            "postgres=# SELECT 1;",
            &["console_postgres_select_1: manual ```console\npostgres=# SELECT 1;\n```"],
            "",
        ),
    ] {
        let draft = block(language, text);
        assert_eq!(steps(&draft), expected, "{what}");
        assert!(draft.text.contains(said), "{what}: {}", draft.text);
        assert_eq!(
            said.is_empty(),
            !draft.text.contains("# by hand, because whether") && !draft.text.contains("root"),
            "{what}: {}",
            draft.text
        );
    }
    // It is no output of the command before it.
    let draft = markdown("```sh\nlook -a\n```\n\n```\n# ourctl drain\nDrained.\n```\n");
    assert_eq!(steps(&draft), ["look: run look -a", "ourctl_drain: manual ```\n# ourctl drain\nDrained.\n```"]);
    assert!(draft.text.contains(DOUBT), "{}", draft.text);
}

#[test]
fn a_container_without_a_command_opens_a_shell_for_a_person() {
    for (typed, by_hand) in [
        ("docker run -it alpine", true),
        ("docker run --rm -it -v /a:/b --name x alpine:3", true),
        ("sudo docker run --rm -i -t alpine", true),
        ("podman run --interactive --tty --rm alpine", true),
        ("docker run -it alpine sh", true),
        ("docker exec -u root -it web bash", true),
        ("kubectl run -it x --image=alpine", true),
        ("docker run -itd alpine", false),
        ("docker run -it -d alpine", false),
        ("docker run --rm alpine", false),
        ("docker run --rm -it alpine ls /", false),
        ("docker exec -it web ls", false),
        ("kubectl run x --image=alpine", false),
    ] {
        let steps = steps(&block("console", &format!("$ {typed}")));
        assert_eq!(steps.iter().any(|step| step.contains(": manual ")), by_hand, "{typed}: {steps:?}");
    }
}

#[test]
fn what_is_told_as_left_out_is_not_in_the_text_for_a_person() {
    for (what, session, is_told) in [
        ("by hand", "$ cd /srv\n$ sudo su -\n# vim a", false),
        ("on another host", "$ ssh db-1\n$ cd /srv\n$ sudo su -\n# systemctl restart a", false),
        ("in one script", "$ cd /srv\n$ sudo su -\n# systemctl restart a", true),
        ("before the first", "$ sudo su -\n# vim a", true),
    ] {
        let draft = block("console", session);
        let is_shown = draft.text.lines().any(|line| !line.trim_start().starts_with('#') && line.contains("sudo su -"));
        assert_eq!(draft.text.contains("left out: `sudo su -`"), is_told, "{what}: {}", draft.text);
        assert!(is_shown != is_told, "{what}: {}", draft.text);
    }
}

#[test]
fn what_an_end_prints_is_no_output_of_the_command_before_it() {
    let draft = block("console", "$ sudo -i\n# systemctl status a\nactive\n# exit\nlogout\n$ look c\nfine");
    let printed = |text: &str| draft.text.contains(&format!("stdout: |\n        {text}\n"));
    assert!(printed("active") && printed("fine") && !draft.text.contains("logout"), "{}", draft.text);
}

#[test]
fn a_value_that_could_be_an_option_stands_behind_two_dashes() {
    for (typed, script) in [
        ("ssh <host> uptime", "ssh -- {{inputs.host}} uptime"),
        ("ssh \"<host>\" uptime", "ssh -- \"{{inputs.host}}\" uptime"),
        (
            "tar czf a.tgz <folder> && ssh -p 22 <host> uptime",
            "tar czf a.tgz -- {{inputs.folder}} && ssh -p 22 -- {{inputs.host}} uptime",
        ),
        ("ssh -l app <host> uptime", "ssh -l app -- {{inputs.host}} uptime"),
        ("ls <folder>", "ls {{inputs.folder}}"),
    ] {
        let draft = block("console", &format!("$ {typed}"));
        assert!(draft.text.contains(&format!("run: {script}\n")), "{}", draft.text);
    }
}

#[test]
fn bodies_in_braces_and_old_arithmetic_have_an_end() {
    for script in ["for h in a b; {\n  ping $h\n}", "for ((i = 0; i < 3; i++)); { echo $i; }", "echo $[1 << 2]"] {
        let steps = steps(&block("bash", script));
        assert_eq!(steps.len(), 1);
        assert!(steps[0].contains(": run "), "{steps:?}");
    }
}

/// What a shell took from an earlier command is not on the page, and no step runs a guess.
#[test]
fn what_refers_to_an_earlier_command_is_no_part_of_a_step() {
    let draft = block("console", "$ stop a\ndenied\n$ sudo !!\nstopped\n$ rm !$\n$ start a\n$ sudo !start");
    assert_eq!(steps(&draft), ["stop_a: run stop a", "start_a: run start a"], "{}", draft.text);
    let said: String = draft.text.lines().map(|line| line.trim().trim_start_matches("# ")).collect::<Vec<_>>().join(" ");
    for left in ["sudo !!", "rm !$", "sudo !start"] {
        let told = format!("left out: `{left}`; what it takes from an earlier command only that shell knew");
        assert!(said.contains(&told), "{left}: {}", draft.text);
    }
    assert!(!draft.text.contains("stopped"), "what another command printed: {}", draft.text);
    for (language, text) in [("console", "$ sudo !!"), ("sh", "stop a\nsudo !!"), ("", "$ !systemctl")] {
        let draft = block(language, text);
        assert_eq!(steps(&draft).len(), 1, "{}", draft.text);
        assert!(!draft.text.contains("run:") && draft.text.contains("by hand, because it takes words from"), "{}", draft.text);
    }
    let draft =
        block("console", "$ stop a\n$ rm -r \"!$\"\n$ tar cf /b/!$ .\n$ start a # it's\n$ sudo sh -c \"!!\"\n$ echo \"Done!\"");
    let expect = ["stop_a: run stop a", "start_a_it_s: run start a # it's", "echo_done: run echo \"Done!\""];
    assert_eq!(steps(&draft), expect, "{}", draft.text);
    for script in ["stop a # it's down\nsudo !!", "stop a\nrm -r \"!$\"", "stop a\ntar cf /b/!$ .", "stop a\nsudo sh -c \"!!\""] {
        let draft = block("sh", script);
        assert!(!draft.text.contains("run:") && draft.text.contains("by hand, because it takes words from"), "{}", draft.text);
    }
    // Whoever reads a script puts nothing in their place.
    for script in
        ["curl \"http://x/!a\"", "echo \"!!! down !!!\"", "echo \"Failed!!\"", "test \"!$a\" = b # it's !!", "grep -v !b c"]
    {
        let draft = block("sh", script);
        assert!(draft.text.contains("run:"), "{}", draft.text);
    }
    let draft = block("console", "$ awk '!seen[$0]++' a\n$ cat > b <<A\n> !Ref c\n> A\n$ ! grep d e");
    assert_eq!(steps(&draft).len(), 3, "{}", draft.text);
}
