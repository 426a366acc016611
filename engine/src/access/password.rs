//! Passwords: how long one has to be, and what is kept of it: argon2id with a salt of its own, as a PHC string.
//!
//! Only the length is asked for. Rules about digits and signs make passwords that are forgotten, and written down, and no harder to guess.

use std::sync::{Mutex, PoisonError};

use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use runbook_core::limits;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

const SALT_BYTES: usize = 16;
const HASH_BYTES: usize = 32;

/// As somebody typed it. Wiped when it is let go of.
#[derive(PartialEq, Eq)]
pub struct Password(Zeroizing<Vec<u8>>);

/// Why a text is no password for a new account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    #[error("a password has at least {} characters", limits::PASSWORD_CHARACTERS)]
    TooShort,
    #[error("a password has at most {} bytes", limits::PASSWORD_BYTES)]
    TooLong,
    #[error("a password is one line of text in UTF-8")]
    NoLine,
    #[error("the password could not be hashed")]
    NotHashed,
}

impl Password {
    /// What somebody shows; whether it is anybody's, [`Hashed::is_of`] says.
    pub fn shown(bytes: Vec<u8>) -> Password {
        Password(Zeroizing::new(bytes))
    }

    /// What is kept of it, for somebody who chose it.
    pub fn hashed(&self) -> Result<Hashed, Unfit> {
        if self.0.len() > limits::PASSWORD_BYTES {
            return Err(Unfit::TooLong);
        }
        let text = std::str::from_utf8(&self.0).map_err(|_| Unfit::NoLine)?;
        if text.chars().any(char::is_control) {
            return Err(Unfit::NoLine);
        }
        if text.chars().count() < limits::PASSWORD_CHARACTERS {
            return Err(Unfit::TooShort);
        }
        let salt: [u8; SALT_BYTES] = rand::random();
        let params = Params::new(limits::PASSWORD_MEMORY_KIB, limits::PASSWORD_PASSES, 1, Some(HASH_BYTES));
        let params = params.map_err(|_| Unfit::NotHashed)?;
        let hash = digest(&self.0, &salt, params.clone()).ok_or(Unfit::NotHashed)?;
        let (memory, passes, lanes) = (params.m_cost(), params.t_cost(), params.p_cost());
        let text = |bytes: &[u8]| STANDARD_NO_PAD.encode(bytes);
        Ok(Hashed(format!("$argon2id$v=19$m={memory},t={passes},p={lanes}${}${}", text(&salt), text(&*hash))))
    }
}

/// What it takes to try passwords, kept for the next ones: given back, it would stay with each thread that ever tried one.
static MEMORY: Mutex<Vec<Vec<Block>>> = Mutex::new(Vec::new());

fn digest(password: &[u8], salt: &[u8], params: Params) -> Option<Zeroizing<[u8; HASH_BYTES]>> {
    let kept = || MEMORY.lock().unwrap_or_else(PoisonError::into_inner);
    let mut memory = kept().pop().unwrap_or_default();
    memory.resize(params.block_count(), Block::default());
    let mut hash = Zeroizing::new([0; HASH_BYTES]);
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let hashed = argon2.hash_password_into_with_memory(password, salt, &mut *hash, &mut memory);
    memory.fill(Block::default());
    let mut kept = kept();
    if kept.len() < limits::PASSWORDS_AT_ONCE {
        kept.push(memory);
    }
    hashed.ok().map(|()| hash)
}

/// What is kept of a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Hashed(pub(super) String);

impl Hashed {
    /// That of nobody: to look at it takes as long as at anybody's, and no password is it, since nobody knows one whose hash is zero.
    pub fn of_nobody() -> Hashed {
        let (memory, passes) = (limits::PASSWORD_MEMORY_KIB, limits::PASSWORD_PASSES);
        let zeros = |bytes: usize| STANDARD_NO_PAD.encode(vec![0; bytes]);
        Hashed(format!("$argon2id$v=19$m={memory},t={passes},p=1${}${}", zeros(SALT_BYTES), zeros(HASH_BYTES)))
    }

    /// Whether it is of this password. Takes some time and memory, as it is meant to.
    pub fn is_of(&self, password: &Password) -> bool {
        let Some((params, salt, kept)) = self.read() else { return false };
        digest(&password.0, &salt, params).is_some_and(|hash| hash.ct_eq(&kept).into())
    }

    fn read(&self) -> Option<(Params, Vec<u8>, Vec<u8>)> {
        let mut parts = self.0.strip_prefix("$argon2id$v=19$")?.split('$');
        let (params, salt, hash) = (parts.next()?, parts.next()?, parts.next()?);
        let mut numbers = params.split(',');
        let mut number = |name: &str| numbers.next()?.strip_prefix(name)?.parse::<u32>().ok();
        let (memory, passes, lanes) = (number("m=")?, number("t=")?, number("p=")?);
        let params = Params::new(memory, passes, lanes, Some(HASH_BYTES)).ok()?;
        Some((params, STANDARD_NO_PAD.decode(salt).ok()?, STANDARD_NO_PAD.decode(hash).ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Password::shown(text.as_bytes().to_vec())
    }

    #[test]
    fn only_the_password_itself_is_taken() {
        let hashed = password("correct horse battery").hashed().unwrap();
        assert!(hashed.0.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hashed.0);
        assert!(hashed.is_of(&password("correct horse battery")));
        for other in ["", "correct horse battery ", "correct horse batterY", "correct horse batter"] {
            assert!(!hashed.is_of(&password(other)), "{other}");
        }
        assert_ne!(password("correct horse battery").hashed().unwrap().0, hashed.0, "each has a salt of its own");
        assert!(!Hashed::of_nobody().is_of(&password("correct horse battery")));
        assert!(Hashed::of_nobody().read().is_some(), "it takes as long as that of somebody");
        for text in ["", "$argon2id$v=19$m=19456,t=2,p=1$AAAA", "$argon2i$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAA$AAAA"] {
            assert!(!Hashed(text.to_owned()).is_of(&password("")), "{text}");
        }
    }

    /// By the reference implementation (`argon2-cffi`), with the bytes 0 to 15 as salt.
    #[test]
    fn what_others_hashed_is_known() {
        let known = "$argon2id$v=19$m=19456,t=2,p=1$AAECAwQFBgcICQoLDA0ODw$quyusfeeuAGbpiw09i+j4VKJ+I/5h3mugd4HghmS/x8";
        assert!(Hashed(known.to_owned()).is_of(&password("correct horse battery")));
        assert!(!Hashed(known.to_owned()).is_of(&password("correct horse batterz")));
    }

    #[test]
    fn how_long_a_password_is() {
        for (text, fit) in [
            ("", Err(Unfit::TooShort)),
            ("elf buchstab", Ok(())),
            ("elf buchsta", Err(Unfit::TooShort)),
            ("ääääääääääää", Ok(())),
            ("äääää äääää", Err(Unfit::TooShort)),
            ("two lines\nof it", Err(Unfit::NoLine)),
        ] {
            assert_eq!(password(text).hashed().map(|_| ()), fit, "{text}");
        }
        assert_eq!(password(&"x".repeat(limits::PASSWORD_BYTES + 1)).hashed().map(|_| ()), Err(Unfit::TooLong));
        assert_eq!(Password::shown(vec![0xff; 20]).hashed().map(|_| ()), Err(Unfit::NoLine));
    }
}
