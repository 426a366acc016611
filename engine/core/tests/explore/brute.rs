//! Explore against brute force: small random procedures, each walked by a checker of its own that shares nothing with it. Both must find
//! the same, on paths of the same length, and say the same of what is left after each fall and of how the run ends then.

use std::collections::{BTreeMap, BTreeSet};

use super::author::Author;
use super::checker::{AGAIN, Checker, Found, PATHS, Slip, checked, pair, tagged};
use super::small::{Book, Branch, Does, OnTimeout, Quorum, Sleep, Step, Verify};
use super::{plan_among, walked};
use runbook_core::StepPath;
use runbook_core::explore::{Bounds, Kind, Walk, What, smoothest};

/// How many of them; more where `EXPLORE_SEEDS` says so.
fn procedures() -> u64 {
    std::env::var("EXPLORE_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(1_000)
}

fn walk_of(book: &Book) -> Walk {
    let files = book.documents();
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let walk = walked(&plan_among(&files));
    assert!(walk.extent.complete, "{}", book.written());
    walk
}

/// What the checker says; nothing where there are too many paths for it.
fn judged(book: &Book, slip: Slip) -> Option<Checker> {
    Some(checked(book, slip)).filter(|checker| checker.paths <= PATHS)
}

fn explored(walk: &Walk) -> Found {
    let label = |ix| walk.plan.step(ix).label.clone();
    let found = walk.findings.iter().map(|finding| {
        let code = finding.kind.code().as_str();
        let told = match finding.kind {
            Kind::Clash(one, other) => pair(code, &label(one), &label(other)),
            Kind::Branch(step, branch) => format!("{code} {} {}", label(step), branch + 1),
            Kind::Broken(number) => format!("{code} {number}"),
            kind => format!("{code} {}", label(kind.step().unwrap())),
        };
        (told, walk.path(finding).len())
    });
    found.collect()
}

/// The forms that a procedure has, as far as a path comes to them.
fn forms(book: &Book, reached: &BTreeSet<String>, forms: &mut BTreeSet<&'static str>) {
    fn quorum(quorum: &Quorum, forms: &mut BTreeSet<&'static str>) {
        if quorum.count > 1 {
            forms.insert("a quorum");
        }
        match quorum.on_timeout {
            _ if !quorum.within => forms.insert("no end"),
            OnTimeout::Fail => false,
            OnTimeout::Reject => forms.insert("silence that refuses"),
            OnTimeout::Escalate => forms.insert("an escalation"),
        };
    }
    fn steps(list: &[Step], reached: &BTreeSet<String>, forms: &mut BTreeSet<&'static str>) {
        for step in list.iter().filter(|step| reached.contains(&step.id)) {
            let called = |branch: &Branch| branch.call.is_some();
            match &step.does {
                Does::Approve(of) => quorum(of, forms),
                Does::Ask { .. } => drop(forms.insert("ask")),
                Does::Manual { .. } => drop(forms.insert("manual")),
                Does::Change { attempts, script, verify, repeatable, .. } => {
                    forms.extend((*attempts > 1).then_some("retry"));
                    forms.extend(script.then_some("a script"));
                    forms.extend(verified(verify).filter(|_| !repeatable));
                }
                Does::Destroy(verify) => forms.extend(verified(verify)),
                Does::Sleep(Sleep::Short) => drop(forms.insert("wait for")),
                Does::Sleep(Sleep::Unknown) => drop(forms.insert("wait for what is not known")),
                Does::Sleep(Sleep::Long) => drop(forms.insert("wait for too long")),
                Does::Check(_) => drop(forms.insert("check")),
                Does::Finish(true) => drop(forms.insert("finish well")),
                Does::Finish(false) => drop(forms.insert("finish badly")),
                Does::Choose(.., Some(_)) => drop(forms.insert("otherwise")),
                Does::Poll(None) => drop(forms.insert("wait until")),
                Does::Poll(Some(_)) => drop(forms.insert("wait with a probe")),
                Does::Repeat(1, _) => drop(forms.insert("one round")),
                Does::Repeat(..) => drop(forms.insert("repeat")),
                Does::Each { beside: true, failures: 1.., .. } => drop(forms.insert("max_failures of items at once")),
                Does::Each { beside: true, .. } => drop(forms.insert("items at once")),
                Does::Each { failures: 1.., .. } => drop(forms.insert("max_failures")),
                Does::Parallel(one, other) => {
                    forms.extend((called(one) && called(other)).then_some("locks"));
                    for step in one.steps.iter().chain(&other.steps).filter(|step| reached.contains(&step.id)) {
                        match step.does {
                            Does::Finish(_) => drop(forms.insert("finish beside")),
                            Does::Sleep(_) => drop(forms.insert("wait for beside")),
                            Does::Poll(_) => drop(forms.insert("wait until beside")),
                            _ => {}
                        }
                    }
                }
                Does::Again(..) => drop(forms.insert("a second call")),
                Does::Call(procedure) => {
                    if step.timed && procedure.mends.is_some() {
                        forms.insert("timeout of a call with on_failure");
                    }
                    forms.insert("call");
                    if procedure.mends.as_ref().is_some_and(|step| reached.contains(&step.id)) {
                        forms.insert("on_failure of a call");
                    }
                    if procedure.tidies.is_some() {
                        forms.insert("finally of a call");
                    }
                }
                _ => {}
            }
            if step.timed {
                forms.insert("timeout");
            }
            step.inside().into_iter().for_each(|list| steps(list, reached, forms));
        }
    }
    fn verified(verify: &Verify) -> Option<&'static str> {
        match verify {
            Verify::None => None,
            Verify::Step(_) => Some("verify by a step"),
            Verify::Condition => Some("verify by a condition"),
        }
    }
    steps(&book.main.steps, reached, forms);
    for gate in &book.gates {
        forms.insert(if gate.destructive { "a gate before a loss" } else { "a gate before a change" });
        quorum(&gate.quorum, forms);
    }
    for (name, has) in [
        ("finally", book.main.tidies.is_some()),
        ("on_failure", reached.contains("mend")),
        ("a lock", book.main.lock),
        ("timeout of the run", book.main.timed),
        ("must", !book.musts.is_empty()),
        ("must of the workspace", book.properties().len() > book.musts.len()),
    ] {
        if has {
            forms.insert(name);
        }
    }
}

