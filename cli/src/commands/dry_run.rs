//! `runbook dry-run`: what a run would do, from the same machine with predicted answers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use runbook_core::document::Document;
use runbook_core::document::test::Case;
use runbook_core::explore::{self, DryRun, Longest, Options, Verdict, World};
use runbook_core::run::event::{Identity, Part, RunStarted};
use runbook_core::run::task::{EnvText, Work};
use runbook_core::trial::{self, StandIns, supposed};
use runbook_core::value::format_duration;
use runbook_core::{Effect, Plan};
use runbook_engine::catalogue::Catalogue;
use runbook_engine::clock::SystemClock;
use runbook_engine::journal::{Commits, Store};
use runbook_engine::people;
use runbook_engine::probe::Probe;
use runbook_engine::report::dry_run as report;
use runbook_engine::report::usual;
use runbook_engine::secret::SecretStore;
use runbook_engine::start::{self, Order};
use tokio_util::sync::CancellationToken;

use super::config_folder;
use super::exec::{self, Chosen, Wanted, heading};
use super::store::{Home, runtime};
use crate::args::{self, Format, Given};
use crate::exit::{Exit, Outcome, Trouble};
use crate::settings::{Origin, Setting, Settings};
use crate::ui::ask::Lines;
use crate::ui::{Tone, Ui, line, plain, request, words};

/// Where the prediction goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// It was asked for: data.
    Data,
    /// It precedes a question.
    Person,
}

pub fn run(args: &args::DryRun, settings: &Settings, ui: &mut Ui) -> Outcome {
    let (case, is_of) = args.with.as_deref().map(case).transpose()?.unzip();
    let mut given = args.given.clone();
    if let Some(environment) = case.as_ref().and_then(|case| case.setting.environment.as_ref()) {
        given.env.get_or_insert_with(|| environment.value.clone());
    }
    // What is missing is missing for the same command.
    let again = |mut trouble: Trouble| {
        trouble.next = trouble.next.map(|next| next.replacen("runbook exec ", "runbook dry-run ", 1));
        trouble
    };
    let of = match is_there(args, settings) {
        true => Of::there(args, &given, settings)?,
        false => Of::Here(Chosen::find(&args.procedure, &given, settings, ui).map_err(again)?),
    };
    let wanted = of.wanted();
    if let (Some(case), Some(is_of)) = (&case, is_of.filter(|name| *name != wanted.plan.main().name.as_str())) {
        let what = format!("the case `{}` is one of `{is_of}`, and not of `{}`", case.name.value, wanted.plan.main().name);
        return Err(Trouble::not_valid(what).next("give --with a case of the same procedure, or that procedure"));
    }
    let shared = case.as_ref().map(|case| case.setting.inputs.clone()).unwrap_or_default();
    let inputs = runtime()?.block_on(wanted.inputs_beside(shared, &given, ui, &mut Lines::default())).map_err(again)?;
    let order = Order {
        plan: wanted.plan.clone(),
        inputs: inputs.values(),
        requested_by: of.requested_by()?,
        part: Part::Whole,
        stepwise: false,
        catalogue: None,
        root: of.root(),
    };
    let started = order.started(0).map_err(|error| again(wanted.refused(error, &inputs)))?;
    let stop = CancellationToken::new();
    let (started, now) = match &case {
        Some(case) => (trial::by_case(case, &wanted.plan, started), trial::starts_at(case)),
        None => (started, jiff::Timestamp::now()),
    };
    let options = Options { examples: args.examples };
    let predict = |world: &mut dyn World| explore::dry_run(&wanted.plan, &started, now, &options, world);
    let predicted = match &case {
        Some(case) => predict(&mut StandIns(case)),
        None => match &of {
            Of::Here(chosen) if args.probe => probe(chosen, &stop)?.predict(|probe| predict(probe)),
            _ => predict(&mut explore::Nothing),
        },
    };
    let mut predicted = predicted.map_err(|why| Trouble::failed(format!("the run cannot be predicted: {why}")))?;
    if stop.is_cancelled() {
        return Err(Trouble::failed("stopped before everything was looked at").exits(Exit::Cancelled));
    }
    predicted.supposes = case.as_ref().map(|case| supposed(case, &wanted.plan));
    // Both are known where the catalogue and the record are.
    if let Of::Here(chosen) = &of {
        chosen.catalogue.add_types(&mut predicted, &wanted.plan);
        add_usual_times(&mut predicted, settings, ui);
    }
    let people = &wanted.plan.policy.people;
    match if args.json { Format::Json } else { args.format } {
        Format::Json => ui.data(&serde_json::to_string(&predicted).map_err(|why| Trouble::failed(why.to_string()))?)?,
        Format::Markdown => ui.data(report::to_markdown(&predicted, people).trim_end())?,
        Format::Html => ui.data(report::to_html(&predicted, people).trim_end())?,
        Format::Text => {
            show(&predicted, &wanted.plan, &started, ui, To::Data)?;
            if case.is_none() {
                ui.next(&wanted.command(&inputs));
            }
        }
    }
    Ok(Exit::Succeeded)
}

