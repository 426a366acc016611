//! Where a program reads one of its arguments as code, a value in that argument would become code. The commands that do so
//! are known here by name; everything else gets its arguments as data.

/// Programs that read the argument behind one of these options as code. An option may be joined with others: `-Atc`.
const OPTIONS: [(&[&str], &[&str]); 8] = [
    (&["sh", "bash", "dash", "ash", "zsh", "ksh", "fish", "su", "script"], &["c"]),
    (&["python", "python2", "python3", "pypy3"], &["c"]),
    (&["perl"], &["e", "E"]),
    (&["ruby", "lua", "Rscript"], &["e"]),
    (&["node", "deno", "bun"], &["e", "p", "eval", "print"]),
    (&["php"], &["r"]),
    (&["psql"], &["c", "command"]),
    (&["mysql", "mariadb"], &["e", "execute"]),
];

/// Options of `ssh` that have a value behind them.
const SSH_VALUES: &str = "BbcDEeFIiJLlmOopQRSWw";

/// The places, among the words of one command, of those that are read as code and hold a value.
pub(super) fn data_as_code(words: &[&str]) -> Vec<usize> {
    let mut found = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let program = word.rsplit('/').next().unwrap_or(word);
        let rest = words.get(at + 1..).unwrap_or_default();
        match program {
            "ssh" => found.extend(remote(rest).map(|n| at + 1 + n)),
            "eval" => found.extend((at + 1..words.len()).filter(|n| words.get(*n).is_some_and(|w| holds(w)))),
            _ => {
                let Some((_, options)) = OPTIONS.iter().find(|(programs, _)| programs.contains(&program)) else { continue };
                found.extend(behind(rest, options).map(|n| at + 1 + n));
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

fn holds(word: &str) -> bool {
    word.contains("{{")
}

/// The word behind an option that names code, or the option itself where the code is joined to it.
fn behind<'w>(words: &'w [&'w str], options: &'w [&'w str]) -> impl Iterator<Item = usize> + 'w {
    words.iter().enumerate().filter_map(move |(n, word)| {
        if let Some(long) = word.strip_prefix("--") {
            let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
            if !options.contains(&name) {
                return None;
            }
            return match value {
                Some(value) => holds(value).then_some(n),
                None => words.get(n + 1).is_some_and(|next| holds(next)).then_some(n + 1),
            };
        }
        let letters = word.strip_prefix('-').filter(|letters| !letters.is_empty())?;
        let plain = letters.split("{{").next().unwrap_or(letters);
        if !options.iter().any(|option| option.len() == 1 && plain.contains(option)) {
            return None;
        }
        if holds(letters) { Some(n) } else { words.get(n + 1).is_some_and(|next| holds(next)).then_some(n + 1) }
    })
}

/// Everything behind the host is joined and given to a shell on the other side.
fn remote(words: &[&str]) -> impl Iterator<Item = usize> {
    let mut n = 0;
    while let Some(option) = words.get(n).and_then(|word| word.strip_prefix('-')) {
        let takes_value = option.len() == 1 && SSH_VALUES.contains(option);
        n += if takes_value { 2 } else { 1 };
    }
    let command: Vec<usize> = (n + 1..words.len()).filter(|n| words.get(*n).is_some_and(|word| holds(word))).collect();
    command.into_iter()
}

/// The commands of a shell script as words, each with the byte where it starts. Quotes are taken off; a value in braces
/// stays one piece of its word, whatever stands in it.
pub(super) fn commands(script: &str) -> Vec<Vec<(usize, String)>> {
    let mut commands = vec![Vec::new()];
    let mut word: Option<(usize, String)> = None;
    let mut quote = None;
    let mut at = 0;
    let end_word = |word: &mut Option<(usize, String)>, commands: &mut Vec<Vec<(usize, String)>>| {
        if let (Some(word), Some(command)) = (word.take(), commands.last_mut()) {
            command.push(word);
        }
    };
    while let Some(next) = script.get(at..).and_then(|rest| rest.chars().next()) {
        let rest = &script[at..];
        let mut width = next.len_utf8();
        if rest.starts_with("{{") {
            width = rest.find("}}").map_or(rest.len(), |n| n + 2);
            word.get_or_insert_with(|| (at, String::new())).1.push_str(&rest[..width]);
        } else if quote == Some(next) {
            quote = None;
        } else if quote.is_some() {
            word.get_or_insert_with(|| (at, String::new())).1.push(next);
        } else {
            match next {
                '\'' | '"' => {
                    quote = Some(next);
                    word.get_or_insert_with(|| (at, String::new()));
                }
                '\\' => {
                    width += rest[1..].chars().next().map_or(0, char::len_utf8);
                    if !rest.starts_with("\\\n") {
                        word.get_or_insert_with(|| (at, String::new())).1.push_str(rest.get(1..width).unwrap_or_default());
                    }
                }
                '#' if word.is_none() => width = rest.find('\n').unwrap_or(rest.len()),
                ' ' | '\t' | '\r' => end_word(&mut word, &mut commands),
                '\n' | ';' | '|' | '&' | '(' | ')' | '`' => {
                    end_word(&mut word, &mut commands);
                    commands.push(Vec::new());
                }
                _ => word.get_or_insert_with(|| (at, String::new())).1.push(next),
            }
        }
        at += width;
    }
    end_word(&mut word, &mut commands);
    commands.retain(|command| !command.is_empty());
    commands
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_where_they_would_be_code() {
        for (script, expect) in [
            ("sh -c 'echo {{x}}'", vec!["echo {{x}}"]),
            ("sh -c 'echo \"$1\"' _ {{x}}", vec![]),
            ("/bin/bash -euc {{x}}", vec!["{{x}}"]),
            ("sudo -u postgres psql -Atc \"select '{{x}}'\"", vec!["select '{{x}}'"]),
            ("psql -h {{x}} -Atc 'select 1'", vec![]),
            ("psql --command='select {{x}}'", vec!["--command=select {{x}}"]),
            ("psql --command 'select {{x}}'", vec!["select {{x}}"]),
            ("psql -c'select {{x}}'", vec!["-cselect {{x}}"]),
            ("psql -v who={{x}} -f q.sql", vec![]),
            ("python3 -c 'print({{x}})'", vec!["print({{x}})"]),
            ("perl -E 'say {{x}}'", vec!["say {{x}}"]),
            ("ssh {{host}} uptime", vec![]),
            ("ssh -p 22 {{host}} systemctl restart {{x}}", vec!["{{x}}"]),
            ("ssh -tt db1 ls {{x}}", vec!["{{x}}"]),
            ("eval \"run {{x}}\"", vec!["run {{x}}"]),
            ("echo a; eval {{x}} | cat", vec!["{{x}}"]),
            ("echo ok # sh -c {{x}}", vec![]),
            ("grep -c {{x}} file", vec![]),
            ("echo 'it''s' && sh \\\n -c {{x}}", vec!["{{x}}"]),
            ("docker exec -c {{x}}", vec![]),
        ] {
            let mut found = Vec::new();
            for command in commands(script) {
                let words: Vec<&str> = command.iter().map(|(_, word)| word.as_str()).collect();
                found.extend(data_as_code(&words).into_iter().map(|n| words[n].to_owned()));
            }
            assert_eq!(found, expect, "{script}");
        }
    }

    #[test]
    fn words_know_where_they_start() {
        let words = commands("a 'b c' \"{{d e}}\"x\nf");
        let expect = [vec![(0, "a"), (2, "b c"), (8, "{{d e}}x")], vec![(18, "f")]];
        let expect: Vec<Vec<(usize, String)>> =
            expect.into_iter().map(|c| c.into_iter().map(|(n, w)| (n, w.to_owned())).collect()).collect();
        assert_eq!(words, expect);
    }
}
