//! Settings: flag > environment variable > workspace > user > default, each with where it came from.
//!
//! A settings file is one `key: value` a line. The workspace's file travels with a catalogue that somebody else may have
//! written, so it cannot say where records are kept. The process environment is an argument: nothing here reads it.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use crate::args::Global;
use crate::exit::Trouble;

/// When to colour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set; CLICOLOR_FORCE colours always
    #[default]
    Auto,
    Always,
    Never,
}

/// How to show a run as it goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Progress {
    /// `live` on a terminal, else `plain`
    #[default]
    Auto,
    /// A view that is drawn again and again; `plain` where the terminal cannot
    Live,
    /// Lines that are only ever added
    Plain,
    /// Nothing until the end
    None,
}

/// Where a setting's value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    Flag(&'static str),
    Variable(&'static str),
    Workspace(PathBuf),
    User(PathBuf),
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Flag(flag) => write!(f, "flag {flag}"),
            Origin::Variable(name) => write!(f, "environment {name}"),
            Origin::Workspace(path) => write!(f, "workspace {}", path.display()),
            Origin::User(path) => write!(f, "user {}", path.display()),
            Origin::Default => f.write_str("default"),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting<T> {
    pub value: T,
    pub origin: Origin,
}

#[derive(Debug, Clone)]
pub struct Settings {
    /// Where procedures are looked for: the root of the catalogue, or the folder that stands for it.
    pub catalogue: Setting<PathBuf>,
    /// Where nothing names a folder, that is only a trouble for a command that needs it.
    state: Result<Setting<PathBuf>, String>,
    /// The address of a server whose runs are meant, in place of those of the state folder.
    pub server: Option<Setting<String>>,
    /// Certificates of the authority that vouches for it.
    pub server_ca: Option<Setting<PathBuf>>,
    /// A file with the token for it.
    pub token_file: Option<Setting<PathBuf>>,
    /// The environment of the workspace that runs use where a command does not say.
    pub environment: Setting<Option<String>>,
    pub color: Setting<Color>,
    pub progress: Setting<Progress>,
}

/// Every key of a settings file, with what it means and whether a workspace's file may have it.
pub const KEYS: [(&str, &str, bool); 8] = [
    ("catalogue", "folder with the procedures", false),
    ("state", "folder with the runs' records and logs", false),
    ("server", "address of the server whose runs are meant, in place of those of `state`", false),
    ("server_ca", "file with certificates of the authority that vouches for the server", false),
    ("token_file", "file that holds the token for the server", false),
    ("environment", "the environment that runs use where a command does not say", true),
    ("color", "auto, always or never", true),
    ("progress", "auto, live, plain or none", true),
];

/// What the process was given.
pub struct Process<'a> {
    pub variable: &'a dyn Fn(&str) -> Option<OsString>,
    pub working_dir: &'a Path,
    /// The text of a file, or `None` where there is none.
    pub read: &'a dyn Fn(&Path) -> Result<Option<String>, String>,
}

impl Process<'_> {
    fn text(&self, name: &str) -> Option<String> {
        (self.variable)(name).and_then(|v| v.into_string().ok()).filter(|v| !v.is_empty())
    }

    /// An XDG base folder. The specification says that one that is not absolute is ignored.
    fn base(&self, variable: &str, below_home: &str) -> Result<PathBuf, String> {
        let absolute = |name: &str| (self.variable)(name).map(PathBuf::from).filter(|p| p.is_absolute());
        let below_home = || absolute("HOME").map(|home| home.join(below_home));
        absolute(variable).or_else(below_home).ok_or_else(|| format!("neither {variable} nor HOME names a folder"))
    }
}