/// Whether a procedure of a server is meant: that of which `exec` would ask it. A file is one of this machine.
fn is_there(args: &args::DryRun, settings: &Settings) -> bool {
    let is_asked = |server: &Setting<String>| matches!(server.origin, Origin::Flag(_)) || !Path::new(&args.procedure).is_file();
    settings.server.as_ref().is_some_and(is_asked)
}

/// Of what a run would be.
enum Of {
    Here(Chosen),
    There(Box<Home>, Wanted),
}

impl Of {
    fn there(args: &args::DryRun, given: &Given, settings: &Settings) -> Result<Of, Trouble> {
        if args.probe {
            let why = "what steps look at is there where they run, and nothing is looked at from here";
            return Err(Trouble::not_valid(why).next("leave --probe out, or do it on the machine of the server"));
        }
        let home = Home::open(settings)?;
        let environment = exec::afar::environment(given, settings);
        let (wanted, _) = runtime()?.block_on(exec::afar::wanted(&args.procedure, environment.as_deref(), home.there()?))?;
        Ok(Of::There(Box::new(home), wanted))
    }

    fn wanted(&self) -> &Wanted {
        match self {
            Of::Here(chosen) => &chosen.wanted,
            Of::There(_, wanted) => wanted,
        }
    }

    /// Where steps of a server run is its affair.
    fn root(&self) -> PathBuf {
        match self {
            Of::Here(chosen) => chosen.root(),
            Of::There(..) => PathBuf::new(),
        }
    }

    fn requested_by(&self) -> Result<Identity, Trouble> {
        match self {
            Of::Here(chosen) => {
                let user = people::local_user().map_err(|why| Trouble::failed(why.to_string()))?;
                Ok(people::identity(&user, &chosen.wanted.plan.policy.people))
            }
            Of::There(home, _) => Ok(home.there()?.me.clone()),
        }
    }
}

/// The case that `FILE:CASE` names, and the name of the procedure that it is of.
fn case(with: &str) -> Result<(Case, String), Trouble> {
    let parts = with.match_indices(':').map(|(at, _)| (Path::new(&with[..at]), &with[at + 1..]));
    let Some((file, name)) = parts.into_iter().find(|(file, _)| file.is_file()) else {
        let why = match with.split_once(':') {
            Some((file, _)) => format!("there is no file `{file}`, which `--with {with}` names"),
            None => format!("`{with}` names no case: no file stands before a `:`"),
        };
        return Err(Trouble::not_valid(why).next("give --with FILE:CASE"));
    };
    let catalogue = Catalogue::around(file)?;
    let full = file.canonicalize().ok();
    let read = catalogue.files().iter().find(|read| read.path.canonicalize().ok() == full);
    let Some(Document::Test(test)) = read.and_then(|read| read.document.as_ref()) else {
        let next = format!("runbook check {}", words::shell_word(&file.to_string_lossy()));
        return Err(Trouble::not_valid(format!("{} holds no tests", file.display())).next(next));
    };
    let found = test.cases.iter().find(|case| case.name.value == name);
    let is_of = test.procedure.value.split('@').next().unwrap_or_default().to_owned();
    found.map(|case| (case.with(&test.defaults), is_of)).ok_or_else(|| {
        let names: Vec<&str> = test.cases.iter().map(|case| case.name.value.as_str()).collect();
        Trouble::not_valid(format!("{} has no case `{name}`", file.display())).next(format!("use one of: {}", names.join("; ")))
    })
}

/// Looks where a run would look. Ctrl-C ends what is under way.
fn probe(chosen: &Chosen, stop: &CancellationToken) -> Result<Probe, Trouble> {
    let runtime = runtime()?;
    let heard = stop.clone();
    runtime.spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            heard.cancel();
        }
    });
    let root = chosen.root();
    let secrets = Arc::new(SecretStore::new(&root, &config_folder(), std::env::vars_os()));
    let (id, _) = start::draw(&SystemClock);
    Ok(Probe::new(runtime, id, chosen.wanted.plan.clone(), root, secrets, stop.clone()))
}

/// How long each step took in earlier runs, where there is a record of any.
fn add_usual_times(predicted: &mut DryRun, settings: &Settings, ui: &mut Ui) {
    // Looking makes no state folder.
    let Some(state) = settings.kept_state() else { return };
    let usual = Store::open_with(state, Commits::OnTheSpot).and_then(|store| usual(&store, &predicted.procedure));
    match usual {
        Ok(usual) => {
            for step in &mut predicted.steps {
                step.usual = usual.get(&step.path.without_indexes()).copied();
            }
        }
        Err(why) => ui.say(&format!("how long steps usually take is not known: {}", plain(&why.to_string()))),
    }
}

