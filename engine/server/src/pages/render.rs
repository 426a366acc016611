//! Templates, and pages made of them. Whatever is put into a template is escaped and cannot act on the display; HTML of our own is put in where its
//! name ends with `_html`, which a test holds the templates to.

use std::sync::LazyLock;

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use handlebars::{Handlebars, TemplateError};
use jiff::Timestamp;
use runbook_engine::report::html;
use serde::Serialize;

use super::frame::Frame;
use crate::problem::Problem;

const TEMPLATES: &[(&str, &str)] = &[
    ("answer", include_str!("templates/answer.hbs")),
    ("audit", include_str!("templates/audit.hbs")),
    ("compare", include_str!("templates/compare.hbs")),
    ("decision", include_str!("templates/decision.hbs")),
    ("event", include_str!("templates/event.hbs")),
    ("events", include_str!("templates/events.hbs")),
    ("field", include_str!("templates/field.hbs")),
    ("flow", include_str!("templates/flow.hbs")),
    ("foreseen", include_str!("templates/foreseen.hbs")),
    ("frame", include_str!("templates/frame.hbs")),
    ("health", include_str!("templates/health.hbs")),
    ("led_back", include_str!("templates/led_back.hbs")),
    ("log", include_str!("templates/log.hbs")),
    ("log_in", include_str!("templates/log_in.hbs")),
    ("of_run", include_str!("templates/of_run.hbs")),
    ("on_call", include_str!("templates/on_call.hbs")),
    ("pair", include_str!("templates/pair.hbs")),
    ("problem", include_str!("templates/problem.hbs")),
    ("problems", include_str!("templates/problems.hbs")),
    ("procedure", include_str!("templates/procedure.hbs")),
    ("procedures", include_str!("templates/procedures.hbs")),
    ("proof", include_str!("templates/proof.hbs")),
    ("proof_of_session", include_str!("templates/proof_of_session.hbs")),
    ("rulings", include_str!("templates/rulings.hbs")),
    ("run", include_str!("templates/run.hbs")),
    ("run_line", include_str!("templates/run_line.hbs")),
    ("runs", include_str!("templates/runs.hbs")),
    ("schedule", include_str!("templates/schedule.hbs")),
    ("server", include_str!("templates/server.hbs")),
    ("timeline", include_str!("templates/timeline.hbs")),
    ("waiting", include_str!("templates/waiting.hbs")),
    ("when", include_str!("templates/when.hbs")),
];

/// Read when the first page is asked for: what serves nobody has no need of them.
static READ: LazyLock<Result<Handlebars<'static>, Box<TemplateError>>> = LazyLock::new(|| {
    let mut read = Handlebars::new();
    read.set_strict_mode(true);
    read.register_escape_fn(html::lines);
    for (name, text) in TEMPLATES {
        read.register_template_string(name, text)?;
    }
    Ok(read)
});

/// A page within its frame.
pub fn page(template: &str, frame: &Frame, page: &impl Serialize) -> Result<Response<Body>, Problem> {
    #[derive(Serialize)]
    struct Whole<'a, T> {
        frame: &'a Frame,
        page: &'a T,
    }
    let rendered = match &*READ {
        Ok(read) => read.render(template, &Whole { frame, page }).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    let text = rendered.map_err(|error| {
        tracing::error!(template, error, "a page could not be made");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "broken", "the page could not be made; the log of the server says why")
    })?;
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    Ok(response)
}

/// A part of a list that a link above it leads to.
#[derive(Serialize)]
pub struct Tab {
    pub name: &'static str,
    pub address: String,
    /// How many are in it, where that is told.
    pub count: Option<String>,
    pub is_here: bool,
}

/// An instant, in the time of the world; a script adds that of whoever looks.
#[derive(Clone, Debug, Serialize)]
pub struct When {
    instant: String,
    text: String,
}

impl When {
    pub fn at(at: Timestamp) -> When {
        When { instant: at.to_string(), text: at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_read_and_put_nothing_in_as_it_is_but_our_own_html() {
        assert!(READ.is_ok(), "{:?}", READ.as_ref().err());
        for (name, text) in TEMPLATES {
            assert!(!text.contains("{{&"), "{name}");
            for raw in text.split("{{{").skip(1) {
                let (expression, _) = raw.split_once("}}}").unwrap_or_default();
                assert!(expression.trim_matches('~').ends_with("_html"), "{name}: {expression}");
            }
            // An attribute that is not quoted is no place for a text.
            for (at, _) in text.match_indices("={{") {
                let quotes = text[..at].rsplit('<').next().unwrap_or_default().matches('"').count();
                assert!(quotes % 2 == 1, "{name}: {}", &text[at..]);
            }
            for never in ["<script>", "style=", " on", "javascript:", "<style", "<iframe", "<object", "<embed"] {
                let inline = text.split('<').skip(1).filter_map(|tag| tag.split('>').next());
                let found = inline.filter(|tag| never != " on" || tag.split('"').step_by(2).any(|bare| bare.contains(" on")));
                assert!(never == " on" && found.count() == 0 || never != " on" && !text.contains(never), "{name} has {never}");
            }
        }
    }
}
