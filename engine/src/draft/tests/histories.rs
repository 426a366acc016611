//! What becomes of the commands that a shell remembers.

use super::*;

#[test]
fn each_shell_keeps_its_commands_in_its_own_way() {
    let two = ["systemctl_stop_web: run systemctl stop web", "systemctl_start_web: run systemctl start web"];
    let lines = ["for_h_in: run for h in a b\ndo ping -c 1 $h\ndone"];
    for (what, text, expected) in [
        ("bash", "systemctl stop web\nsystemctl start web\n", &two[..]),
        ("bash with times", "#1700000000\nsystemctl stop web\n#1700000009\nsystemctl start web\n", &two),
        ("bash with times, of several lines", "#1700000000\nfor h in a b\ndo ping -c 1 $h\ndone\n", &lines),
        ("zsh", ": 1700000000:0;systemctl stop web\n: 1700000009:12;systemctl start web\n", &two),
        ("zsh, of several lines", ": 1700000000:0;for h in a b\\\ndo ping -c 1 $h\\\ndone\n", &lines),
        (
            "fish",
            "- cmd: systemctl stop web\n  when: 1700000000\n- cmd: systemctl start web\n  when: 1700000009\n  paths:\n    - web\n",
            &two,
        ),
        ("fish, of several lines", "- cmd: for h in a b\\ndo ping -c 1 $h\\ndone\n  when: 1\n", &lines),
        ("what `history` prints", "  501  systemctl stop web\n  502* systemctl start web\n", &two),
        ("bash, with times from some command on", "systemctl stop web\n#1700000009\nsystemctl start web\n", &two),
        ("zsh without times, of several lines", "for h in a b\\\ndo ping -c 1 $h\\\ndone\n", &lines),
        ("zsh, lines that go on", ": 1700000000:0;echo a \\\\\n  b\n", &["echo_a: run echo a \\\n  b"]),
        ("zsh without times, lines that go on", "echo a \\\\\n  b\n", &["echo_a: run echo a \\\n  b"]),
        ("a here-document", "cat <<EOF > a\nrm b\nEOF\nrm c\n", &["cat_a: run cat <<EOF > a\nrm b\nEOF", "rm_c: run rm c"]),
        (
            "a here-document with times",
            "#1700000000\ncat <<EOF > a\nrm b\n\nEOF\n#1700000009\nrm c\n",
            &["cat_a: run cat <<EOF > a\nrm b\n\nEOF", "rm_c: run rm c"],
        ),
        (
            "a quote over lines, and a loop",
            "echo 'a\n  b'\nwhile x\ndo y; done\n",
            &["echo_a: run echo 'a\n  b'", "while_x: run while x\ndo y; done"],
        ),
        ("what never ends", "rm 'a\nrm b\n", &["rm_a: manual rm 'a", "rm_b: run rm b"]),
        ("lines that go on", "echo a \\\n  b\n", &["echo_a: run echo a \\\n  b"]),
    ] {
        assert_eq!(steps(&history(text)), expected, "{what}");
    }
}

#[test]
fn zsh_escapes_what_is_not_ascii() {
    // `é` is C3 A9; zsh writes 0x83 and the byte with its sixth bit turned.
    let mut bytes = b": 1700000000:0;touch caf".to_vec();
    bytes.extend([0xc3, 0x83, 0xa9 ^ 32, b'\n']);
    let draft = from_bytes(&bytes, Wanted::default()).unwrap();
    assert_eq!(steps(&draft), ["touch_caf: run touch café"]);
}

#[test]
fn names_that_are_too_long_for_variables_are_left_to_people() {
    let long = "a".repeat(65);
    let draft = history(&format!("export {long}=1\necho ${long}\n"));
    assert_eq!(steps(&draft), [format!("echo: manual echo ${long}")]);
    assert!(draft.text.contains("# by hand, because the name of a variable in it is too long"), "{}", draft.text);
}

#[test]
fn the_last_commands_and_those_since_one_are_taken() {
    let text = "one -a\ntwo -b\nthree -c\ntwo -d\nfour -e\n";
    for (last, since, expected) in [
        (Some(2), None, &["two: run two -d", "four: run four -e"][..]),
        (None, Some("two"), &["two: run two -d", "four: run four -e"]),
        (Some(1), Some("two"), &["four: run four -e"]),
        (Some(99), Some("three"), &["three: run three -c", "two: run two -d", "four: run four -e"]),
    ] {
        let draft = from_bytes(text.as_bytes(), Wanted { last, since }).unwrap();
        assert_eq!(steps(&draft), expected, "{last:?} {since:?}");
    }
    let refused = from_bytes(text.as_bytes(), Wanted { last: None, since: Some("five") }).unwrap_err();
    assert_eq!(refused.to_string(), "no command in it holds `five`");
}

