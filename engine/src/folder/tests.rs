use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;
use crate::clock::ManualClock;
use crate::database::Commits;
use crate::intake::EventFilter;
use runbook_core::event_source::Generic;

struct Scene {
    _scratch: tempfile::TempDir,
    root: PathBuf,
    clock: Arc<ManualClock>,
    intake: Arc<Intake>,
    folders: Folders,
}

impl Scene {
    fn new() -> Scene {
        Scene::with(Generic::default())
    }

    fn with(reading: Generic) -> Scene {
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path().to_owned();
        fs::create_dir(root.join("drops")).unwrap();
        let clock = Arc::new(ManualClock::at("2026-01-01T00:00:00Z".parse().unwrap()));
        let intake = Arc::new(Intake::open(&root.join("state"), Commits::OnTheSpot).unwrap());
        let folders = watching(&root, reading, &intake, &clock);
        Scene { _scratch: scratch, root, clock, intake, folders }
    }

    fn drop_file(&self, name: &str, text: &str) {
        fs::write(self.root.join("drops").join(name), text).unwrap();
    }

    /// Looks, and once more when all that is there has settled.
    fn look(&mut self) -> Vec<Dropped> {
        let mut all = self.folders.look().unwrap();
        self.clock.advance(limits::FOLDER_SETTLED);
        all.extend(self.folders.look().unwrap());
        all
    }

    fn events(&self) -> Vec<crate::intake::Arrived> {
        let mut all = self.intake.events(&EventFilter::default()).unwrap();
        all.reverse();
        all
    }

    fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.root.join("drops").join(folder)).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

fn watching(root: &Path, reading: Generic, intake: &Arc<Intake>, clock: &Arc<ManualClock>) -> Folders {
    let folder = Folder { path: "drops".into(), suffix: ".json".into(), settled: limits::FOLDER_SETTLED, reading };
    let sources = BTreeMap::from([(
        "drops".to_owned(),
        EventSource { kind: SourceKind::Folder(Box::new(folder)), secrets: BTreeMap::new() },
    )]);
    Folders::of(&sources, root, intake.clone(), clock.clone())
}

fn taken(file: &str, new: u64, again: u64) -> Dropped {
    Dropped::Taken { source: "drops".into(), file: file.into(), new, again }
}

