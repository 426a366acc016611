//! Where a program reads one of its arguments as code, a value in that argument would become code. The commands that do so
//! are known here by name; everything else gets its arguments as data. Shell scripts are judged where they are parsed.

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
pub fn data_as_code(words: &[&str]) -> Vec<usize> {
    // The first word decides which program runs.
    let mut found: Vec<usize> = words.first().filter(|word| holds(word)).map(|_| 0).into_iter().collect();
    for (at, word) in words.iter().enumerate() {
        let program = word.rsplit('/').next().unwrap_or(word);
        let rest = words.get(at + 1..).unwrap_or_default();
        match program {
            "ssh" => found.extend(remote(rest).map(|n| at + 1 + n)),
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

/// What to do instead, for the program that would read a value as code.
pub fn way_around(program: &str) -> &'static str {
    match program.rsplit('/').next().unwrap_or(program) {
        program if program.starts_with("{{") => "name the program; choose between programs with `choose`",
        "psql" => "hand it over with `-v name={{…}}` and write `:'name'` in a script on standard input or in a file",
        "ssh" => "send a fixed command, and the values on its standard input or as a file",
        "mysql" | "mariadb" => "put the statement into a file that reads the value from the environment or a table",
        _ => "pass the value behind the code, as `\"$1\"` or `sys.argv[1]`, or in `env`",
    }
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
        let one = |letter: &str| options.contains(&letter);
        if holds(letters) {
            // Code may follow its option at once; behind any other option stands that option's own value.
            return plain.get(..1).is_some_and(one).then_some(n);
        }
        if !letters.get(letters.len() - 1..).is_some_and(one) {
            return None;
        }
        words.get(n + 1).is_some_and(|next| holds(next)).then_some(n + 1)
    })
}

/// Everything behind the host is joined and given to a shell on the other side.
fn remote(words: &[&str]) -> impl Iterator<Item = usize> {
    let holds_at = |n: &usize| words.get(*n).is_some_and(|word| holds(word));
    let (mut n, mut found) = (0, Vec::new());
    while let Some(option) = words.get(n).and_then(|word| word.strip_prefix('-')) {
        let takes_value = option.len() == 1 && SSH_VALUES.contains(option);
        // An option can name a command to connect through.
        let value = if takes_value { n + 1 } else { n };
        found.extend(Some(value).filter(|n| option.starts_with('o') && holds_at(n)));
        n = value + 1;
    }
    found.extend((n + 1..words.len()).filter(holds_at));
    found.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_where_they_would_be_code() {
        for (argv, expect) in [
            (vec!["sh", "-c", "echo {{x}}"], vec![2]),
            (vec!["sh", "-c", "echo \"$1\"", "_", "{{x}}"], vec![]),
            (vec!["/bin/bash", "-euc", "{{x}}"], vec![2]),
            (vec!["sudo", "-u", "postgres", "psql", "-Atc", "select '{{x}}'"], vec![5]),
            (vec!["psql", "-h", "{{x}}", "-Atc", "select 1"], vec![]),
            (vec!["psql", "--command=select {{x}}"], vec![1]),
            (vec!["psql", "--command", "select {{x}}"], vec![2]),
            (vec!["psql", "-cselect {{x}}"], vec![1]),
            (vec!["psql", "-v", "who={{x}}", "-f", "q.sql"], vec![]),
            (vec!["python3", "-c", "print({{x}})"], vec![2]),
            (vec!["perl", "-E", "say {{x}}"], vec![2]),
            (vec!["mysql", "-hserver{{x}}", "-e", "select 1"], vec![]),
            (vec!["ssh", "{{host}}", "uptime"], vec![]),
            (vec!["ssh", "-p", "22", "{{host}}", "systemctl", "restart", "{{x}}"], vec![6]),
            (vec!["ssh", "-tt", "db1", "ls", "{{x}}"], vec![4]),
            (vec!["ssh", "-o", "ProxyCommand={{x}}", "db1"], vec![2]),
            (vec!["ssh", "-oProxyCommand={{x}}", "db1"], vec![1]),
            (vec!["{{x}}", "a"], vec![0]),
            (vec!["grep", "-c", "{{x}}", "file"], vec![]),
        ] {
            assert_eq!(data_as_code(&argv), expect, "{argv:?}");
        }
    }
}