#[test]
fn what_the_shell_kept_between_commands_is_given_to_each_step() {
    let draft = history(
        "cd /srv/app\nls\nexport STAGE=prod\nmake deploy\ncd ../data\ntar cf a.tar .\ncd \"$X\"\nmake clean\nmake clean\nexit\n",
    );
    assert_eq!(steps(&draft), ["make_deploy: run make deploy", "tar_cf_a_tar: run tar cf a.tar .", "make_clean: run make clean"]);
    for part in [
        "dir: /srv/app\n",
        "dir: /srv/data\n",
        "STAGE: '\"prod\"'",
        "# left out, as it changes nothing: `ls`",
        "# left out: `cd \"$X\"`; say with `dir` where the steps below work",
        "`exit`",
    ] {
        assert!(
            draft.text.contains(part) || draft.text.contains(&part.replace("'\"prod\"'", "\"\\\"prod\\\"\"")),
            "{part}:\n{}",
            draft.text
        );
    }
    assert_eq!(draft.text.matches("dir:").count(), 2, "{}", draft.text);
}

#[test]
fn what_a_person_does_is_done_where_it_was() {
    let draft = history("cd /srv/app\nvim a.conf\nhistory | grep a\nmake b\n");
    assert_eq!(steps(&draft), ["vim_a_conf: manual cd /srv/app\nvim a.conf", "make_b: run make b"]);
    assert!(draft.text.contains("# left out, as it changes nothing: `history | grep a`"), "{}", draft.text);
}

/// A secret in every place where people type them: none is written, wherever it comes up again.
#[test]
fn secrets_are_never_written() {
    const CANARY: &str = "Tr0ub4dor-and-3";
    for (command, expected) in [
        ("mysql -u root -pCANARY shop < a.sql", "mysql -u root -p\"${PASSWORD}\" shop < a.sql"),
        ("mysqldump --password=CANARY shop", "mysqldump --password=\"${PASSWORD}\" shop"),
        ("psql --password 'CANARY'", ""),
        ("PGPASSWORD=CANARY psql -h db -c 'select 1'", "PGPASSWORD=\"${PGPASSWORD}\" psql -h db -c 'select 1'"),
        (
            "curl -H 'Authorization: Bearer CANARY' https://a.example",
            "curl -H 'Authorization: Bearer '\"${AUTHORIZATION}\"'' https://a.example",
        ),
        ("curl -H \"X-Api-Key: CANARY\" https://a.example", "curl -H \"X-Api-Key: ${X_API_KEY}\" https://a.example"),
        ("curl -u admin:CANARY https://a.example", "curl -u admin:\"${PASSWORD}\" https://a.example"),
        ("curl https://admin:CANARY@a.example/x", "curl https://admin:\"${PASSWORD}\"@a.example/x"),
        ("curl 'https://a.example/?token=CANARY&x=1'", "curl 'https://a.example/?token='\"${TOKEN}\"'&x=1'"),
        (
            "curl -d '{\"user\": \"a\", \"password\": \"CANARY\"}' https://a.example",
            "curl -d '{\"user\": \"a\", \"password\": \"'\"${PASSWORD}\"'\"}' https://a.example",
        ),
        ("curl -b 'session=1; auth=CANARY' -H 'Cookie: sid=CANARY; x=2' https://a.example", ""),
        ("docker login -u me -p CANARY registry.example", "docker login -u me -p \"${PASSWORD}\" registry.example"),
        ("echo CANARY | docker login -u me --password-stdin", "echo \"${PASSWORD}\" | docker login -u me --password-stdin"),
        ("echo 'CANARY' | sudo -S systemctl restart web", ""),
        ("docker login --password-stdin <<< CANARY", ""),
        ("sshpass -p CANARY ssh db-1 uptime", "sshpass -p \"${PASSWORD}\" ssh db-1 uptime"),
        ("openssl enc -aes-256-cbc -k CANARY -in x", "openssl enc -aes-256-cbc -k \"${PASSWORD}\" -in x"),
        ("sqlplus scott/CANARY@db @a.sql", "sqlplus scott/\"${PASSWORD}\"@db @a.sql"),
        ("sqlplus -L -M \"HTML ON\" scott/CANARY @a.sql b/c", "sqlplus -L -M \"HTML ON\" scott/\"${PASSWORD}\" @a.sql b/c"),
        ("rman target / catalog rman/CANARY@cat", "rman target / catalog rman/\"${PASSWORD}\"@cat"),
        ("impdp directory=/data/x userid=system/CANARY", "impdp directory=/data/x userid=system/\"${PASSWORD}\""),
        ("sqlldr control=a/b.ctl userid=scott/CANARY@db", "sqlldr control=a/b.ctl userid=scott/\"${PASSWORD}\"@db"),
        ("sqlplus /nolog <<EOF\nconnect scott/CANARY@db\nEOF", ""),
        ("rabbitmqctl change_password guest CANARY", "rabbitmqctl change_password guest \"${PASSWORD}\""),
        ("net use x: /user:me CANARY", ""),
        ("net use x: \\\\srv\\share CANARY /user:me", ""),
        ("redis-cli -a CANARY flushall", "redis-cli -a \"${PASSWORD}\" flushall"),
        ("ldapsearch -x -w CANARY -b dc=a", "ldapsearch -x -w \"${PASSWORD}\" -b dc=a"),
        (
            "kubectl create secret generic db --from-literal=anything=CANARY",
            "kubectl create secret generic db --from-literal=anything=\"${ANYTHING}\"",
        ),
        ("vault kv put secret/db user=CANARY", "vault kv put secret/db user=\"${SECRET_USER}\""),
        ("vault login CANARY", "vault login \"${TOKEN}\""),
        ("aws configure set aws_secret_access_key CANARY", "aws configure set aws_secret_access_key \"${AWS_SECRET_ACCESS_KEY}\""),
        ("gpg --batch --passphrase CANARY -d a.gpg", "gpg --batch --passphrase \"${PASSPHRASE}\" -d a.gpg"),
        ("openssl rsa -in a.key -passin pass:CANARY", "openssl rsa -in a.key -passin pass:\"${PASS}\""),
        ("htpasswd -bc f ann CANARY", "htpasswd -bc f ann \"${PASSWORD}\""),
        ("rabbitmqctl change_password ann CANARY", "rabbitmqctl change_password ann \"${PASSWORD}\""),
        ("smbclient -U ann%CANARY //a/b", "smbclient -U ann%\"${PASSWORD}\" //a/b"),
        ("ansible-playbook -e 'db_password=CANARY' site.yml", "ansible-playbook -e 'db_password='\"${DB_PASSWORD}\"'' site.yml"),
        ("psql 'host=a user=b password=CANARY'", ""),
        ("http --auth ann:CANARY a.example", "http --auth ann:\"${PASSWORD}\" a.example"),
        ("ssh db-1 \"mysql -pCANARY shop\"", ""),
    ] {
        let first = command.replace("CANARY", CANARY);
        // And once more, where nothing tells that it is one.
        let draft = history(&format!("{first}\necho again {CANARY}\n# said {CANARY}\nls {CANARY}\ncat /a/{CANARY}.txt\n"));
        assert!(!bare(&draft.text).contains(&bare(CANARY)), "{command}:\n{}", draft.text);
        assert!(!draft.secrets.is_empty(), "{command}");
        if !expected.is_empty() {
            let step = steps(&draft).remove(0);
            assert!(step.ends_with(&format!(": run {expected}")), "{command}: {step}");
        }
    }
}

