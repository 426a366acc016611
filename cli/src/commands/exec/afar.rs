//! A procedure of a server's catalogue, run there and followed here: what is shown before the start is of the plan that the server gives, and
//! only that plan is started.

use std::path::PathBuf;

use runbook_core::ProcedureName;
use runbook_core::run::Run;
use runbook_core::value::Map;
use runbook_engine::journal::chain;
use runbook_engine::start::Order;
use runbook_server::client::{Failure, Start};

use super::wanted::Wanted;
use super::{agreed, part};
use crate::args::Exec;
use crate::commands::attend::afar::{self, Seen};
use crate::commands::store::{Home, driving_runtime};
use crate::exit::{Exit, Outcome, Trouble};
use crate::settings::Settings;
use crate::ui::Ui;
use crate::ui::ask::Lines;
use crate::ui::screen::Screen;

pub fn run(args: &Exec, settings: &Settings, ui: &mut Ui) -> Outcome {
    let unknown = |why: String| Err(Trouble::not_valid(why).next("name a procedure of the catalogue that the server has"));
    let Ok(name) = args.procedure.parse::<ProcedureName>() else {
        return unknown(format!("`{}` is no name of a procedure, and a server runs no files of this machine", args.procedure));
    };
    let home = Home::open(settings)?;
    let there = home.there()?;
    let environment = args.given.env.clone().or_else(|| settings.environment.value.clone());
    let mut lines = Lines::default();
    driving_runtime(ui)?.block_on(async {
        let Some(offered) = Failure::absent(there.remote.plan_of(&name, environment.as_deref()).await)? else {
            return unknown(format!("{} has no procedure `{name}`, or none that you may see", there.remote.address()));
        };
        let wanted = Wanted::new(offered.plan, name.as_str());
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
            procedure: name.to_string(),
            version: None,
            plan: Some(offered.digest),
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

/// What JSON has no word for is text, which the server reads as what the procedure declares.
fn plain(values: Map) -> serde_json::Map<String, serde_json::Value> {
    values.into_iter().map(|(name, value)| (name, value.to_plain_json())).collect()
}
