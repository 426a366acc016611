//! A password that is typed and not shown. The terminal is as it was before in any case, also where the person leaves with Ctrl-C: the
//! keys that would end this process are read like all others.

use std::io::{self, BufRead, stdin};

use runbook_core::limits;
use runbook_engine::access::Password;
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};

use super::Ui;

/// The terminal's own settings, which it gets back.
struct Shown(Termios);

impl Shown {
    fn hide() -> io::Result<Shown> {
        let shown = tcgetattr(stdin())?;
        let mut hidden = shown.clone();
        hidden.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        hidden.special_codes[SpecialCodeIndex::VMIN] = 1;
        hidden.special_codes[SpecialCodeIndex::VTIME] = 0;
        // What was typed before the question never answers it.
        tcsetattr(stdin(), OptionalActions::Flush, &hidden)?;
        Ok(Shown(shown))
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        let _ = tcsetattr(stdin(), OptionalActions::Now, &self.0);
    }
}

/// Asks for one. `None` where the person breaks it off.
pub fn password(ui: &mut Ui, question: &str) -> io::Result<Option<Password>> {
    let shown = Shown::hide()?;
    ui.prompt(question);
    let typed = typed(stdin().lock());
    // What ended the line was not shown either.
    ui.break_off();
    drop(shown);
    typed
}

const INTERRUPT: u8 = 3;
const END: u8 = 4;
const BACKSPACE: u8 = 8;
const DELETE_LINE: u8 = 21;
const DELETE: u8 = 127;

fn typed(keys: impl BufRead) -> io::Result<Option<Password>> {
    // All of it from the beginning: what grows leaves a copy behind.
    let mut typed = Vec::with_capacity(limits::PASSWORD_BYTES + 1);
    for key in keys.bytes() {
        match key? {
            b'\n' | b'\r' => return Ok(Some(Password::shown(typed))),
            INTERRUPT | END => break,
            DELETE_LINE => typed.clear(),
            // The whole of a character.
            BACKSPACE | DELETE => while typed.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {},
            // One too many is kept, so that it is told.
            byte if typed.len() <= limits::PASSWORD_BYTES => typed.push(byte),
            _ => {}
        }
    }
    drop(Password::shown(typed));
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_a_password_or_break_it_off() {
        for (keys, expect) in [
            (&b"words\n"[..], Some(&b"words"[..])),
            (b"words\rmore", Some(b"words")),
            (b"worx\x7fds\n", Some(b"words")),
            (b"word\xc3\xa4\x08s\n", Some(b"words")),
            (b"\x7f\x7fwords\n", Some(b"words")),
            (b"nonsense\x15words\n", Some(b"words")),
            (b"words\x03", None),
            (b"words\x04", None),
            (b"words", None),
        ] {
            let expect = expect.map(|expect| Password::shown(expect.to_vec()));
            assert!(typed(keys).unwrap() == expect, "{keys:?}");
        }
        assert!(typed([b"x".repeat(3000), b"\n".to_vec()].concat().as_slice()).unwrap().unwrap().hashed().is_err());
    }
}
