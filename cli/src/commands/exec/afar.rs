//! A procedure of a server's catalogue, run there and followed here: what is shown before the start is of the plan that the server gives, and
//! only that plan is started.

use std::path::PathBuf;

use runbook_core::run::Run;
use runbook_core::value::Map;
use runbook_core::{Digest, ProcedureName};
use runbook_engine::journal::chain;
use runbook_engine::start::Order;
use runbook_server::client::{Failure, Start};

use super::wanted::Wanted;
use super::{agreed, part};
use crate::args::{Exec, Given};
use crate::commands::attend::afar::{self, Seen};
use crate::commands::store::{Home, There, driving_runtime};
use crate::exit::{Exit, Outcome, Trouble};
use crate::settings::Settings;
use crate::ui::Ui;
use crate::ui::ask::Lines;
use crate::ui::screen::Screen;

pub fn run(args: &Exec, settings: &Settings, ui: &mut Ui) -> Outcome {
    let home = Home::open(settings)?;
    let there = home.there()?;
    let environment = environment(&args.given, settings);
    let mut lines = Lines::default();
    driving_runtime(ui)?.block_on(async {
        let (wanted, digest) = wanted(&args.procedure, environment.as_deref(), there).await?;
        let inputs = wanted.inputs(&args.given, ui, &mut lines).await?;
        let order = Order {
            plan: wanted.plan.clone(),
            inputs: inputs.values(),
            requested_by: there.me.clone(),
            part: part(args),
            stepwise: args.step,
            catalogue: None,
            // Where steps run is the affair of the server.
            root: PathBuf::new(),
        };
        let started = order.started(0).map_err(|error| wanted.refused(error, &inputs))?;
        if !agreed(args, &wanted, &started, None, &inputs, ui, &mut lines).await? {
            return Ok(Exit::Cancelled);
        }
        let start = Start {
            procedure: args.procedure.clone(),
            version: None,
            plan: Some(digest),
            environment,
            inputs: plain(inputs.values()),
            from: args.from.clone(),
            only: args.only.clone(),
            stepwise: args.step,
        };
        let row = there.remote.start(&start).await?;
        if args.detach {
            ui.data(row.run.as_str())?;
            ui.next(&format!("runbook show {}", row.run));
            return Ok(Exit::Succeeded);
        }
        let run = Run::new(wanted.plan.clone());
        let seen = Seen { head: chain::genesis(row.format, &row.run), format: row.format, id: row.run, run, until: 1 };
        let screen = Screen::new(ui, args.json);
        afar::attend(&home, seen, screen, ui, &mut lines).await
    })
}

/// The environment that a run there would be in; where none is named, the server knows.
pub fn environment(given: &Given, settings: &Settings) -> Option<String> {
    given.env.clone().or_else(|| settings.environment.value.clone())
}

/// A procedure of the server's catalogue as a run of it would be, and the digest by which the server knows that.
pub async fn wanted(procedure: &str, environment: Option<&str>, there: &There) -> Result<(Wanted, Digest), Trouble> {
    let unknown = |why: String| Trouble::not_valid(why).next("name a procedure of the catalogue that the server has");
    let name = procedure
        .parse::<ProcedureName>()
        .map_err(|_| unknown(format!("`{procedure}` is no name of a procedure, and a server runs no files of this machine")))?;
    let Some(offered) = Failure::absent(there.remote.plan_of(&name, environment).await)? else {
        return Err(unknown(format!("{} has no procedure `{name}`, or none that you may see", there.remote.address())));
    };
    Ok((Wanted::new(offered.plan, name.as_str()), offered.digest))
}

/// What JSON has no word for is text, which the server reads as what the procedure declares.
fn plain(values: Map) -> serde_json::Map<String, serde_json::Value> {
    values.into_iter().map(|(name, value)| (name, value.to_plain_json())).collect()
}
