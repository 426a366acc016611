//! Lines of processes that each start the next in a session of its own and end at once: they run ahead of every look at the
//! process table. None goes on without being named.
//!
//! Each line counts down and ends by itself within seconds, whatever becomes of the test.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tokio::io::AsyncReadExt;

use super::{Environment, Launch, Stopped, Stream, Tree};

/// A link of shells; what is printed once the line is on its way tells the test to begin.
const LINK: &str = r#"S='[ $1 -ne 2950 ] || echo up; [ $1 -eq 0 ] || { setsid sh -c "$S" sh $(($1 - 1)) $2 & }'; export S;"#;

/// `forks LEFT NUMBER` is a line of forks alone, with no other program between them. `vforks NUMBER` is a parent that the kernel holds
/// until its child, in a session of its own and deaf to SIGTERM, has ended or become another program; it never does the latter.
const NATIVE: &str = r#"
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int main(int count, char **words) {
    if (strstr(words[0], "vforks")) {
        if (vfork() == 0) {
            setsid();
            signal(SIGTERM, SIG_IGN);
            write(1, "+", 1);
            for (int second = 0; second < 120; second++) sleep(1);
            _exit(0);
        }
        return 0;
    }
    for (long left = atol(words[1]), begin = left; left > 0; left--) {
        if (fork() != 0) _exit(0);
        setsid();
        if (left == begin - 50) write(1, "+", 1);
    }
    return 0;
}
"#;

/// Makes `forks` and `vforks` in this folder.
pub fn compile(folder: &Path) {
    let (source, forks) = (folder.join("native.c"), folder.join("forks"));
    std::fs::write(&source, NATIVE).unwrap();
    assert!(Command::new("cc").arg("-Wno-unused-result").arg("-o").arg(&forks).arg(&source).status().unwrap().success());
    std::fs::hard_link(&forks, folder.join("vforks")).unwrap();
}

/// Processes whose arguments hold this number; looked for again and again, because a line moves on.
fn holding(number: &str) -> BTreeSet<String> {
    let looks = (0..30).flat_map(|_| std::fs::read_dir("/proc").unwrap().flatten());
    let lines = looks.map(|entry| std::fs::read(entry.path().join("cmdline")).unwrap_or_default());
    lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " ")).filter(|line| line.contains(number)).collect()
}

struct Desk {
    folder: tempfile::TempDir,
    environment: Environment,
}

impl Desk {
    fn start(&self, script: &str, attempt: &str) -> Tree {
        let launch = Launch {
            file: Path::new("/bin/sh"),
            argv: &["sh", "-c", script],
            environment: &self.environment,
            dir: self.folder.path(),
            hold: &Default::default(),
            stdin: Stream::Nothing,
            stderr: Stream::Nothing,
        };
        Tree::start(&launch, attempt).unwrap()
    }

    /// Ends the tree of a script in the middle of it, and says what is still there.
    async fn end(&self, script: &str, number: &str) -> (Stopped, BTreeSet<String>) {
        let mut tree = self.start(&script.replace("NUMBER", number), &format!("01chain/{number}/1"));
        tree.stdout().unwrap().read_u8().await.unwrap();
        let stopped = tree.stop(Duration::ZERO).await;
        (stopped, holding(number))
    }
}

#[tokio::test]
async fn a_line_is_ended_or_named() {
    let environment = std::env::vars_os().filter(|(name, _)| name == "PATH").collect();
    let desk = Desk { folder: tempfile::tempdir().unwrap(), environment };
    compile(desk.folder.path());
    let shells = format!("{LINK} sh -c \"$S\" sh 3000 NUMBER");
    let wiped = format!("{LINK} env -i S=\"$S\" PATH=\"$PATH\" sh -c \"$S\" sh 3000 NUMBER");
    let cases = [
        ("of shells", format!("{shells}; sleep 20")),
        ("of shells, behind the leader", shells),
        ("of shells without our mark", format!("{wiped}; sleep 20")),
        ("of shells without our mark, behind the leader", wiped.clone()),
        ("of forks", "./forks 8000 NUMBER; sleep 20".to_owned()),
        ("of forks, behind the leader", "./forks 8000 NUMBER".to_owned()),
        ("a parent that waits for the memory that it lent", "./vforks NUMBER; sleep 20".to_owned()),
    ];
    let number = |case: usize, round: u32| format!("1{:07}{case}{round}", std::process::id());
    for (place, (name, script)) in cases.iter().enumerate() {
        for round in 0..3 {
            let (stopped, left) = desk.end(script, &number(place, round)).await;
            assert_eq!(stopped.survivors, [], "{name}, round {round}: {left:?}");
            // Other tests of this program may be under way, and then what has wiped the mark may be theirs.
            let named = script.contains("env -i") && !stopped.strays.is_empty();
            assert!(left.is_empty() || named, "{name}, round {round}: {left:?}, {stopped:?}");
        }
    }
    // While another attempt is under way, nobody can tell whose a line without a mark is.
    let mut another = desk.start("echo up; sleep 60", "01chain/another/1");
    another.stdout().unwrap().read_u8().await.unwrap();
    let (stopped, left) = desk.end(&wiped, &number(cases.len(), 0)).await;
    assert!(!left.is_empty() && !stopped.strays.is_empty(), "{left:?}, {stopped:?}");
    another.stop(Duration::ZERO).await;
}
