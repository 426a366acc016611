//! `runbook doctor`: what the engine found, a line each.

use runbook_engine::certificate::CertificateFiles;
use runbook_engine::clock::SystemClock;
use runbook_engine::doctor::{self, Finding, Patient, Standing};
use serde_json::json;

use super::config_folder;
use crate::args;
use crate::exit::{Exit, Outcome};
use crate::settings::Settings;
use crate::ui::words::count;
use crate::ui::{Tone, Ui, line};

pub fn run(args: &args::Doctor, settings: &Settings, ui: &mut Ui) -> Outcome {
    // Secrets will be in memory: a crash must not write them into a core file.
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    let tls = args.tls_certificate.clone().zip(args.tls_key.clone());
    let patient = Patient {
        state: settings.state()?.value.clone(),
        catalogue: settings.catalogue.value.clone(),
        environment: args.env.clone().or_else(|| settings.environment.value.clone()),
        settings: config_folder(),
        variables: std::env::vars_os().collect(),
        listen: args.listen,
        tls: tls.map(|(certificates, key)| CertificateFiles { certificates, key, client_authorities: args.client_ca.clone() }),
        clock: &SystemClock,
        thorough: args.thorough,
    };
    let findings = doctor::examine(&patient);
    let of = |standing| findings.iter().filter(|finding| finding.standing == standing).count() as u64;
    let (warned, failed) = (of(Standing::Warn), of(Standing::Fail));
    if args.json {
        for finding in &findings {
            ui.data(&json!(finding).to_string())?;
        }
    } else {
        let width = findings.iter().map(|finding| finding.about.len()).max().unwrap_or_default();
        for finding in &findings {
            ui.data(&told(finding, width, ui))?;
        }
        let warnings = count(warned, "warning", "warnings");
        match failed {
            0 if warned == 0 => ui.say("all is well"),
            0 => ui.say(&format!("it works, with {warnings}")),
            failed => ui.say(&format!("{} failed, {warnings}", count(failed, "check", "checks"))),
        }
    }
    Ok(if failed > 0 { Exit::Failed } else { Exit::Succeeded })
}

fn told(finding: &Finding, width: usize, ui: &Ui) -> String {
    let tone = match finding.standing {
        Standing::Ok => Tone::Good,
        Standing::Warn => Tone::Warning,
        Standing::Fail => Tone::Bad,
    };
    let standing = tone.paint(&format!("{:<4}", finding.standing.as_str()));
    let mut text = format!("{standing}  {:<width$}  {}", finding.about, line(&finding.found));
    if let Some(next) = &finding.next {
        text.push_str(&format!("\n{:>1$}  next: {2}", "", width + 6, line(&ui.command(next))));
    }
    text
}
