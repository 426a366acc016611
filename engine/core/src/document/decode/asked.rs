//! What the decoder asks a document for, noted for the test that holds it and the vocabulary together.

use std::cell::RefCell;

#[derive(Default)]
pub(crate) struct Asked {
    /// What a map describes, and the keys that may stand in it.
    pub maps: Vec<(&'static str, Vec<&'static str>)>,
    /// A key, and the words that its value may be.
    pub words: Vec<(String, Vec<&'static str>)>,
}

thread_local! {
    static ASKED: RefCell<Asked> = RefCell::default();
}

pub(super) fn map(what: &'static str, keys: &[&'static str]) {
    ASKED.with_borrow_mut(|asked| asked.maps.push((what, keys.to_vec())));
}

pub(super) fn word(key: &str, words: Vec<&'static str>) {
    ASKED.with_borrow_mut(|asked| asked.words.push((key.to_owned(), words)));
}

pub(crate) fn take() -> Asked {
    ASKED.take()
}
