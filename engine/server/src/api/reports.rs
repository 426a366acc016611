//! What is made of the records of runs for people to read: the account of one as a text that stands by itself, and two beside one another.

use axum::http::{HeaderValue, header};
use axum::response::IntoResponse;
use runbook_core::RunId;
use runbook_engine::journal::RunRow;
use runbook_engine::report::account::{Account, Teller};
use runbook_engine::report::html;
use runbook_engine::report::two_runs::TwoRuns;
use serde_json::json;

use super::runs::{replayed, replayed_with, verified};
use super::{Answer, Call};
use crate::problem::Problem;

pub async fn report(call: Call) -> Result<Answer, Problem> {
    let is_page = match call.text("format") {
        None | Some("markdown") => false,
        Some("html") => true,
        Some(_) => return Err(Problem::malformed("`format` is `markdown` or `html`")),
    };
    let row = call.run()?;
    let mut teller = Teller::default();
    let (run, row) = replayed_with(&call, &row.run, &mut |run, event| teller.event(run, event)).await?;
    let (proof, _) = verified(&call, &row).await?;
    let account = tokio::task::block_in_place(|| Account::of(&run, &row, teller, &proof));
    let (kind, text) = match is_page {
        true => ("text/html; charset=utf-8", account.to_html()),
        false => ("text/markdown; charset=utf-8", account.to_markdown()),
    };
    let mut response = text.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Ok(policy) = HeaderValue::try_from(html::policy()) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    Ok(Answer::raw(response))
}

pub async fn comparison(call: Call) -> Result<Answer, Problem> {
    let row = call.run()?;
    let (two, _) = two_runs(&call, &row).await?;
    Ok(Answer::json(&json!(two)))
}

/// A run beside the one that is named, which is given too.
pub async fn two_runs(call: &Call, row: &RunRow) -> Result<(TwoRuns, RunRow), Problem> {
    let with = call.parsed::<RunId>("with")?.ok_or_else(|| Problem::malformed("`with` says which run it is compared with"))?;
    let other = call.visible(&with)?;
    let (one, two) = (&row.summary.procedure, &other.summary.procedure);
    if one != two {
        let detail = format!("run {} is of `{one}` and run {with} of `{two}`: runs of one procedure are compared", row.run);
        return Err(Problem::not_valid(detail, Vec::new()));
    }
    let (run, row) = replayed(call, &row.run).await?;
    let (beside, other) = replayed(call, &other.run).await?;
    let two = tokio::task::block_in_place(|| TwoRuns::of((&run, &row), (&beside, &other), call.app().clock.now()));
    Ok((two, other))
}
