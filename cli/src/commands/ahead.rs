//! `approve --ahead`: one step of one procedure, as it is now, before anybody asks. Whoever could not decide when the question comes
//! is told at once.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use runbook_core::document::input::accept_all;
use runbook_core::plan::{Step, Verb};
use runbook_core::policy::ahead::{Ahead, ahead_statement};
use runbook_core::policy::{Asked, DECISION_NAMESPACE, Refusal};
use runbook_core::run::event::Identity;
use runbook_core::value::parse_duration;
use runbook_core::{Digest, Effect, Plan, ProcedureName, limits};
use runbook_engine::driver;
use runbook_engine::journal::NewAhead;
use runbook_engine::people::{self, PeopleError, SigningKey};

use super::control::bounded;
use super::exec::{self, Chosen};
use super::reply::signing_key;
use super::store::{Home, split};
use crate::args::{Approve, Given};
use crate::exit::{Exit, Outcome, Trouble};
use crate::settings::Settings;
use crate::ui::{Ui, line, request, words};

pub fn approve(name: &ProcedureName, args: &Approve, settings: &Settings, ui: &mut Ui) -> Outcome {
    let (Some(path), Some(uses), Some(expires)) = (&args.step, args.uses, &args.expires) else {
        return Err(Trouble::not_valid("--ahead needs --step, --uses and --expires").next("runbook approve --help"));
    };
    let Some(reason) = args.voice.reason.clone() else {
        return Err(Trouble::not_valid("an approval ahead of time needs a reason").next("give --reason TEXT"));
    };
    let home = Home::open(settings)?;
    let now = home.clock.now();
    let expires = moment(expires, now)?;
    bounds(uses, expires, now)?;
    let given = Given { input: Vec::new(), inputs: None, env: args.env.clone() };
    let plan = Chosen::find(name.as_str(), &given, settings, ui)?.wanted.plan;
    let asks = |step: &&Step| matches!(step.verb, Verb::Approve(_)) || !step.gates.is_empty();
    let Some(step) = plan.step_at(path).filter(asks) else {
        return Err(Trouble::not_valid(format!("step `{path}` of `{name}` asks nobody for an approval"))
            .next(format!("runbook dry-run {name}")));
    };
    let by = home.speaker(&plan.policy.people, &args.voice)?;
    may_decide(&plan, step, &by, args.voice.sign)?;
    // An approval lets all that follows run, a gate the one step behind it.
    let effect = if step.gates.is_empty() { plan.highest_effect() } else { step.effect };
    if effect == Effect::Destructive && uses > 1 {
        return Err(Trouble::not_valid("what destroys something is approved ahead for one use at a time").next("give --uses 1"));
    }
    let (id, _) = runbook_engine::start::draw(&*home.clock);
    let mut ahead = Ahead {
        id: id.to_string(),
        by,
        reason: bounded(reason)?,
        procedure: name.clone(),
        version: plan.main().version,
        plan: plan.digest().map_err(|why| Trouble::failed(why.to_string()))?,
        step: path.clone(),
        environment: plan.policy.environment.as_ref().map(|e| e.name.clone()),
        inputs: inputs(&plan, args)?,
        uses,
        uses_left: uses,
        expires,
        signature: None,
    };
    if args.voice.sign {
        let key = signing_key(&plan.policy.people, &ahead.by.person, args.voice.key.clone().map(SigningKey::File))?;
        ahead.signature = Some(people::sign(&ahead_statement(&ahead), DECISION_NAMESPACE, &key).map_err(failed)?);
    }
    let body = serde_json::to_value(&ahead).map_err(|why| Trouble::failed(why.to_string()))?;
    home.here()?.journal.decide_ahead(NewAhead { procedure: name.clone(), body, uses, expires_at: expires }).wait()?;
    ui.say(&format!(
        "approved ahead: step `{path}` [{}] of `{name}` {}{}, {}, {uses} {}, until {}",
        request::effect(step.effect),
        ahead.version,
        ahead.environment.map(|e| format!(" in {}", line(&e))).unwrap_or_default(),
        if ahead.inputs.is_some() { "these inputs" } else { "any inputs" },
        if uses == 1 { "use" } else { "uses" },
        words::when(expires)
    ));
    ui.say("it is of the procedure and the workspace as they are now: once either is changed, people are asked again");
    ui.next(&format!("runbook decisions --ahead {name}"));
    Ok(Exit::Succeeded)
}

fn failed(why: PeopleError) -> Trouble {
    split(Exit::NotValid, &why.to_string())
}