impl Settings {
    pub fn resolve(flags: &Global, process: &Process<'_>) -> Result<Settings, Trouble> {
        let user = match process.base("XDG_CONFIG_HOME", ".config") {
            Ok(base) => File::read(process, base.join("runbook").join("config.yaml"), Owner::User)?,
            Err(_) => None,
        };
        let catalogue = catalogue(flags, process, user.as_ref());
        let workspace = File::read(process, catalogue.value.join(".runbook").join("config.yaml"), Owner::Workspace)?;
        let files = Files { workspace, user };

        let state = match (&flags.state, process.text("RUNBOOK_STATE"), files.text("state")) {
            (Some(dir), _, _) => Ok(Setting { value: process.working_dir.join(dir), origin: Origin::Flag("--state") }),
            (None, Some(dir), _) => Ok(Setting { value: process.working_dir.join(dir), origin: Origin::Variable("RUNBOOK_STATE") }),
            (None, None, Some((dir, origin))) => Ok(Setting { value: process.working_dir.join(dir), origin }),
            (None, None, None) => {
                let base = process.base("XDG_STATE_HOME", ".local/state");
                base.map(|base| Setting { value: base.join("runbook"), origin: Origin::Default })
            }
        };
        let server = said(flags.server.clone(), "--server", "RUNBOOK_SERVER", "server", process, &files);
        // Whoever names a folder means what is in it.
        let names_state = matches!(&state, Ok(Setting { origin: Origin::Flag(_), .. }));
        let server = server.filter(|server| !names_state || matches!(server.origin, Origin::Flag(_)));
        let file = |flag: Option<&PathBuf>, flag_name, variable, key| {
            let flag = flag.map(|path| path.to_string_lossy().into_owned());
            said(flag, flag_name, variable, key, process, &files)
                .map(|found| Setting { value: process.working_dir.join(found.value), origin: found.origin })
        };
        let server_ca = file(flags.server_ca.as_ref(), "--server-ca", "RUNBOOK_SERVER_CA", "server_ca");
        let token_file = file(None, "", "RUNBOOK_TOKEN_FILE", "token_file");
        let environment = match (process.text("RUNBOOK_ENVIRONMENT"), files.text("environment")) {
            (Some(name), _) => Setting { value: Some(name), origin: Origin::Variable("RUNBOOK_ENVIRONMENT") },
            (None, Some((name, origin))) => Setting { value: Some(name.to_owned()), origin },
            (None, None) => Setting { value: None, origin: Origin::Default },
        };
        Ok(Settings {
            catalogue,
            state,
            server,
            server_ca,
            token_file,
            environment,
            color: choice(flags.color, "--color", "RUNBOOK_COLOR", "color", process, &files)?,
            progress: choice(flags.progress, "--progress", "RUNBOOK_PROGRESS", "progress", process, &files)?,
        })
    }

    /// The folder with the runs' records and logs.
    pub fn state(&self) -> Result<&Setting<PathBuf>, Trouble> {
        self.state.as_ref().map_err(|why| Trouble::not_valid(why.as_str()).next("give the folder with --state DIR"))
    }

    /// The same, where it is there already.
    pub fn kept_state(&self) -> Option<&Path> {
        self.state.as_ref().ok().map(|state| state.value.as_path()).filter(|state| state.is_dir())
    }
}

fn catalogue(flags: &Global, process: &Process<'_>, user: Option<&File>) -> Setting<PathBuf> {
    if let Some(dir) = &flags.catalogue {
        return Setting { value: process.working_dir.join(dir), origin: Origin::Flag("--catalogue") };
    }
    if let Some(dir) = process.text("RUNBOOK_CATALOGUE") {
        return Setting { value: process.working_dir.join(dir), origin: Origin::Variable("RUNBOOK_CATALOGUE") };
    }
    let has_workspace = |dir: &&Path| (process.read)(&dir.join("workspace.yaml")).is_ok_and(|text| text.is_some());
    if let Some(root) = process.working_dir.ancestors().find(has_workspace) {
        return Setting { value: root.to_owned(), origin: Origin::Default };
    }
    match user.and_then(|file| file.get("catalogue").map(|dir| (dir, &file.path))) {
        Some((dir, path)) => Setting { value: process.working_dir.join(dir), origin: Origin::User(path.clone()) },
        None => Setting { value: process.working_dir.to_owned(), origin: Origin::Default },
    }
}

/// A text by flag, variable or file.
fn said(
    flag: Option<String>,
    flag_name: &'static str,
    variable: &'static str,
    key: &str,
    process: &Process<'_>,
    files: &Files,
) -> Option<Setting<String>> {
    match (flag, process.text(variable), files.text(key)) {
        (Some(value), _, _) => Some(Setting { value, origin: Origin::Flag(flag_name) }),
        (None, Some(value), _) => Some(Setting { value, origin: Origin::Variable(variable) }),
        (None, None, Some((value, origin))) => Some(Setting { value: value.to_owned(), origin }),
        (None, None, None) => None,
    }
}