const FORMS: [&str; 43] = [
    "a second call",
    "timeout of a call with on_failure",
    "finish beside",
    "wait for beside",
    "wait until beside",
    "a script",
    "a quorum",
    "no end",
    "silence that refuses",
    "an escalation",
    "ask",
    "manual",
    "retry",
    "wait for",
    "wait until",
    "wait with a probe",
    "one round",
    "repeat",
    "max_failures",
    "locks",
    "call",
    "on_failure of a call",
    "finally of a call",
    "a gate before a loss",
    "a gate before a change",
    "finally",
    "on_failure",
    "a lock",
    "must",
    "must of the workspace",
    "gates side by side",
    "verify by a step",
    "verify by a condition",
    "wait for what is not known",
    "wait for too long",
    "check",
    "finish well",
    "finish badly",
    "otherwise",
    "items at once",
    "max_failures of items at once",
    "timeout",
    "timeout of the run",
];

#[test]
fn explore_agrees_with_brute_force() {
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let mut compared = 0;
    for seed in 1..=procedures() {
        let book = Author::book(seed);
        let Some(ours) = judged(&book, Slip::None) else { continue };
        let theirs = explored(&walk_of(&book));
        compared += 1;
        assert_eq!(ours.found, theirs, "seed {seed} (left: brute force, right: explore)\n{}", book.written());
        for what in ours.found.keys() {
            *kinds.entry(what.split(' ').next().unwrap().to_owned()).or_default() += 1;
        }
        let mut there = BTreeSet::new();
        forms(&book, &ours.reached, &mut there);
        if there.contains("a gate before a change") && ours.side_by_side {
            there.insert("gates side by side");
        }
        for form in there {
            *seen.entry(form).or_default() += 1;
        }
    }
    // Each kind of finding, and each form, is there often enough for an error in it to be noticed.
    let codes = ["RB0601", "RB0602", "RB0603", "RB0604", "RB0605", "RB0606", "RB0607", "RB0608", "RB0609", "RB0610"];
    for code in codes {
        assert!(kinds.get(code).is_some_and(|times| *times >= 20), "{code}: {kinds:?}");
    }
    for form in FORMS {
        assert!(seen.get(form).is_some_and(|times| *times >= 20), "{form}: {seen:?}");
    }
    assert!(compared >= procedures() * 8 / 10, "{compared}");
}