/// What a run would change, in one line beside the question whether to start: what is destroyed is named.
pub fn weight(predicted: &DryRun) -> String {
    let of = |effect: Effect| {
        let would = predicted.steps.iter().filter(|step| !matches!(step.verdict, Verdict::WouldSkip { .. }));
        let acting = would.filter(|step| ["run", "exec", "rhai", "http", "manual"].contains(&step.verb));
        acting.filter(|step| step.effect == effect).map(|step| step.path.as_str()).collect::<Vec<_>>()
    };
    let (changing, destroying) = (of(Effect::Change), of(Effect::Destructive));
    let steps = match changing.len() + destroying.len() {
        0 => "no step changes anything".to_owned(),
        1 => "1 step changes something".to_owned(),
        count => format!("{count} steps change something"),
    };
    match destroying.as_slice() {
        [] => steps,
        paths => format!("{steps}; {}: {}", Tone::Bad.paint("destructive"), paths.join(", ")),
    }
}

pub fn show(predicted: &DryRun, plan: &Plan, started: &RunStarted, ui: &mut Ui, to: To) -> Result<(), Trouble> {
    let mut out = vec![heading(plan, started)];
    out.extend(words::values(&started.inputs).into_iter().map(|text| format!("  {text}")));
    let mut environment = BTreeMap::new();
    for shown in report::lines(predicted) {
        let step = shown.step;
        let indent = "  ".repeat(step.path.depth());
        let title = if step.title == step.path.label() { String::new() } else { format!(" · {}", line(&step.title)) };
        let skipped = matches!(step.verdict, Verdict::WouldSkip { .. });
        let mut marks = Vec::new();
        marks.extend((step.effect > Effect::None).then(|| request::effect(step.effect)));
        let where_to = (!skipped && step.effect > Effect::None && !step.targets.is_empty()).then(|| step.targets.join(", "));
        marks.extend(where_to.map(|targets| line(&targets).into_owned()));
        marks.extend(step.longest.filter(|_| !skipped).map(|longest| match longest {
            Longest::Time(time) => format!("at most {}", format_duration(time)),
            Longest::Unknown => "how long cannot be known".to_owned(),
            Longest::WithoutEnd => "may wait without end".to_owned(),
        }));
        let marks = if marks.is_empty() { String::new() } else { format!("  [{}]", marks.join(", ")) };
        let verdict = tone_of(shown.tone).paint(&line(&shown.verdict));
        out.push(format!("{:>3}. {indent}{}{title}{marks}  {verdict}", step.number, shown.path));
        let below = |text: &str| format!("     {indent}{text}");
        if !skipped {
            out.extend(step.why.iter().flat_map(|why| words::remark("why", why)).map(|text| below(&text)));
            if let Some(work) = &step.work {
                let (own, known) = known_environment(work, &mut environment);
                out.extend(words::work(&own).iter().map(|text| below(text)));
                out.extend((!known.is_empty()).then(|| below(&format!("    as above: {}", line(&known.join(", "))))));
            }
        }
        for said in report::said(step, &plan.policy.people) {
            let text = said.what.into_text();
            match said.name {
                "asks" => out.push(below(&format!("asks {}", line(&text)))),
                // Values stand in a question: the bar says where it ends.
                "question" => out.extend(plain(&text).lines().map(|text| below(&format!("│ {text}")))),
                name => out.extend(words::remark(name, &text).iter().map(|text| below(text))),
            }
        }
    }
    out.push(report::summary(predicted));
    if to == To::Data {
        out.extend(predicted.longest.iter().map(|longest| format!("the whole takes at most: {longest}")));
        out.extend(predicted.lock.iter().map(|lock| format!("lock {}", line(lock))));
        out.push(Tone::Quiet.paint(&line(&report::proviso(predicted))));
        out.push(format!("digest {}", predicted.digest));
    }
    let text = out.join("\n");
    match to {
        To::Data => ui.data(&text)?,
        To::Person => ui.say(&text),
    }
    Ok(())
}

/// What of the environment of a step is news, and the names of what was shown above with the same value.
fn known_environment(work: &Work, shown: &mut BTreeMap<String, EnvText>) -> (Work, Vec<String>) {
    let same = |(name, text): &(&String, &EnvText)| shown.get(*name) == Some(*text);
    let known: Vec<String> = work.env.iter().filter(same).map(|(name, _)| name.clone()).collect();
    // One line for one line is no gain.
    if known.len() < 2 {
        shown.extend(work.env.clone());
        return (work.clone(), Vec::new());
    }
    let mut own = work.clone();
    own.env.retain(|name, _| !known.contains(name));
    shown.extend(own.env.clone());
    (own, known)
}

fn tone_of(tone: report::Tone) -> Tone {
    match tone {
        report::Tone::Good => Tone::Good,
        report::Tone::Bad => Tone::Bad,
        report::Tone::Warning => Tone::Warning,
        report::Tone::Quiet => Tone::Quiet,
    }
}
