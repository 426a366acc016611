//! The catalogue: whether it is valid, and whether each secret that it names can be fetched.

use runbook_core::check::CheckOptions;
use runbook_core::diagnostic::Severity;
use runbook_core::plan::SecretSource;

use super::{Chart, Patient, named};
use crate::catalogue::Catalogue;
use crate::secret::SecretStore;
use crate::words::count;

pub(super) fn examine(patient: &Patient<'_>, chart: &mut Chart) {
    let catalogue = match Catalogue::open(&patient.catalogue) {
        Ok(catalogue) => catalogue,
        Err(why) => return chart.fail("catalogue", why.to_string(), "choose another folder with `--catalogue DIR`"),
    };
    let shown = patient.catalogue.display();
    if catalogue.files().is_empty() {
        return chart.warn("catalogue", format!("{shown} holds no procedure and no workspace"), "runbook init");
    }
    let today = chart.now.to_zoned(jiff::tz::TimeZone::UTC).date();
    let options = CheckOptions { environment: patient.environment.clone(), today: Some(today) };
    let found = catalogue.check(&options);
    let of = |severity| found.iter().filter(|fault| fault.severity == severity).count() as u64;
    let (errors, warnings) = (of(Severity::Error), of(Severity::Warning));
    let files = count(catalogue.files().len() as u64, "file", "files");
    match (errors, warnings) {
        (0, 0) => chart.ok("catalogue", format!("{shown}: {files}, no fault")),
        (0, warnings) => {
            chart.warn("catalogue", format!("{shown}: {files}, {}", count(warnings, "warning", "warnings")), "runbook check");
        }
        (errors, _) => chart.fail("catalogue", format!("{shown}: {files}, {}", count(errors, "error", "errors")), "runbook check"),
    }
    programs(patient, &catalogue, chart);
    secrets(patient, &catalogue, &options, chart);
}

/// Programs that the engine itself starts.
fn programs(patient: &Patient<'_>, catalogue: &Catalogue, chart: &mut Chart) {
    let path = patient.variables.iter().find(|(name, _)| name == "PATH").map(|(_, path)| path.clone()).unwrap_or_default();
    let is_there = |program: &str| std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    let signs = catalogue.workspace().is_some_and(|workspace| workspace.people.people.values().any(|p| !p.ssh_keys.is_empty()));
    let wanted =
        [("sh", "each `run` step is a script of it", true), ("ssh-keygen", "signatures are made and checked with it", signs)];
    for (program, why, is_wanted) in wanted {
        if is_wanted && !is_there(program) {
            chart.fail("programs", format!("there is no `{program}` in PATH: {why}"), format!("install `{program}`"));
        } else if is_wanted {
            chart.ok("programs", format!("`{program}` is there"));
        }
    }
}

/// Who wants a secret, and what happens without it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Wants {
    /// The server does not start.
    Source,
    /// Messages are not delivered.
    Channel,
    /// The steps that name it fail.
    Procedure,
}

fn secrets(patient: &Patient<'_>, catalogue: &Catalogue, options: &CheckOptions, chart: &mut Chart) {
    let mut wanted: Vec<(SecretSource, Wants, String)> = Vec::new();
    let mut want = |place: &SecretSource, wants: Wants, by: String| {
        if !wanted.iter().any(|(known, as_what, _)| known == place && *as_what <= wants) {
            wanted.push((place.clone(), wants, by));
        }
    };
    if let Some(workspace) = catalogue.workspace() {
        for (name, source) in &workspace.sources {
            source.secrets.iter().for_each(|(id, place)| want(place, Wants::Source, format!("`{id}` of the source `{name}`")));
        }
        if let Some((id, place)) = workspace.oidc.as_ref().and_then(|oidc| oidc.secret.as_ref()) {
            want(place, Wants::Source, format!("`{id}` of `oidc`"));
        }
        for (name, channel) in &workspace.channels {
            channel.secrets.iter().for_each(|(id, place)| want(place, Wants::Channel, format!("`{id}` of the channel `{name}`")));
        }
    }
    for procedure in catalogue.procedures() {
        let (Some(plan), _) = catalogue.plan(procedure, options) else { continue };
        let main = plan.main();
        main.secrets.iter().for_each(|(id, place)| want(place, Wants::Procedure, format!("`{id}` of `{}`", main.name)));
    }
    let store = SecretStore::new(catalogue.root(), &patient.settings, patient.variables.iter().cloned());
    let mut there = 0;
    let mut lacking = Vec::new();
    for (place, wants, by) in &wanted {
        match store.get(place) {
            Ok(_) => there += 1,
            // The message of a secret names its place, and never its value.
            Err(why) => lacking.push((*wants, by, why.to_string())),
        }
    }
    for (wants, by, why) in &lacking {
        let (found, next) = why.rsplit_once("; ").unwrap_or((why, "give it a value, then ask again"));
        match wants {
            Wants::Source => chart.fail("secrets", format!("{by}: {found}; nothing is served without it"), next),
            Wants::Channel => chart.fail("secrets", format!("{by}: {found}; no message reaches anybody there"), next),
            Wants::Procedure => chart.warn("secrets", format!("{by}: {found}"), next),
        }
    }
    let warnings = store.take_warnings();
    for warning in &warnings {
        let (found, next) = warning.rsplit_once("; ").unwrap_or((warning, "look who may read it"));
        chart.warn("secrets", found, next.trim_start_matches("run ").trim_matches('`'));
    }
    if lacking.is_empty() {
        let by: Vec<&String> = wanted.iter().map(|(_, _, by)| by).collect();
        let which = if by.is_empty() { String::new() } else { format!(": {}", named(&by)) };
        chart.ok("secrets", format!("{} fetched{which}", count(there, "was", "were")));
    }
}