/// A step as it is named here: by its id, and the item of a loop that it stands in; an undo by the step that it takes back.
fn name(path: &str) -> String {
    if let Some((of, _)) = path.split_once("~undo") {
        return format!("{}~undo", name(of));
    }
    // Which look it is does not matter, nor within which item of which loop that it is one.
    if let Some((of, look)) = path.split_once("~verify") {
        return name(of).replacen(name(of).split(' ').next().unwrap(), look.rsplit('/').next().unwrap(), 1);
    }
    let (around, id) = path.rsplit_once(['/', '.']).unwrap_or(("", path));
    let again = around.split(['/', '.']).any(|of| of.starts_with("again"));
    let id = format!("{id}{}", if again { AGAIN } else { "" });
    tagged(&id, path.split_once('[').map(|(_, rest)| rest.split(']').next().unwrap().parse().unwrap()))
}

#[test]
fn what_is_left_agrees_with_brute_force() {
    let (mut rows, mut unsure, mut of_undos, mut two_ends, mut doubtful) = (0, 0, 0, 0, 0);
    for seed in 1..=procedures() {
        let book = Author::book(seed);
        let Some(Checker { left: ours, .. }) = judged(&book, Slip::None) else { continue };
        let mut told = BTreeSet::new();
        for fall in walk_of(&book).pre_mortem() {
            assert!(!fall.more);
            for what in &fall.when {
                let how = match what {
                    What::TimesOut if fall.path.as_str().contains("~verify") => "times out",
                    What::DoesNotHold => "does not hold",
                    What::Fails | What::TimesOut => "fails",
                    What::GivesNothing => "cannot begin",
                    What::Rejected => "rejected",
                    What::Expires => "expires",
                    What::EndsUnknown => "unknown",
                    What::NeverHolds => "never holds",
                    What::RunsOut => "runs out of time",
                    _ => panic!("{fall:#?}"),
                };
                let key = (name(fall.path.as_str()), how);
                let some: BTreeSet<String> = fall.left.iter().map(|path| name(path.as_str())).collect();
                let perhaps: BTreeSet<String> = fall.perhaps.iter().map(|path| name(path.as_str())).collect();
                let left = ours.get(&key).unwrap_or_else(|| panic!("{key:?} is not known, seed {seed}\n{}", book.written()));
                let unlike: BTreeSet<String> = left.some.difference(&left.each).cloned().collect();
                assert_eq!(
                    (&left.some, &unlike),
                    (&some, &perhaps),
                    "{key:?}, seed {seed} (left: brute force)\n{}",
                    book.written()
                );
                let so = |path: &StepPath| name(path.as_str());
                let asks = |(who, about): &(String, StepPath)| format!("asks {who} about {}", so(about));
                let lists = |asked: &[(String, StepPath)], undone: &[StepPath], runs: &[StepPath]| -> BTreeSet<String> {
                    let undone = undone.iter().map(|path| format!("takes back {}", so(path)));
                    asked.iter().map(asks).chain(undone).chain(runs.iter().map(|path| format!("runs {}", so(path)))).collect()
                };
                let mut since = lists(&fall.asked, &fall.undone, &fall.on_failure);
                let mut not_always = lists(&fall.perhaps_asked, &fall.perhaps_undone, &fall.perhaps_on_failure);
                since.extend(fall.verified.then(|| "looks".to_owned()));
                not_always.extend(fall.perhaps_verified.then(|| "looks".to_owned()));
                let ends: BTreeSet<&str> = fall.outcomes.iter().map(|outcome| outcome.name()).collect();
                let none = (fall.or_ends || fall.goes_on.is_empty()).then_some(None);
                let on: BTreeSet<Option<String>> = fall.goes_on.iter().map(|path| Some(so(path))).chain(none).collect();
                let not_so: BTreeSet<String> = left.since.difference(&left.always).cloned().collect();
                assert_eq!(
                    (&left.ends, &left.since, &not_so, &left.on),
                    (&ends, &since, &not_always, &on),
                    "{key:?}, seed {seed} (left: brute force)\n{}",
                    book.written()
                );
                two_ends += usize::from(ends.len() > 1);
                doubtful += usize::from(!not_always.is_empty() || on.len() > 1);
                let (id, _) = key.0.split_once(" of item ").unwrap_or((&key.0, ""));
                told.insert((format!("{id}{}", if key.0.ends_with("~undo") { "~undo" } else { "" }), how));
                rows += 1;
                unsure += usize::from(!perhaps.is_empty());
                of_undos += usize::from(key.0.ends_with("~undo"));
            }
        }
        let steps: BTreeSet<(String, &str)> = ours
            .keys()
            .map(|(name, how)| {
                let (id, rest) = name.split_once(" of item ").unwrap_or((name, ""));
                (format!("{id}{}", if rest.ends_with("~undo") { "~undo" } else { "" }), *how)
            })
            .collect();
        assert_eq!(told.len(), steps.len(), "seed {seed}: {told:?} {steps:?}\n{}", book.written());
    }
    let counts = format!(
        "{rows} rows; what is left on some paths only: {unsure}; of undos: {of_undos}; two ends: {two_ends}; doubtful: {doubtful}"
    );
    assert!(rows > 2_000 && unsure > 200 && of_undos > 100 && two_ends > 20 && doubtful > 200, "{counts}");
}

