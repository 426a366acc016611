//! Each source of secrets, its faults, and that nothing of a secret is in what is said about it.

use std::io::Write;

use super::*;

struct Catalogue {
    folder: tempfile::TempDir,
    identity: age::x25519::Identity,
}

impl Catalogue {
    fn new() -> Catalogue {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("root")).unwrap();
        std::fs::create_dir(folder.path().join("config")).unwrap();
        let catalogue = Catalogue { folder, identity: age::x25519::Identity::generate() };
        catalogue.write("config/age.txt", catalogue.identity.to_string().expose_secret().as_bytes(), 0o600);
        catalogue
    }

    fn write(&self, path: &str, bytes: &[u8], mode: u32) {
        let path = self.folder.path().join(path);
        // A file that nobody may write to can still be replaced.
        let _ = std::fs::remove_file(&path);
        std::fs::write(&path, bytes).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    fn seal(&self, path: &str, text: &str, armour: bool) {
        let recipient = self.identity.to_public();
        let encryptor = age::Encryptor::with_recipients(std::iter::once(&recipient as &dyn age::Recipient)).unwrap();
        let mut sealed = Vec::new();
        let format = if armour { age::armor::Format::AsciiArmor } else { age::armor::Format::Binary };
        let armoured = age::armor::ArmoredWriter::wrap_output(&mut sealed, format).unwrap();
        let mut writer = encryptor.wrap_output(armoured).unwrap();
        writer.write_all(text.as_bytes()).unwrap();
        writer.finish().and_then(|armoured| armoured.finish()).unwrap();
        self.write(path, &sealed, 0o644);
    }

    fn store(&self) -> SecretStore {
        let variables = [("PATH", "/usr/bin:/bin"), ("TOKEN", "from-the-environment"), ("TINY", "abc")];
        let variables = variables.map(|(name, value)| (OsString::from(name), OsString::from(value)));
        SecretStore::new(&self.folder.path().join("root"), &self.folder.path().join("config"), variables)
    }
}

fn age(file: &str, key: &str) -> SecretSource {
    SecretSource::Age { file: file.into(), identity: None, key: key.into() }
}

fn command(argv: &[&str]) -> SecretSource {
    SecretSource::Command(argv.iter().map(|a| (*a).to_owned()).collect())
}

#[test]
fn each_source_gives_its_secret_or_says_why_not() {
    let catalogue = Catalogue::new();
    catalogue.write("root/token", b"from-a-file\n", 0o600);
    catalogue.write("root/key.pem", b"line one\nline two\n", 0o600);
    catalogue.write("root/bytes", b"\xff\xfe\xfd\xfc\xfb", 0o600);
    catalogue.write("root/long", &vec![b'x'; limits::SECRET_BYTES + 1], 0o600);
    catalogue.write("outside", b"out of reach", 0o600);
    std::os::unix::fs::symlink("../outside", catalogue.folder.path().join("root/link")).unwrap();
    let entries = "db/billing: {password: from-age, port: \"5432\"}\nplain: also-from-age\npem: |\n  one one\n  two two\n";
    catalogue.seal("root/secrets.age", entries, false);
    catalogue.seal("root/armoured.age", entries, true);
    catalogue.seal("root/list.age", "- a\n- b\n", false);
    catalogue.write("root/plain.age", b"plain: text", 0o644);
    let file = |path: &str| SecretSource::File(path.into());
    for (source, expect) in [
        (SecretSource::Env("TOKEN".into()), Ok("from-the-environment")),
        (SecretSource::Env("NONE".into()), Err("the environment variable `NONE` is not set")),
        (SecretSource::Env("TINY".into()), Err("fewer than 4 bytes")),
        (file("token"), Ok("from-a-file")),
        (file("key.pem"), Ok("line one\nline two\n")),
        (file("absent"), Err("`absent` cannot be read: No such file")),
        (file("../outside"), Err("outside the catalogue")),
        (file("link"), Err("outside the catalogue")),
        (file("."), Err("it is not a file")),
        (file("bytes"), Err("not text")),
        (file("long"), Err("more than 64 KiB")),
        (command(&["printf", "%s\\n", "from a; command $(x)"]), Ok("from a; command $(x)")),
        (command(&["false"]), Err("the command `false` gave no secret: it ended with exit status: 1")),
        (command(&["no-such-program"]), Err("it cannot be started")),
        (command(&["true"]), Err("fewer than 4 bytes")),
        (command(&["yes", "a long line of output"]), Err("more than 64 KiB")),
        (command(&[]), Err("it cannot be started")),
        (age("secrets.age", "db/billing#password"), Ok("from-age")),
        (age("secrets.age", "db/billing#port"), Ok("5432")),
        (age("secrets.age", "plain"), Ok("also-from-age")),
        (age("secrets.age", "pem"), Ok("one one\ntwo two\n")),
        (age("armoured.age", "plain"), Ok("also-from-age")),
        (age("secrets.age", "db/billing"), Err("`secrets.age` has no secret `db/billing`")),
        (age("secrets.age", "db/billing#user"), Err("has no secret `db/billing#user`")),
        (age("secrets.age", "plain#x"), Err("has no secret `plain#x`")),
        (age("list.age", "plain"), Err("not a map of names to texts")),
        (age("plain.age", "plain"), Err("it is not a file of age")),
        (age("absent.age", "plain"), Err("`absent.age` cannot be read")),
    ] {
        match (catalogue.store().get(&source), expect) {
            (Ok(secret), Ok(expect)) => assert_eq!(secret.expose_secret(), expect, "{source:?}"),
            (Err(error), Err(expect)) => assert!(error.to_string().contains(expect), "{source:?}: {error}"),
            (found, _) => panic!("{source:?}: {found:?} is not {expect:?}"),
        }
    }
}