fn choice<T: ValueEnum + Default>(
    flag: Option<T>,
    flag_name: &'static str,
    variable: &'static str,
    key: &str,
    process: &Process<'_>,
    files: &Files,
) -> Result<Setting<T>, Trouble> {
    let parse = |text: &str, origin: Origin| match T::from_str(text, false) {
        Ok(value) => Ok(Setting { value, origin }),
        Err(_) => {
            let known: Vec<_> =
                T::value_variants().iter().filter_map(|v| v.to_possible_value()).map(|v| v.get_name().to_owned()).collect();
            Err(Trouble::not_valid(format!("`{text}` is not a value of {key} ({origin})"))
                .next(format!("use one of: {}", known.join(", "))))
        }
    };
    match (flag, process.text(variable), files.text(key)) {
        (Some(value), _, _) => Ok(Setting { value, origin: Origin::Flag(flag_name) }),
        (None, Some(text), _) => parse(&text, Origin::Variable(variable)),
        (None, None, Some((text, origin))) => parse(text, origin),
        (None, None, None) => Ok(Setting { value: T::default(), origin: Origin::Default }),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    Workspace,
    User,
}

struct File {
    path: PathBuf,
    entries: Vec<(String, String)>,
}

struct Files {
    workspace: Option<File>,
    user: Option<File>,
}

impl Files {
    fn text(&self, key: &str) -> Option<(&str, Origin)> {
        let workspace = self.workspace.as_ref().and_then(|f| f.get(key).map(|v| (v, Origin::Workspace(f.path.clone()))));
        workspace.or_else(|| self.user.as_ref().and_then(|f| f.get(key).map(|v| (v, Origin::User(f.path.clone())))))
    }
}

impl File {
    fn get(&self, key: &str) -> Option<&str> {
        self.entries.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str())
    }

    fn read(process: &Process<'_>, path: PathBuf, owner: Owner) -> Result<Option<File>, Trouble> {
        let Some(text) = (process.read)(&path).map_err(|why| {
            let trouble = Trouble::not_valid(format!("cannot read the settings in {}: {why}", path.display()));
            trouble.next("mend the file, or move it away")
        })?
        else {
            return Ok(None);
        };
        let mut entries: Vec<(String, String)> = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let at = || format!("{}:{number}", path.display());
            let Some((key, value)) = line.split_once(':') else {
                let trouble = Trouble::not_valid(format!("{}: a setting is written `key: value`", at()));
                return Err(trouble.next(format!("write, for example, `{}: …`", KEYS[0].0)));
            };
            let (key, value) = (key.trim(), unquoted(value));
            match KEYS.iter().find(|(name, _, _)| *name == key) {
                None => {
                    let known: Vec<_> = KEYS.iter().map(|(name, _, _)| *name).collect();
                    return Err(Trouble::not_valid(format!("{}: there is no setting `{key}`", at()))
                        .next(format!("use one of: {}", known.join(", "))));
                }
                Some((_, _, false)) if owner == Owner::Workspace => {
                    return Err(Trouble::not_valid(format!("{}: a workspace cannot set `{key}`", at()))
                        .next(format!("set `{key}` in your own settings, or with a flag")));
                }
                Some(_) if entries.iter().any(|(k, _)| k == key) => {
                    return Err(Trouble::not_valid(format!("{}: `{key}` is set twice", at())).next("keep one of the two lines"));
                }
                Some(_) => entries.push((key.to_owned(), value.to_owned())),
            }
        }
        Ok(Some(File { path, entries }))
    }
}

