//! `runbook fmt`: documents in their canonical form. A file is replaced as a whole or not at all, and only where what is written
//! has been shown to say what was read.

use std::io::{Read, Write};
use std::path::Path;

use runbook_core::diagnostic::Source;
use runbook_core::layout::{self, Unlaid};
use runbook_core::limits;
use runbook_engine::catalogue::{self, Catalogue};
use tempfile::NamedTempFile;

use super::check;
use crate::args::Fmt;
use crate::exit::{Exit, Outcome, Trouble};
use crate::settings::Settings;
use crate::ui::words::count;
use crate::ui::{Tone, Ui};

pub fn run(args: &Fmt, settings: &Settings, ui: &mut Ui) -> Outcome {
    if args.what.iter().any(|what| what == "-") {
        return from_standard_input(args, ui);
    }
    let mut tally = Tally::default();
    if args.what.is_empty() {
        let catalogue = Catalogue::open(&settings.catalogue.value)?;
        catalogue.files().iter().try_for_each(|file| one(file, args.check, ui, &mut tally))?;
    }
    for what in &args.what {
        let (catalogue, only) = check::meant(what, settings)?;
        let meant = |file: &&catalogue::File| only.as_ref().is_none_or(|only| file.source.name == *only);
        catalogue.files().iter().filter(meant).try_for_each(|file| one(file, args.check, ui, &mut tally))?;
    }
    if tally.files == 0 {
        return Err(Trouble::not_valid("there is no document here").next("runbook init"));
    }
    ui.say(&tally.line(args.check));
    Ok(tally.exit(args.check))
}

#[derive(Default)]
struct Tally {
    files: u64,
    changed: u64,
    left: u64,
}

impl Tally {
    fn line(&self, checked: bool) -> String {
        let (files, changed) = (count(self.files, "file", "files"), count(self.changed, "file", "files"));
        let said = match (self.changed, checked) {
            (0, _) if self.left == 0 => format!("{}: {files}", Tone::Good.paint("in form")),
            (0, _) => files,
            (_, true) => format!("{}: {changed} of {}", Tone::Bad.paint("not in form"), self.files),
            (_, false) => format!("{}: {changed} of {}", Tone::Good.paint("laid out"), self.files),
        };
        match self.left {
            0 => said,
            left => format!("{said}, {} left as {}", count(left, "file", "files"), if left == 1 { "it is" } else { "they are" }),
        }
    }

    fn exit(&self, checked: bool) -> Exit {
        match (self.left, self.changed) {
            (0, changed) if changed > 0 && checked => Exit::Failed,
            (0, _) => Exit::Succeeded,
            _ => Exit::NotValid,
        }
    }
}

fn one(file: &catalogue::File, check: bool, ui: &mut Ui, tally: &mut Tally) -> Result<(), Trouble> {
    tally.files += 1;
    let name = file.path.display().to_string();
    if !file.is_whole {
        tally.left += 1;
        check::show(&file.found, &file.source, ui);
        return Ok(());
    }
    let Some(text) = laid_out(&file.source, &name, ui) else {
        tally.left += 1;
        return Ok(());
    };
    if *text == *file.source.text {
        return Ok(());
    }
    tally.changed += 1;
    if !check {
        replace(&file.path, &file.source.text, &text)?;
    }
    Ok(ui.data(&name)?)
}

/// The text of a document in its canonical form, or what is said of why there is none.
fn laid_out(source: &Source, name: &str, ui: &mut Ui) -> Option<String> {
    match layout::laid_out(source) {
        Ok(laid) => {
            for left in laid.left.iter().take(limits::LEFT_NAMED) {
                ui.say(&format!("{}: {left}", Tone::Warning.paint(&format!("{name}:{}", left.line))));
            }
            let more = laid.left.len().saturating_sub(limits::LEFT_NAMED) as u64;
            if more > 0 {
                let maps = count(more, "more map", "more maps");
                ui.say(&format!("{}: the order is left in {maps} too, for the same reason", Tone::Warning.paint(name)));
            }
            return Some(laid.text);
        }
        Err(Unlaid::Unread(found)) => check::show(&found.into_sorted(), source, ui),
        Err(why) => ui.say(&format!("{}: left as it is, because {why}", Tone::Warning.paint(name))),
    }
    None
}

/// Puts a new text in the place of a file that still has the old one. Nobody sees half of it.
pub(super) fn replace(path: &Path, old: &str, new: &str) -> Result<(), Trouble> {
    let path = path.canonicalize().map_err(|why| Trouble::unreadable(path, &why))?;
    let unwritable = |why: std::io::Error| Trouble::unwritable(&path, &why);
    let beside = written_beside(&path, new).map_err(unwritable)?;
    // Last of all: to write takes a while, in which an editor may save.
    if std::fs::read_to_string(&path).map_err(|why| Trouble::unreadable(&path, &why))? != old {
        let trouble = Trouble::failed(format!("{} was changed by somebody else at this moment", path.display()));
        return Err(trouble.next("do it again"));
    }
    beside.persist(&path).map(drop).map_err(|failed| unwritable(failed.error))
}

/// A new file beside another one, with its permissions.
fn written_beside(path: &Path, text: &str) -> std::io::Result<NamedTempFile> {
    let name = format!(".{}.", path.file_name().unwrap_or_default().to_string_lossy());
    let mut file = tempfile::Builder::new().prefix(&name).suffix(".new").tempfile_in(path.parent().unwrap_or(path))?;
    file.as_file().set_permissions(std::fs::metadata(path)?.permissions())?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    Ok(file)
}

fn from_standard_input(args: &Fmt, ui: &mut Ui) -> Outcome {
    if args.what.len() > 1 {
        return Err(Trouble::not_valid("standard input is formatted alone").next("runbook fmt -"));
    }
    let mut text = String::new();
    let bound = limits::DOCUMENT_BYTES as u64 + 1;
    let read = std::io::stdin().lock().take(bound).read_to_string(&mut text);
    read.map_err(|why| Trouble::not_valid(format!("cannot read standard input: {why}")).next("give it text in UTF-8"))?;
    let Some(laid) = laid_out(&Source::new("standard input", text.as_str()), "standard input", ui) else {
        return Ok(Exit::NotValid);
    };
    if !args.check {
        ui.raw(laid.as_bytes())?;
    }
    Ok(if args.check && laid != text { Exit::Failed } else { Exit::Succeeded })
}
