//! `runbook test --real`: cases one after the other against the systems that they start. Whoever interrupts it waits until those are
//! ended.

use std::sync::Arc;

use runbook_core::Plan;
use runbook_core::check::CheckOptions;
use runbook_core::trial::Coverage;
use runbook_engine::catalogue::Catalogue;
use runbook_engine::rehearsal::{Interrupts, rehearse};
use runbook_engine::suite::{self, CasePlayed, Covered, Played, Report, Selection};
use tokio::signal::unix::{SignalKind, signal};

use crate::commands::config_folder;
use crate::commands::store::runtime;
use crate::exit::Trouble;
use crate::ui::{Tone, Ui, line};

pub fn run(catalogue: &Catalogue, selection: &Selection, options: &CheckOptions, ui: &mut Ui) -> Result<Report, Trouble> {
    let (cases, faults, _) = suite::for_real(catalogue, selection, options);
    let mut report = Report { faults, ..Report::default() };
    let config = config_folder();
    runtime()?.block_on(async {
        let interrupts = Interrupts::default();
        watch(interrupts.clone())?;
        for real in cases {
            if interrupts.leave.is_cancelled() {
                break;
            }
            ui.say(&Tone::Quiet.paint(&format!("{}: {} …", line(&real.test.source.name), line(&real.case.name.value))));
            let found = rehearse(catalogue, real.test, &real.case, &real.plan, &config, &interrupts).await;
            let found = found.map_err(|why| Trouble::failed(format!("`{}` broke off: {why}", line(&real.case.name.value))))?;
            for path in &found.stood_in {
                ui.say(&Tone::Quiet.paint(&format!("  {}: a stand-in stood in for it", line(path))));
            }
            if let Some(kept) = &found.kept {
                ui.say(&format!("  {}: {}", Tone::Warning.paint("kept"), line(&kept.to_string_lossy())));
            }
            report.interrupted |= found.interrupted;
            if found.interrupted {
                ui.say(&format!("{}: it was interrupted, and its teardown was run", line(&real.case.name.value)));
            }
            if let Some(coverage) = found.coverage {
                add(&mut report.covered, &real.plan, coverage);
            }
            let played = CasePlayed { name: real.case.name.value.clone(), faults: found.faults };
            let file = real.test.source.name.to_string();
            match report.files.last_mut().filter(|last| last.file == file) {
                Some(last) => last.cases.push(played),
                None => {
                    let procedure = real.plan.main().name.to_string();
                    report.files.push(Played { file, procedure, cases: vec![played] });
                }
            }
        }
        Ok(report)
    })
}

/// What a case has been through, with what others of the same procedure have.
fn add(covered: &mut Vec<Covered>, plan: &Arc<Plan>, coverage: Coverage) {
    let main = |plan: &Plan| (plan.main().name.clone(), plan.main().version);
    match covered.iter_mut().find(|known| main(&known.plan) == main(plan)) {
        Some(known) => known.coverage.join(&coverage),
        None => {
            let procedure = plan.main().name.to_string();
            covered.push(Covered { procedure, plan: plan.clone(), coverage });
            covered.sort_by_key(|covered| main(&covered.plan));
        }
    }
}

/// Whoever wants to leave, by whatever signal, waits for the teardown; whoever says so again does not.
fn watch(interrupts: Interrupts) -> Result<(), Trouble> {
    let cannot = |why: std::io::Error| Trouble::failed(format!("cannot watch for signals: {why}"));
    let mut kinds = Vec::new();
    for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
        kinds.push(signal(kind).map_err(cannot)?);
    }
    for mut kind in kinds {
        let Interrupts { leave, at_once } = interrupts.clone();
        tokio::spawn(async move {
            while kind.recv().await.is_some() {
                if leave.is_cancelled() {
                    at_once.cancel();
                }
                leave.cancel();
            }
        });
    }
    Ok(())
}