/// The value without a comment behind it or the quotes around it.
fn unquoted(value: &str) -> &str {
    let value = value.trim();
    for quote in ['"', '\''] {
        if let Some(inner) = value.strip_prefix(quote).and_then(|rest| rest.split_once(quote)) {
            return inner.0;
        }
    }
    value.split_once(" #").map_or(value, |(before, _)| before.trim_end())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn resolve(flags: Global, variables: &[(&str, &str)], files: &[(&str, &str)]) -> Result<Settings, Trouble> {
        let variables: BTreeMap<_, _> = variables.iter().copied().collect();
        let files: BTreeMap<_, _> = files.iter().map(|(path, text)| (PathBuf::from(path), *text)).collect();
        Settings::resolve(
            &flags,
            &Process {
                variable: &|name| variables.get(name).map(OsString::from),
                working_dir: Path::new("/work/team/deep"),
                read: &|path| Ok(files.get(path).map(|t| (*t).to_owned())),
            },
        )
    }

    #[test]
    fn the_nearer_layer_wins() {
        let flag = || Global { color: Some(Color::Always), ..Global::default() };
        let variable = [("HOME", "/home/ann"), ("RUNBOOK_COLOR", "never")];
        let home = [("HOME", "/home/ann")];
        let workspace = ("/work/team/workspace.yaml", "");
        let of_workspace = ("/work/team/.runbook/config.yaml", "color: always # here");
        let of_user = ("/home/ann/.config/runbook/config.yaml", "# mine\ncolor: \"never\"\n");
        for (flags, variables, files, color, origin) in [
            (flag(), &variable[..], &[workspace, of_workspace, of_user][..], Color::Always, "flag --color"),
            (Global::default(), &variable[..], &[workspace, of_workspace, of_user][..], Color::Never, "environment RUNBOOK_COLOR"),
            (
                Global::default(),
                &home[..],
                &[workspace, of_workspace, of_user][..],
                Color::Always,
                "workspace /work/team/.runbook/config.yaml",
            ),
            (Global::default(), &home[..], &[workspace, of_user][..], Color::Never, "user /home/ann/.config/runbook/config.yaml"),
            (Global::default(), &home[..], &[][..], Color::Auto, "default"),
        ] {
            let settings = resolve(flags, variables, files).unwrap();
            assert_eq!((settings.color.value, settings.color.origin.to_string().as_str()), (color, origin));
        }
    }

    #[test]
    fn folders_follow_xdg() {
        for (variables, state) in [
            (&[("HOME", "/home/ann")][..], "/home/ann/.local/state/runbook"),
            (&[("HOME", "/home/ann"), ("XDG_STATE_HOME", "/var/ann")][..], "/var/ann/runbook"),
            (&[("HOME", "/home/ann"), ("XDG_STATE_HOME", "relative")][..], "/home/ann/.local/state/runbook"),
            (&[("RUNBOOK_STATE", "here")][..], "/work/team/deep/here"),
        ] {
            assert_eq!(resolve(Global::default(), variables, &[]).unwrap().state().unwrap().value, PathBuf::from(state));
        }
        assert!(resolve(Global::default(), &[], &[]).unwrap().state().is_err());
    }

    #[test]
    fn a_folder_that_is_named_is_meant_and_no_server() {
        let flags = |state: Option<&str>, server: Option<&str>| Global {
            state: state.map(PathBuf::from),
            server: server.map(str::to_owned),
            ..Global::default()
        };
        let variables = [("HOME", "/h"), ("RUNBOOK_SERVER", "https://of-variable"), ("RUNBOOK_TOKEN_FILE", "token")];
        let server = |flags: Global| resolve(flags, &variables, &[]).unwrap().server.map(|server| server.value);
        assert_eq!(server(flags(None, None)).as_deref(), Some("https://of-variable"));
        assert_eq!(server(flags(Some("here"), None)), None);
        assert_eq!(server(flags(Some("here"), Some("https://of-flag"))).as_deref(), Some("https://of-flag"));
        let settings = resolve(Global::default(), &variables, &[]).unwrap();
        assert_eq!(settings.token_file.unwrap().value, PathBuf::from("/work/team/deep/token"));
    }

    #[test]
    fn the_catalogue_is_the_nearest_workspace() {
        let settings = resolve(Global::default(), &[("HOME", "/h")], &[("/work/workspace.yaml", "")]).unwrap();
        assert_eq!(settings.catalogue.value, PathBuf::from("/work"));
        let settings = resolve(Global::default(), &[("HOME", "/h")], &[]).unwrap();
        assert_eq!(settings.catalogue.value, PathBuf::from("/work/team/deep"));
    }

    #[test]
    fn faults_name_the_place() {
        let user = "/h/.config/runbook/config.yaml";
        let shared = "/work/team/.runbook/config.yaml";
        for (path, text, why) in [
            (user, "colour: never", "config.yaml:1: there is no setting `colour`"),
            (user, "\ncolor", "config.yaml:2: a setting is written `key: value`"),
            (user, "color: never\ncolor: auto", "config.yaml:2: `color` is set twice"),
            (user, "color: blue", "`blue` is not a value of color"),
            (shared, "state: /tmp", "a workspace cannot set `state`"),
            (shared, "server: https://elsewhere.example.org", "a workspace cannot set `server`"),
        ] {
            let error = resolve(Global::default(), &[("HOME", "/h")], &[("/work/team/workspace.yaml", ""), (path, text)]);
            let message = error.unwrap_err().message;
            assert!(message.contains(why), "{message}");
        }
    }
}
