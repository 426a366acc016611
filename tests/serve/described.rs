//! The API against its own description, by a program that reads nothing else of it: schemathesis (PyPI), which `tests/setup.sh` installs
//! into `target/schemathesis`. Every operation and every check of it, none left out, over runs, decisions and procedures that there are;
//! `STORM=full` asks more often, and about made-up ones too.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;

use crate::harness::{Scratch, from_pypi, program_in, run as harness_run};
use crate::server::{Place, playbook};

const VERSION: &str = "4.32.5";

const WORKSPACE: &str = "apiVersion: runbook/v1
kind: Workspace
name: described
people: {you: {users: [USER]}}
escalations: {e: {steps: [{to: [you], after: 10m}]}}
sources:
  alerts: {type: alertmanager, bearer: secrets.token, secrets: {token: {env: ALERTS_TOKEN}}}
rotations: {night: {members: [you], starts: 2026-01-05, hand_over: {days: mon-sun, at: '09:00'}, zone: Europe/Paris}}
access:
  - {role: operator, to: [you]}
  - {role: approver, to: [you]}
  - {role: author, to: [you]}
  - {role: admin, to: [you]}
";

fn schemathesis() -> PathBuf {
    from_pypi("schemathesis", &format!("schemathesis=={VERSION}"), |folder| program_in(folder, "schemathesis"))
}

#[test]
fn the_api_is_as_its_description_says() {
    let ask = "[{id: say, run: 'echo {{inputs.host}}', effect: read}, {id: go, approve: {question: 'Mend {{inputs.host}}?', from: [you], within: 1h}}]";
    let place = Place::with(&playbook("1.0.0", "", ask));
    let user = harness_run(Command::new("id").arg("-un"));
    place.write("workspace.yaml", &WORKSPACE.replace("USER", user.trim()));
    place.write(
        "say.yaml",
        "apiVersion: runbook/v1\nkind: Runbook\nname: say\nversion: 1.0.0\nsteps: [{id: say, run: echo hello, effect: read}]\n",
    );
    let token = place.runbook.run(["token", "create", "--for", "you"]).assert(0).stdout.trim().to_owned();
    place.runbook.exec("say", &[]).assert(0);
    let ended = place.runs()[0]["run"].as_str().unwrap().to_owned();
    let plan = place.runs()[0]["plan"].as_str().unwrap().to_owned();
    let server = place.serve();
    assert_eq!(server.alert("firing", &["db1"]).status, 202);
    let waits = place.run_that("waiting")["run"].as_str().unwrap().to_owned();
    let bearer = format!("Bearer {token}");
    let description = server.ask("GET", "/api/v1/openapi.json", &[("Authorization", &bearer)], "");
    assert_eq!(description.status, 200);

    let scratch = Scratch::new();
    std::fs::write(scratch.join("api.json"), &description.text).unwrap();
    // A request may be as described and yet ask for what a procedure does not declare, or use a key again.
    let checks = "[checks.positive_data_acceptance]\nexpected-statuses = [\"2xx\", 401, 403, 404, 409, 410, 422, 429]\n";
    // What there is: to be read in the run that has ended, and to be steered in the one that waits.
    let mut known = format!(
        "[parameters]\n\"path.run\" = \"{ended}\"\n\"path.procedure\" = \"fix\"\n\"path.decision\" = \"d1\"\n\"path.event\" = 1\n\"path.plan\" = \"{plan}\"\n\n{checks}"
    );
    for path in ["cancel", "pause", "resume", "notes", "decisions/{decision}"] {
        write!(known, "\n[[operations]]\ninclude-path = \"/runs/{{run}}/{path}\"\nparameters = {{ \"path.run\" = \"{waits}\" }}\n")
            .unwrap();
    }
    std::fs::write(scratch.join("known.toml"), known).unwrap();
    std::fs::write(scratch.join("made-up.toml"), checks).unwrap();
    let program = schemathesis();
    let is_full = std::env::var("STORM").is_ok_and(|how| how == "full");
    let (examples, configurations): (_, &[&str]) =
        if is_full { ("100", &["known.toml", "made-up.toml"]) } else { ("2", &["known.toml"]) };
    let of = |configuration: &str| {
        let mut command = Command::new(&program);
        command.args(["--config-file", configuration, "run", "api.json", "--checks", "all", "--continue-on-failure", "--no-color"]);
        command.args(["--url", &format!("http://{}/api/v1", server.address), "--header", &format!("Authorization: {bearer}")]);
        // Below what a token may ask each second, and the same requests each time.
        command.args(["--max-examples", examples, "--seed", "7", "--rate-limit", "180/s", "--request-timeout", "20"]);
        command.current_dir(scratch.path()).env("HOME", scratch.path());
        command
    };
    for configuration in configurations {
        let output = of(configuration).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{configuration}\n{said}\n{}", String::from_utf8_lossy(&output.stderr));
        let operations =
            description.body["paths"].as_object().unwrap().values().map(|path| path.as_object().unwrap().len()).sum::<usize>();
        assert!(said.contains(&format!("Tested: {operations}\n")), "{said}");
        println!(
            "{}",
            said.lines().filter(|line| line.contains("generated") || line.contains("Tested")).collect::<Vec<_>>().join("\n")
        );
    }
    let log = server.stopped();
    assert!(!log.contains("panicked"), "{log}");
}