fn bounds(uses: u32, expires: Timestamp, now: Timestamp) -> Result<(), Trouble> {
    let latest = now.saturating_add(limits::AHEAD_LIFETIME).unwrap_or(Timestamp::MAX);
    if uses == 0 || expires <= now {
        let why = "an approval ahead of time needs at least one use and a time that is still to come";
        return Err(Trouble::not_valid(why).next("give, for example, --uses 1 --expires 8h"));
    }
    if uses > limits::AHEAD_USES {
        let why = format!("an approval ahead of time is for at most {} uses", limits::AHEAD_USES);
        return Err(Trouble::not_valid(why).next("give fewer with --uses"));
    }
    if expires > latest {
        let days = limits::AHEAD_LIFETIME.as_secs() / 86_400;
        let why = format!("an approval ahead of time lasts at most {days} days, because the world changes");
        return Err(Trouble::not_valid(why).next(format!("give an earlier time, such as --expires {days}d")));
    }
    Ok(())
}

/// Who may not decide when the question comes is not to believe that they have. Who will ask for the run is not known yet.
fn may_decide(plan: &Arc<Plan>, step: &Step, by: &Identity, signs: bool) -> Result<(), Trouble> {
    let strict = plan.demands();
    let sources: Vec<(&[String], bool)> = match &step.verb {
        Verb::Approve(approve) => vec![(&approve.from, strict.signed)],
        _ => step.gates.iter().map(|gate| (gate.from.as_slice(), gate.signed || strict.signed)).collect(),
    };
    let mut why = None;
    for (from, signed) in sources {
        let asked = Asked { from, not_requester: false, four_eyes: false };
        let unsigned = || Refusal::NotSigned { who: by.person.clone() };
        let refusal = plan.policy.may_decide(asked, &driver::engine(), by).err().or_else(|| (signed && !signs).then(unsigned));
        match refusal {
            None => return Ok(()),
            Some(refusal) => why = Some(refusal),
        }
    }
    why.map_or(Ok(()), |why| Err(split(Exit::NotValid, &why.to_string())))
}

/// The digest of the inputs that it is bound to, where there are any.
fn inputs(plan: &Arc<Plan>, args: &Approve) -> Result<Option<Digest>, Trouble> {
    if args.input.is_empty() {
        return Ok(None);
    }
    let specs = &plan.main().inputs;
    let (typed, faults) = exec::typed(specs, &args.input);
    let faults = exec::all_faults(specs, typed.clone(), faults);
    match accept_all(specs, typed) {
        Ok(inputs) if faults.is_empty() => Digest::of_json(&inputs).map(Some).map_err(|why| Trouble::failed(why.to_string())),
        _ => Err(Trouble::not_valid(faults.join("\n")).next(format!("runbook check {} --schema", plan.main().name))),
    }
}

/// A time as people give it: an instant, or how long from now.
pub(super) fn moment(text: &str, now: Timestamp) -> Result<Timestamp, Trouble> {
    if let Ok(after) = parse_duration(text) {
        return Ok(now.saturating_add(Duration::from_millis(after.as_millis() as u64)).unwrap_or(Timestamp::MAX));
    }
    text.parse().map_err(|_| {
        Trouble::not_valid(format!("`{text}` is no time")).next("write an instant (2026-01-31T18:00Z) or a duration (8h)")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_as_people_give_them() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        for (text, expect) in [
            ("8h", Some("2026-01-01T08:00:00Z")),
            ("1d 2h", Some("2026-01-02T02:00:00Z")),
            ("2026-01-31T18:00:00Z", Some("2026-01-31T18:00:00Z")),
            ("soon", None),
            ("8", None),
        ] {
            let found = moment(text, now).ok().map(|t| t.to_string());
            assert_eq!(found.as_deref(), expect, "{text}");
        }
    }

    #[test]
    fn it_is_bounded() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        for (uses, expires, fine) in [
            (1, "2026-01-01T00:00:01Z", true),
            (0, "2026-01-02T00:00:00Z", false),
            (1, "2026-01-01T00:00:00Z", false),
            (limits::AHEAD_USES, "2026-04-01T00:00:00Z", true),
            (limits::AHEAD_USES + 1, "2026-01-02T00:00:00Z", false),
            (1, "2026-04-01T00:00:01Z", false),
        ] {
            assert_eq!(bounds(uses, expires.parse().unwrap(), now).is_ok(), fine, "{uses} until {expires}");
        }
    }
}