/// An error in either of them would be seen: the checker is made to err in one way at a time.
#[test]
fn an_error_would_be_seen() {
    let mut rights = BTreeMap::new();
    for slip in [
        Slip::ANoIsAYes,
        Slip::RollbackLeaves,
        Slip::LooksAreBlind,
        Slip::BranchesTakeTurns,
        Slip::DoneIsPrinted,
        Slip::FailuresPrint,
        Slip::InputsChangeTheirMind,
        Slip::GroupsHideNothing,
        Slip::GatesAreOpen,
        Slip::GatesApproveNothing,
        Slip::SilenceIsNoRefusal,
        Slip::OneRound,
        Slip::WaitsAlwaysEnd,
        Slip::NothingIsTolerated,
        Slip::CallsMendNothing,
        Slip::TidyingLooks,
        Slip::ManualsChangeNothing,
        Slip::LocksAreOfNoUse,
        Slip::UndosNeverFail,
        Slip::PropertiesForget,
        Slip::PropertiesSeeNoSkips,
        Slip::TimesNeverCome,
        Slip::TimesStopNothing,
        Slip::OtherwiseNever,
        Slip::FinishesDoNothing,
        Slip::VerifiesAskPeople,
        Slip::ItemsTakeTurns,
    ] {
        let seen = (1..=procedures()).any(|seed| {
            let book = Author::book(seed);
            let right = rights.entry(seed).or_insert_with(|| judged(&book, Slip::None));
            let (Some(right), Some(wrong)) = (right, judged(&book, slip)) else { return false };
            wrong.found != right.found || wrong.left != right.left
        });
        assert!(seen, "{slip:?} makes no difference");
    }
}

/// In whichever order the paths are walked, the same is found; those on which less goes wrong are all behind it before the others begin.
#[test]
fn what_goes_wrong_least_first_finds_the_same() {
    let mut compared = 0;
    for seed in (1..=procedures()).step_by(5) {
        let book = Author::book(seed);
        let files = book.documents();
        let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        let plan = plan_among(&files);
        let all = walked(&plan);
        let smooth = smoothest(&plan, Bounds::default()).unwrap();
        let kinds = |walk: &Walk| walk.findings.iter().map(|finding| finding.kind).collect::<Vec<_>>();
        assert!(smooth.extent.complete && smooth.extent.at_most_wrong.is_some());
        assert_eq!(kinds(&all), kinds(&smooth), "seed {seed}\n{}", book.written());
        // Cut anywhere, nothing is found that is not there.
        let bounds = Bounds { places: 2 + (seed as usize % 40), ..Bounds::default() };
        let cut = smoothest(&plan, bounds).unwrap();
        if !cut.extent.complete {
            compared += 1;
            assert!(kinds(&cut).iter().all(|kind| kinds(&all).contains(kind)), "seed {seed}\n{}", book.written());
            assert!(cut.extent.at_most_wrong < smooth.extent.at_most_wrong);
        }
    }
    assert!(compared * 15 > procedures(), "{compared}");
}