#[test]
fn another_identity_opens_nothing_and_errors_tell_nothing() {
    let catalogue = Catalogue::new();
    catalogue.seal("root/secrets.age", "plain: very-secret-value\n", false);
    let stranger = age::x25519::Identity::generate();
    catalogue.write("root/other.txt", stranger.to_string().expose_secret().as_bytes(), 0o600);
    catalogue.write("root/noise.txt", b"very-secret-value", 0o600);
    for (identity, expect) in [("other.txt", "is none of its recipients"), ("noise.txt", "is not an identity file of age")] {
        let source = SecretSource::Age { file: "secrets.age".into(), identity: Some(identity.into()), key: "plain".into() };
        let error = catalogue.store().get(&source).unwrap_err().to_string();
        assert!(error.contains(expect) && !error.contains("very-secret"), "{error}");
    }
    let error = catalogue.store().get(&command(&["sh", "-c", "echo very-secret-value >&2; exit 3"])).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("very-secret"), "{error:?}");
}

#[test]
fn a_secret_is_fetched_once_and_masked_from_then_on() {
    let catalogue = Catalogue::new();
    let count = catalogue.folder.path().join("count");
    let script = format!("echo x >> '{}'; echo once-only", count.display());
    let (store, source) = (catalogue.store(), command(&["sh", "-c", &script]));
    assert_eq!(store.masker().unwrap().text("once-only"), "once-only");
    for _ in 0..3 {
        assert_eq!(store.get(&source).unwrap().expose_secret(), "once-only");
    }
    assert_eq!(std::fs::read_to_string(count).unwrap(), "x\n");
    assert_eq!(store.masker().unwrap().text("say once-only"), "say ***");
}

#[test]
fn a_file_that_others_can_read_is_told_about() {
    let catalogue = Catalogue::new();
    for (mode, told) in [(0o600, false), (0o400, false), (0o640, true), (0o644, true)] {
        catalogue.write("root/token", b"from-a-file", mode);
        let store = catalogue.store();
        store.get(&SecretSource::File("token".into())).unwrap();
        let warnings = store.take_warnings();
        assert_eq!(warnings.iter().any(|w| w.contains("chmod 600")), told, "{mode:o} {warnings:?}");
        assert!(store.take_warnings().is_empty());
    }
}
