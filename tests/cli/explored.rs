//! `runbook explore`: what it prints, in which form, how it exits; and that what is shipped has nothing to be found.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Desk, procedure};

const DRAIN: &str = "steps:\n- {id: drain, exec: [drain], undo: {exec: [enable]}}\n- {id: look, exec: [look], effect: read}\n";

#[test]
fn a_finding_is_shown_with_its_path() {
    let desk = Desk::new(&[("try.yaml", &procedure(DRAIN))]);
    let ran = desk.run("explore try").exits(0).says("1 finding: walked all 7 states").says("next: runbook explain RB0602");
    let ran = ran.prints("warning[RB0602]: what `drain` changed stays after a failure").prints("--> try.yaml:6:3");
    let ran = ran.prints("= note: path: `drain` succeeds, then `look` fails").prints("= help: write `on_failure: rollback`");
    ran.prints("2. look   fails or times out  ends failed").prints("walked all 7 states");
    desk.run("explore try --strict").exits(1);
    desk.run("explore try.yaml --format markdown")
        .exits(0)
        .prints("## Every path of `try 1.0.0`\n\nwalked all 7 states; 1 finding.\n")
        .prints("| RB0602 | `try.yaml:6:3` | what `drain` changed stays after a failure; it failed | `drain` succeeds, then `look` fails |")
        .prints("| 2. `look` | fails or times out | ends failed | – | drain |");
    let json: serde_json::Value = serde_json::from_str(&desk.run("explore try --format json").exits(0).out).unwrap();
    assert_eq!(json["walked"], serde_json::json!({"places": 7, "complete": true}));
    assert_eq!(json["findings"][0]["code"], "RB0602");
    assert_eq!(json["findings"][0]["path"], serde_json::json!(["`drain` succeeds", "`look` fails"]));
    let last = json["pre_mortem"].as_array().unwrap().iter().find(|fall| fall["path"] == "look").unwrap();
    assert_eq!(last["number"], "2");
    assert_eq!((&last["when"], &last["left"]), (&serde_json::json!(["fails", "times_out"]), &serde_json::json!(["drain"])));
    // Nothing was started, asked or recorded.
    assert!(!desk.dir.path().join(".local").exists());
}

#[test]
fn a_careful_procedure_has_nothing_to_be_found() {
    let careful = DRAIN.replace("effect: read", "effect: read, on_failure: rollback");
    let desk = Desk::new(&[("try.yaml", &procedure(&careful))]);
    desk.run("explore try --strict").exits(0).says("explored: walked all 11 states, nothing found");
}

const WORKSPACE: &str = "apiVersion: runbook/v1
kind: Workspace
environments: {staging: {default: true}, production: {}}
";

const POLICIES: &str = "policies:
  - name: asked
    when: {environments: [production], labels: {tier: database}}
    require:
      must:
        - always_before: {effect: change}
          comes: {verb: approve}
          why: Somebody looks first.
  - name: whole
    when: {effect: destructive}
    require: {must: [{never: {effect: destructive}}]}
";

#[test]
fn a_policy_demands_of_every_path() {
    let labelled = procedure(DRAIN).replace("version: 1.0.0\n", "version: 1.0.0\nlabels: {tier: database}\n");
    let workspace = format!("{WORKSPACE}{POLICIES}");
    let desk = Desk::new(&[("try.yaml", &labelled), ("workspace.yaml", &workspace)]);
    let broken = "in `try` on some path a step of effect `change` begins, and no step `approve` has succeeded before";
    desk.run("explore try -e production")
        .exits(1)
        .prints(&format!("error[RB0610]: {broken}: so the policy `asked` says"))
        .prints("--> workspace.yaml:9:11")
        .prints("keep it: Somebody looks first.");
    // Where it does not apply: another environment, another effect, no such label.
    desk.run("explore try -e staging").exits(0).says("1 finding");
    std::fs::write(desk.path("try.yaml"), procedure(DRAIN)).unwrap();
    desk.run("explore try -e production").exits(0).says("1 finding");
    // What a run is and what people approve is the same with it and without.
    let digest = |desk: &Desk| {
        desk.run("exec try -e production").exits(1);
        let out = desk.run("show last --json").exits(0).out;
        serde_json::from_str::<serde_json::Value>(out.lines().next().unwrap()).unwrap()["body"]["plan"].clone()
    };
    std::fs::write(desk.path("try.yaml"), &labelled).unwrap();
    let with = digest(&desk);
    std::fs::write(desk.path("workspace.yaml"), WORKSPACE).unwrap();
    assert!(with.is_string(), "{with}");
    assert_eq!(with, digest(&desk));
}

/// Every procedure that is shipped is walked to its end, and nothing is found.
#[test]
fn what_is_shipped_has_nothing_to_be_found() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned();
    let examples = std::fs::read_dir(root.join("examples")).unwrap().map(|entry| entry.unwrap().path());
    let folders: Vec<PathBuf> = examples.filter(|path| path.is_dir()).chain([root.join("runbooks")]).collect();
    let mut explored = 0;
    for file in folders.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap()).map(|entry| entry.unwrap().path()) {
        let is_yaml = file.extension().is_some_and(|extension| extension == "yaml");
        if !is_yaml
            || !std::fs::read_to_string(&file)
                .is_ok_and(|text| text.contains("\nkind: Runbook\n") || text.contains("\nkind: Playbook\n"))
        {
            continue;
        }
        let output = Command::new(env!("CARGO_BIN_EXE_runbook")).args(["explore", "--strict"]).arg(&file).output().unwrap();
        assert!(output.status.success(), "{}\n{}", file.display(), String::from_utf8_lossy(&output.stdout));
        explored += 1;
    }
    assert!(explored > 10, "{explored}");
}
