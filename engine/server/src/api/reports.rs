//! What is written of a run for people to read: its account, as a text that stands by itself.

use axum::http::{HeaderValue, header};
use axum::response::IntoResponse;
use runbook_engine::report::account::{Account, Teller};
use runbook_engine::report::html;

use super::runs::{replayed_with, verified};
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
