//! A folder of pages. What somebody else wrote is never overwritten, and nothing is ever removed.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

use runbook_engine::report::guide::{self, is_ours};

use super::{Chosen, command, today};
use crate::args::{Docs, GuideFormat};
use crate::exit::{Exit, Outcome, Trouble};
use crate::ui::words::{count, shell_word};
use crate::ui::{Tone, Ui};

/// What a folder is to hold.
pub struct Pages {
    /// Page by the name of its file.
    pages: BTreeMap<String, String>,
    /// How the names of such pages end.
    suffix: &'static str,
    /// Whether they are all: another one of ours is left over.
    all: bool,
}

pub fn pages(chosen: &[Chosen], args: &Docs) -> Result<Pages, Trouble> {
    let suffix = match args.format {
        GuideFormat::Md => ".md",
        GuideFormat::Html => ".html",
        GuideFormat::Man => ".7",
        GuideFormat::Manual => ".manual.html",
    };
    let mut pages = BTreeMap::new();
    let mut rows = Vec::new();
    for one in chosen {
        let name = format!("{}{suffix}", one.plan.main().name);
        rows.push(one.row(name.clone(), None, today()));
        if pages.insert(name, one.page(args.format)?).is_some() {
            let trouble = Trouble::not_valid(format!("two procedures are called `{}`", one.plan.main().name));
            return Err(trouble.next("write one of them into another folder"));
        }
    }
    let all = args.what.is_empty();
    if all {
        // A kept page has no dates of this machine's record.
        for (row, one) in rows.iter_mut().zip(chosen) {
            let every = one.document.exercise_every.as_ref().map(|every| format!("every {}", guide::days(every.value)));
            row.exercised = every.unwrap_or_default();
        }
        let index = match args.format {
            GuideFormat::Md => Some(("index.md", guide::index_in_markdown(&rows, false))),
            GuideFormat::Html | GuideFormat::Manual => Some(("index.html", guide::index_in_html(&rows, false))),
            GuideFormat::Man => None,
        };
        if let Some((name, index)) = index
            && pages.insert(name.to_owned(), index).is_some()
        {
            return Err(Trouble::not_valid("a procedure is called `index`, as the list of all is").next("give it another name"));
        }
    }
    Ok(Pages { pages, suffix, all })
}

/// What stands in a file; nothing where there is none.
fn read(path: &Path) -> Result<Option<String>, Trouble> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(why) if why.kind() == ErrorKind::NotFound => Ok(None),
        Err(why) => Err(Trouble::unreadable(path, &why)),
    }
}

pub fn write(wanted: &Pages, out: &Path, ui: &mut Ui) -> Outcome {
    std::fs::create_dir_all(out).map_err(|why| Trouble::unwritable(out, &why))?;
    let mut written = 0;
    for (name, page) in &wanted.pages {
        let path = out.join(name);
        match read(&path)? {
            Some(there) if there == *page => continue,
            Some(there) if !is_ours(&there) => return Err(foreign(&path)),
            _ => {}
        }
        // Nobody sees half a page.
        let beside = out.join(format!(".{name}.{}.new", std::process::id()));
        std::fs::write(&beside, page).and_then(|()| std::fs::rename(&beside, &path)).map_err(|why| {
            let _ = std::fs::remove_file(&beside);
            Trouble::unwritable(&path, &why)
        })?;
        ui.data(&path.display().to_string())?;
        written += 1;
    }
    let pages = count(wanted.pages.len() as u64, "page", "pages");
    ui.say(&format!("{}: {pages}, {written} written", Tone::Good.paint("fresh")));
    for name in left_over(wanted, out)? {
        ui.say(&format!("{}: {}: no procedure has this page", Tone::Warning.paint("left over"), out.join(name).display()));
    }
    Ok(Exit::Succeeded)
}

fn foreign(path: &Path) -> Trouble {
    let trouble = Trouble::failed(format!("{} was not written by `runbook docs`", path.display()));
    trouble.next("name another folder, or move that file")
}

/// Names each page that is not as it would be written now.
pub fn check(wanted: &Pages, out: &Path, args: &Docs, ui: &mut Ui) -> Outcome {
    let mut wrong = 0;
    let mut tell = |word: &str, name: &str, ui: &mut Ui| {
        wrong += 1;
        ui.data(&format!("{word}: {}", out.join(name).display()))
    };
    for (name, page) in &wanted.pages {
        match read(&out.join(name))? {
            Some(there) if there == *page => {}
            Some(_) => tell("stale", name, ui)?,
            None => tell("missing", name, ui)?,
        }
    }
    for name in left_over(wanted, out)? {
        tell("left over", &name, ui)?;
    }
    if wrong == 0 {
        ui.say(&format!("{}: {}", Tone::Good.paint("fresh"), count(wanted.pages.len() as u64, "page", "pages")));
        return Ok(Exit::Succeeded);
    }
    ui.say(&format!("{}: {}", Tone::Bad.paint("not fresh"), count(wrong, "page", "pages")));
    ui.next(&format!("{} --out {}", command(args), shell_word(&out.to_string_lossy())));
    Ok(Exit::Failed)
}

/// Pages of ours that nothing is written to any more.
fn left_over(wanted: &Pages, out: &Path) -> Result<Vec<String>, Trouble> {
    let entries = match std::fs::read_dir(out) {
        Ok(entries) if wanted.all => entries,
        Ok(_) => return Ok(Vec::new()),
        Err(why) if why.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(why) => return Err(Trouble::unreadable(out, &why)),
    };
    let mut found = Vec::new();
    for entry in entries.flatten() {
        let Ok(name) = entry.file_name().into_string() else { continue };
        let other = wanted.suffix == ".html" && name.ends_with(".manual.html");
        let ours = name.ends_with(wanted.suffix) && !other && !name.starts_with('.') && !wanted.pages.contains_key(&name);
        if ours && read(&entry.path())?.is_some_and(|page| is_ours(&page)) {
            found.push(name);
        }
    }
    found.sort();
    Ok(found)
}
