//! Where a shell that reads line by line has read enough to begin: quotes and here-documents ended, every compound command closed,
//! nothing behind which more must come. It is told from what the lexer goes through anyway, and never refuses anything.

use super::super::commands::begins;
use super::{Frame, Lexer};

/// What is open beside the frames of the lexer.
#[derive(Debug, Default)]
pub(super) struct Open {
    /// A pipe, `&&`, `||`, the `()` of a function or a backslash stands last.
    pub operator: bool,
    /// A quote, a here-document or arithmetic went on to the end of the text.
    pub quote: bool,
    /// The open compound commands, the innermost last.
    compounds: Vec<Compound>,
}

#[derive(Debug)]
struct Compound {
    /// The word that closes it.
    close: &'static str,
    /// How many frames are open around it.
    frames: usize,
    /// A `for` or `select` whose body is still to come: `do … done`, or `{ … }`.
    header: bool,
}

impl Open {
    /// Follows a word behind these words of the same command.
    pub fn word(&mut self, words: &[String], word: &str, frames: usize) {
        if self.in_brackets() {
            if word == "]]" {
                self.compounds.pop();
            }
            return;
        }
        // The body of a function is still to come.
        self.operator |= matches!(words, [function] if function == "function");
        if !begins(words, word) {
            return;
        }
        let last = self.compounds.last_mut();
        let close = match word {
            "if" => "fi",
            "case" => "esac",
            "for" | "select" | "while" | "until" => "done",
            "[[" => "]]",
            "do" => return last.into_iter().for_each(|last| last.header = false),
            "{" => match last.filter(|last| last.header) {
                Some(last) => {
                    (last.close, last.header) = ("}", false);
                    return;
                }
                None => "}",
            },
            word => {
                self.compounds.pop_if(|last| last.close == word);
                return;
            }
        };
        self.compounds.push(Compound { close, frames, header: ["for", "select"].contains(&word) });
    }

    /// Whether a `)` among this many frames ends the pattern of a `case`.
    pub fn in_case(&self, frames: usize) -> bool {
        self.compounds.last().is_some_and(|last| last.close == "esac" && last.frames == frames)
    }

    /// How many compound commands are open.
    pub fn depth(&self) -> usize {
        self.compounds.len()
    }

    /// Whether this is between `[[` and `]]`.
    pub fn in_brackets(&self) -> bool {
        self.compounds.last().is_some_and(|last| last.close == "]]")
    }
}

impl Lexer<'_> {
    fn is_whole(&self) -> bool {
        let open = &self.open;
        let in_commands = matches!(self.frames.as_slice(), [Frame::Commands { .. }]);
        in_commands && self.documents.is_empty() && open.compounds.is_empty() && !open.operator && !open.quote
    }
}

/// The bytes of the first lines of a script that a shell takes together: it begins to run them before it reads what stands behind them.
/// `None` where it would wait for more.
pub fn whole_lines(script: &str) -> Option<usize> {
    let mut lexer = Lexer::new(script, &[]);
    while lexer.at < script.len() {
        let ends_a_line = lexer.starts("\n");
        lexer.next().ok().filter(|()| lexer.deep.is_none())?;
        if ends_a_line && lexer.is_whole() {
            return Some(lexer.at);
        }
    }
    lexer.end_word().ok()?;
    lexer.is_whole().then_some(script.len())
}

/// Whether a shell has nothing left to wait for at the end of a script.
pub fn is_whole(script: &str) -> bool {
    let mut lexer = Lexer::new(script, &[]);
    while lexer.at < script.len() {
        if lexer.next().is_err() || lexer.deep.is_some() {
            return false;
        }
    }
    lexer.end_word().is_ok() && lexer.is_whole()
}

#[cfg(test)]
mod tests {
    use super::{is_whole, whole_lines};

    #[test]
    fn a_command_is_whole_where_a_shell_begins_to_run_it() {
        for script in [
            "ls",
            "echo 'a\nb'",
            "echo \"a\nb $(date\n) c\"",
            "echo $'a\\'\nb'",
            "echo `date\n`",
            "cat <<EOF > a\nb 'c\nEOF",
            "cat <<'E F' | sort\n$(\nE F",
            "cat <<-EOF\n\tb\n\tEOF",
            "cat <<A <<B\n1\nA\n2\nB",
            "a \\\n  b",
            "a |\n\n# and\n b",
            "a &&\n b",
            "a ||\n b",
            "a |&\n b",
            "for h in a b\ndo ping $h\ndone | sort",
            "for ((i = 0; i < 3; i++))\ndo echo $i; done",
            "while read x; do\n if a; then\n  b\n fi\ndone < c",
            "case $1 in\n a) b;;\n (c) d\nesac",
            "f() {\n a\n}",
            "f()\n{\n a\n}",
            "function f {\n a\n}",
            "{ a\n}",
            "(a\nb)",
            "a=(1\n2)",
            "echo $((1 +\n2))",
            "[[ a &&\n b ]]",
            "time -p [[ a &&\n b ]]",
            "function f\n{\n a\n}",
            "function f [[ a &&\n b ]]",
            "coproc X { [[ a &&\n b ]]; }",
            "cat < <(a\nb) c",
            "x=${y:-\na}",
            "echo for if while case { [[ done",
            "echo a \\\\",
            "a & b &",
            "echo ${#a} a#b # it's",
            "find . -exec rm {} \\;",
            "echo $[1 << 2] b",
            "echo $[(1 +\n a[0]) * 2]",
            "echo \"$[3 > 2]\"",
            "for x in a; {\n b\n}",
            "for ((;;)) {\n b\n}",
            "for ((;;)); {\n b\n}",
            "(case a in\n a) b;;\nesac)",
        ] {
            assert_eq!(whole_lines(script), Some(script.len()), "{script}");
            let more = format!("{script}\nmore 'x\n");
            assert_eq!(whole_lines(&more), Some(script.len() + 1), "{script}");
            assert!(is_whole(script) && !is_whole(&more), "{script}");
            for (at, _) in script.match_indices('\n') {
                assert_eq!(whole_lines(&script[..at]), None, "{script}: at {at}");
            }
        }
        for script in [
            "cat <<EOF",
            "cat <<EOF\n",
            "cat <<EOF\nEOF x",
            "echo 'a",
            "a \\",
            "a |",
            "a && # b",
            "if a; then b",
            "$(",
            "f()",
            "function f",
            "function f\n",
            "time -p [[ a &&\n b",
            "echo $[1 +",
            "for x in a; {\n b",
        ] {
            assert_eq!(whole_lines(script), None, "{script}");
        }
    }
}
