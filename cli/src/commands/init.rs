//! `runbook init`: a workspace and a first procedure, in files that are there to be read and changed.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::Path;

use runbook_engine::people::local_user;

use super::schema;
use crate::args::Init;
use crate::exit::{Exit, Outcome, Trouble};
use crate::settings::{Origin, Settings};
use crate::ui::Ui;
use crate::ui::words::shell_word;

/// `your-name` is filled in.
const WORKSPACE: &str = include_str!("init/workspace.yaml");
const HELLO: &str = include_str!("init/hello.yaml");

pub fn run(args: &Init, settings: &Settings, ui: &mut Ui) -> Outcome {
    let dir = match (&args.dir, &settings.catalogue.origin) {
        (Some(dir), _) => dir.as_path(),
        (None, Origin::Flag(_)) => &settings.catalogue.value,
        (None, _) => Path::new("."),
    };
    std::fs::create_dir_all(dir).map_err(|why| Trouble::unwritable(dir, &why))?;
    let mut say = |written, path: &Path| ui.say(&format!("{} {}", if written { "wrote" } else { "kept " }, path.display()));
    say(schema::write(dir)?, &schema::file(dir));
    for (name, text) in [("workspace.yaml", workspace()), ("hello.yaml", HELLO.to_owned())] {
        let path = dir.join(name);
        say(write_new(&path, &(schema::modeline(dir) + &text))?, &path);
    }
    let elsewhere = args.dir.as_ref().filter(|dir| dir.as_os_str() != ".");
    ui.next(&match elsewhere {
        None => "runbook exec hello".to_owned(),
        Some(dir) => format!("cd {} && runbook exec hello", shell_word(&dir.to_string_lossy())),
    });
    Ok(Exit::Succeeded)
}

/// With whoever makes it as the one person there is yet.
fn workspace() -> String {
    let plain = |name: &String| {
        let sign = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_".contains(&b);
        name.bytes().all(sign) && name.starts_with(|c: char| c.is_ascii_lowercase())
    };
    let user = local_user().ok().map(|user| user.user).filter(plain);
    user.map_or_else(|| WORKSPACE.to_owned(), |user| WORKSPACE.replace("your-name", &user))
}

/// Writes a file that is not there yet. False where it is, which is left as it was.
pub fn write_new(path: &Path, text: &str) -> Result<bool, Trouble> {
    let cannot = |why: std::io::Error| Trouble::unwritable(path, &why);
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(mut file) => file.write_all(text.as_bytes()).map(|()| true).map_err(cannot),
        Err(why) if why.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(why) => Err(cannot(why)),
    }
}