#[test]
fn a_file_is_an_event_once_it_stays_as_it_is() {
    let mut scene = Scene::new();
    scene.drop_file("a.json", r#"{"host": "#);
    assert_eq!(scene.folders.look().unwrap(), []);
    scene.clock.advance(limits::FOLDER_SETTLED - Duration::from_millis(1));
    assert_eq!(scene.folders.look().unwrap(), []);
    // Its writer goes on.
    scene.drop_file("a.json", r#"{"host": "db-1"}"#);
    scene.clock.advance(Duration::from_secs(1));
    assert_eq!(scene.folders.look().unwrap(), [], "it has changed, and its time begins anew");
    scene.clock.advance(limits::FOLDER_SETTLED);
    assert_eq!(scene.folders.look().unwrap(), [taken("a.json", 1, 0)]);
    let [event] = scene.events().try_into().unwrap();
    assert_eq!((event.source.as_str(), event.event.key.as_str()), ("drops", "a.json"));
    assert_eq!(event.event.data.get("host"), Some(&Value::text("db-1")));
    assert_eq!((scene.names(""), scene.names(TAKEN)), (vec![".taken".to_owned()], vec![]));
    // The same once more is another event: somebody dropped it again.
    scene.drop_file("a.json", r#"{"host": "db-1"}"#);
    assert_eq!(scene.look(), [taken("a.json", 1, 0)]);
    assert_eq!(scene.events().len(), 2);
}

#[test]
fn what_a_process_left_when_it_died_is_taken_once() {
    let mut scene = Scene::new();
    scene.drop_file("a.json", "{}");
    scene.drop_file("b.json", "{}");
    let drops = scene.root.join("drops");
    fs::create_dir(drops.join(TAKEN)).unwrap();
    // One died after it had moved the file; another before it removed one that was written down.
    fs::rename(drops.join("a.json"), drops.join(TAKEN).join("a.json")).unwrap();
    assert_eq!(scene.folders.look().unwrap(), [taken("a.json", 1, 0)]);
    // A link keeps the inode and its time, as a file that was not removed has them.
    fs::hard_link(drops.join("b.json"), scene.root.join("kept")).unwrap();
    fs::rename(drops.join("b.json"), drops.join(TAKEN).join("b.json")).unwrap();
    assert_eq!(scene.folders.look().unwrap(), [taken("b.json", 1, 0)]);
    fs::rename(scene.root.join("kept"), drops.join(TAKEN).join("b.json")).unwrap();
    let mut other = watching(&scene.root, Generic::default(), &scene.intake, &scene.clock);
    assert_eq!(other.look().unwrap(), [taken("b.json", 0, 1)], "it was counted, and is one event");
    let events = scene.events();
    assert_eq!(events.iter().map(|event| event.again).collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn nothing_is_followed_and_what_is_no_event_is_put_aside() {
    let mut scene = Scene::new();
    let drops = scene.root.join("drops");
    fs::write(scene.root.join("secret"), r#"{"not": "for you"}"#).unwrap();
    symlink(scene.root.join("secret"), drops.join("link.json")).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, drops.join("pipe.json"), FileType::Fifo, Mode::RWXU, 0).unwrap();
    fs::create_dir(drops.join("folder.json")).unwrap();
    fs::hard_link(scene.root.join("secret"), drops.join("hard.json")).unwrap();
    fs::write(drops.join(std::ffi::OsStr::from_bytes(b"\xff.json")), "{}").unwrap();
    for (name, text) in [
        ("bad.json", "{"),
        ("none.json", ""),
        (".hidden.json", "{}"),
        ("other.txt", "{}"),
        ("new\nline.json", "{}"),
        ("-rf.json", "{}"),
    ] {
        scene.drop_file(name, text);
    }
    let large = fs::File::create(drops.join("large.json")).unwrap();
    large.set_len(limits::DELIVERY_BYTES as u64 + 1).unwrap();
    let all = scene.look();
    let refused: BTreeMap<String, String> = all
        .iter()
        .filter_map(|dropped| match dropped {
            Dropped::Refused { file, why, .. } => Some((file.clone(), why.clone())),
            _ => None,
        })
        .collect();
    for (name, why) in [
        ("link.json", "it is a link"),
        ("pipe.json", "it is a link, a pipe"),
        ("\u{fffd}.json", "no text"),
        ("bad.json", "cannot be read"),
        ("none.json", "cannot be read"),
        ("large.json", "more than 4 MiB"),
    ] {
        assert!(refused.get(name).is_some_and(|told| told.contains(why)), "{name}: {refused:?}");
    }
    assert_eq!(refused.len(), 6);
    let mut keys: Vec<String> = scene.events().into_iter().map(|event| event.event.key).collect();
    keys.sort();
    assert_eq!(keys, ["-rf.json", "new\nline.json"]);
    assert_eq!(scene.names(""), [".hidden.json", ".refused", ".taken", "folder.json", "hard.json", "other.txt"]);
    assert_eq!(scene.names(REFUSED).len(), 6);
    assert_eq!(fs::read_to_string(scene.root.join("secret")).unwrap(), r#"{"not": "for you"}"#);
    // A second one of a name lies beside the first.
    scene.drop_file("bad.json", "[");
    scene.look();
    assert!(scene.names(REFUSED).contains(&"bad.json.1".to_owned()));
    // So does one whose name has no room for a number.
    let long = format!("{}.json", "a".repeat(250));
    for _ in 0..2 {
        scene.drop_file(&long, "[");
        assert!(matches!(scene.look().as_slice(), [Dropped::Refused { .. }]));
    }
    assert_eq!(scene.names(REFUSED).len(), 9);
}

#[test]
fn a_folder_that_is_not_there_or_open_to_all_is_told_and_nothing_is_taken() {
    let mut scene = Scene::new();
    let drops = scene.root.join("drops");
    let why = |dropped: Vec<Dropped>| match dropped.as_slice() {
        [Dropped::Closed { why, .. }] => why.clone(),
        other => panic!("{other:?}"),
    };
    scene.drop_file("a.json", "{}");
    fs::set_permissions(&drops, PermissionsExt::from_mode(0o777)).unwrap();
    assert!(why(scene.folders.look().unwrap()).contains("chmod o-w"));
    fs::set_permissions(&drops, PermissionsExt::from_mode(0o770)).unwrap();
    // Somebody laid a link where files are moved to.
    let elsewhere = scene.root.join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    symlink(&elsewhere, drops.join(TAKEN)).unwrap();
    why(scene.folders.look().unwrap());
    scene.clock.advance(limits::FOLDER_SETTLED);
    why(scene.folders.look().unwrap());
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
    fs::remove_file(drops.join(TAKEN)).unwrap();
    assert_eq!(scene.look(), [taken("a.json", 1, 0)]);
    fs::remove_dir_all(&drops).unwrap();
    assert!(why(scene.folders.look().unwrap()).contains("No such file"));
}

#[test]
fn two_processes_take_each_file_once() {
    let mut scene = Scene::new();
    let mut other = watching(&scene.root, Generic::default(), &scene.intake, &scene.clock);
    for number in 0..50 {
        scene.drop_file(&format!("{number}.json"), &format!("{{\"n\": {number}}}"));
    }
    scene.folders.look().unwrap();
    other.look().unwrap();
    scene.clock.advance(limits::FOLDER_SETTLED);
    std::thread::scope(|scope| {
        scope.spawn(|| other.look().unwrap());
        scope.spawn(|| scene.folders.look().unwrap());
    });
    assert_eq!(scene.events().len(), 50);
    assert_eq!(scene.names(TAKEN), Vec::<String>::new());
}

#[test]
fn a_file_of_several_events_is_read_as_the_workspace_says() {
    let origin = runbook_core::plan::Origin { file: 0, position: Default::default() };
    let expression = |text: &str| Some(runbook_core::expr::Expression::parse(text, origin.clone()).unwrap());
    let reading = Generic {
        items: expression("body.all"),
        id: expression("item.id"),
        kind: expression("headers[\"file-name\"]"),
        ..Generic::default()
    };
    let mut scene = Scene::with(reading);
    scene.drop_file("a.json", r#"{"all": [{"id": "1"}, {"id": "2"}]}"#);
    scene.drop_file("b.json", r#"{"all": [{"id": "2"}, {"id": "3"}]}"#);
    assert_eq!(scene.look(), [taken("a.json", 2, 0), taken("b.json", 1, 1)]);
    let told: Vec<(String, String)> = scene.events().into_iter().map(|event| (event.event.id, event.event.kind)).collect();
    let expected = [("1", "a.json"), ("2", "a.json"), ("3", "b.json")];
    assert_eq!(told, expected.map(|(id, kind)| (id.to_owned(), kind.to_owned())));
}

#[test]
fn what_cannot_be_moved_keeps_no_other_file_from_being_taken() {
    let mut scene = Scene::new();
    let drops = scene.root.join("drops");
    // What lies there in its place keeps anything from being put aside.
    fs::write(drops.join(REFUSED), "").unwrap();
    for (name, text) in [("a.json", "{}"), ("bad.json", "{"), ("worse.json", "["), ("z.json", "{}")] {
        scene.drop_file(name, text);
    }
    let left = Dropped::Left { source: "drops".into(), file: "bad.json".into(), why: Errno::NOTDIR.to_string(), others: 1 };
    assert_eq!(scene.look(), [taken("a.json", 1, 0), taken("z.json", 1, 0), left.clone()]);
    assert_eq!(scene.names(TAKEN), ["bad.json", "worse.json"]);
    scene.drop_file("b.json", "{}");
    assert_eq!(scene.look(), [left.clone(), taken("b.json", 1, 0), left], "it is told as long as it is so");
    fs::remove_file(drops.join(REFUSED)).unwrap();
    scene.clock.advance(limits::FOLDER_RETRY);
    assert!(scene.look().iter().all(|dropped| matches!(dropped, Dropped::Refused { .. })));
    assert_eq!((scene.names(TAKEN), scene.names(REFUSED)), (vec![], vec!["bad.json".to_owned(), "worse.json".to_owned()]));
}

#[test]
fn what_may_not_be_taken_hides_nothing_and_many_files_are_taken_a_part_at_a_time() {
    let mut scene = Scene::new();
    let drops = scene.root.join("drops");
    for number in 0..=limits::FOLDER_FILES {
        fs::create_dir(drops.join(format!("{number}.json"))).unwrap();
    }
    for number in 0..limits::FOLDER_TAKEN + 1 {
        scene.drop_file(&format!("file-{number}.json"), "{}");
    }
    assert_eq!(scene.look().len(), limits::FOLDER_TAKEN);
    assert_eq!(scene.folders.look().unwrap().len(), 1, "the rest has settled too");
    assert_eq!(scene.events().len(), limits::FOLDER_TAKEN + 1);
}