/// A text as an id would have it.
fn bare(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

#[test]
fn tokens_are_known_by_their_shape() {
    for token in [
        "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
        "glpat-aaaaaaaaaaaaaaaaaaa1",
        "AKIAIOSFODNN7EXAMPLE",
        "kX9bTq2LmZ7vRw4NpY8sJc1HdF6gAe3UoQ5iWx0B",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dBjftJeZ4CVP",
        "0123456789abcdef0123456789abcdef",
    ] {
        for command in [
            format!("deploy --with {token}"),
            format!("curl https://a.example/{token}/x"),
            format!("export STAGE={token}\nrun it"),
            format!("deploy x={token}"),
        ] {
            let draft = history(&command);
            assert!(!bare(&draft.text).contains(&bare(token)), "{command}:\n{}", draft.text);
        }
    }
}

#[test]
fn exported_secrets_come_from_where_a_person_says() {
    let draft = history(
        "export PGPASSWORD=hunter2-and-more\nexport A=1 TOKEN='abc 123 def'\npsql -c 'select 1'\nDB_PASS=hunter2-and-more\n",
    );
    assert_eq!(steps(&draft), ["psql_select: run psql -c 'select 1'"]);
    for (part, has) in
        [("PGPASSWORD: secrets.pgpassword", true), ("TOKEN: secrets.token", true), ("hunter2", false), ("123 def", false)]
    {
        assert_eq!(draft.text.contains(part), has, "{part}:\n{}", draft.text);
    }
}

/// What a shell took from an earlier command is not known, and no step runs a guess.
#[test]
fn what_refers_to_an_earlier_command_is_left_out_and_said() {
    let draft =
        history("systemctl stop web\nsudo !!\nrm -r /srv/old\nls !$\n!systemctl\n^stop^start\ncat a | sudo !tee\ntouch b\n");
    assert_eq!(
        steps(&draft),
        ["systemctl_stop_web: run systemctl stop web", "rm: run rm -r /srv/old", "touch_b: run touch b"],
        "{}",
        draft.text
    );
    let said: String = draft.text.lines().map(|line| line.trim().trim_start_matches("# ")).collect::<Vec<_>>().join(" ");
    for left in [
        "left out: `sudo !!`; what it takes from an earlier command (the last one was `systemctl stop web`) only that shell knew",
        "left out: `ls !$`; what it takes from an earlier command (the last one was `rm -r /srv/old`)",
        "left out: `!systemctl`;",
        "left out: `^stop^start`;",
        "left out: `cat a | sudo !tee`;",
    ] {
        assert!(said.contains(left), "{left}:\n{}", draft.text);
    }
    // What was typed with it stands nowhere else.
    let draft = history(
        "#1700000000\nsystemctl stop a\n#1700000010\n!!\nrm -rf $OLD_DIR\n#1700000020\nfor h in a b; do\n  ping $h && !!\ndone\n",
    );
    assert_eq!(steps(&draft), ["systemctl_stop_a: run systemctl stop a"], "{}", draft.text);
    for left in [
        "# left out: `!!`;",
        "# left out with it: `rm -rf $OLD_DIR`\n",
        "# left out: `for h in a b; do`;",
        "# left out with it: `  ping $h && !!`\n",
        "# left out with it: `done`\n",
    ] {
        assert!(draft.text.contains(left), "{left}:\n{}", draft.text);
    }
    for command in [
        "! grep -q a b",
        "echo 'sudo !!'",
        "awk '!seen[$0]++' a",
        "[ ! -f a ]",
        "find . ! -name a",
        "echo done!",
        "test a != b",
        "sed -n '/a/{p;!p}' f",
        "git commit -m 'fix; !important'",
        "git commit -m 'a\n!important\n!!'",
        "docker run x | grep -v !foo",
        "cat > t.yaml <<'EOF'\nValue:\n!Ref X\n!!binary y\nEOF",
        "cat <<-A <<B > c\n!a\n\tA\nit's\n!b\nB",
        "grep -v a <<< 'b\n!c'",
        "echo \"Done!\" \"so! a\"",
        "echo \\!! \"a \\!b\"",
        "kill $! ${!a} \"$!\"",
        "cp [!a]* b # it's !!",
        "test \"$a\" != b; cp !(c) d",
    ] {
        let draft = history(&format!("{command}\ntouch b\n"));
        assert_eq!((steps(&draft).len(), draft.text.contains("left out")), (2, false), "{command}: {}", draft.text);
    }
    for command in [
        "a 'b\nc'; !d",
        "cat <<A\nb\nA\nsudo !!",
        "a | sudo time !b",
        "(!a)",
        "echo \"it's\" && !-2",
        "a\\\n;!b",
        "rm -r \"!$\"",
        "tar cf /backup/!$ .",
        "sudo sh -c \"!!\"",
        "echo \"it's !!\"",
        "curl \"http://x/!a\"",
        "cp a b # it's\nsudo !!",
        "echo $(cat !!)",
    ] {
        let draft = history(&format!("#1700000000\n{command}\n#1700000001\ntouch b\n"));
        assert_eq!((steps(&draft).len(), draft.text.contains("left out")), (1, true), "{command}: {}", draft.text);
    }
}

#[test]
fn what_is_no_secret_stays() {
    for command in [
        "git show 0123456789abcdef0123456789abcdef01234567",
        "docker pull a@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        "kubectl delete pod web-7d4b9c6f5d-x2x9q",
        "docker run -d -p 8080:80 web",
        "oc patch mcp worker --type=json -p '[]'",
        "mysql -u root -p shop",
        "tool --password \"$PASSWORD\"",
        "tool --token-file /run/token",
        "mkdir -p a/b && cp -p a b",
        "gcloud config set project a; gcloud auth application-default login",
        "gcloud compute ssl-certificates create a --certificate a.pem --private-key key.pem",
        "aws iam upload-server-certificate --private-key 'file://a.example.key'",
        "curl https://a.example/KubePersistentVolumeFillingUp2026",
        "sqlplus / as sysdba",
        "sqlplus -s /nolog a/b.sql",
        "sqlplus / @a.sql b/c",
        "rman target / cmdfile a/b.rcv",
    ] {
        let draft = history(command);
        let step = steps(&draft).remove(0);
        assert!(step.ends_with(command), "{command}: {step}");
    }
}
