//! The description of the API, made from the table of operations and the schemas of what goes in and out.

use axum::http::Method;
use runbook_core::limits;
use runbook_core::policy::access::Act;
use serde_json::{Value, json};

use super::table::{Gives, Kind, OPERATIONS};
use super::{Answer, Call, Operation, ROOT, session};
use crate::problem::Problem;

/// What goes in and out, as JSON Schema.
const SCHEMAS: &str = include_str!("schemas.json");

pub async fn description(_: Call) -> Result<Answer, Problem> {
    Ok(Answer::json(&document()))
}

/// OpenAPI 3.1.
pub fn document() -> Value {
    let mut paths = serde_json::Map::new();
    for operation in &OPERATIONS {
        let entry = paths.entry(operation.path).or_insert_with(|| json!({}));
        entry[operation.method.as_str().to_ascii_lowercase()] = described(operation);
    }
    paths.insert(session::PATH.to_owned(), session::described());
    let schemas: Value = serde_json::from_str(SCHEMAS).unwrap_or_default();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "runbook", "version": "1",
            "description": "What people and programs ask of `runbook serve`. Fields may be added; none is renamed or given another meaning.",
        },
        "servers": [{"url": ROOT}],
        "security": [{"token": []}, {"session": []}, {"certificate": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "Made by `runbook token create`"},
                "session": {
                    "type": "apiKey", "in": "cookie", "name": "__Host-runbook",
                    "description": "Set by `POST /session`; `runbook` where the server listens on loopback in the clear",
                },
                "certificate": {"type": "mutualTLS", "description": "Where the server has `--client-ca`"},
            },
            "schemas": schemas,
        },
    })
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn schema_of(kind: Kind) -> Value {
    match kind {
        Kind::Text => json!({"type": "string"}),
        Kind::Sought => json!({"type": "string", "minLength": 1}),
        Kind::Limit => json!({"type": "integer", "minimum": 1, "maximum": limits::PAGE, "default": limits::PAGE_DEFAULT}),
        Kind::Whole => json!({"type": "integer", "minimum": 0}),
        Kind::Boolean => json!({"type": "boolean"}),
        Kind::RunId => reference("RunId"),
        Kind::Procedure => reference("ProcedureName"),
        Kind::Step => {
            json!({"type": "string", "pattern": "^[a-z0-9_.~\\[\\]-]+(/[a-z0-9_.~\\[\\]-]+)*$", "maxLength": limits::PATH_BYTES})
        }
        Kind::Decision => json!({"type": "string", "pattern": "^[0-9a-hjkmnp-tv-z]{26}[.][0-9]{1,9}$"}),
        Kind::Phase => reference("Phase"),
        Kind::Word => json!({"enum": ["ran", "joined", "dropped", "deferred"]}),
        Kind::Format => json!({"enum": ["markdown", "html"], "default": "markdown"}),
    }
}

pub fn problem() -> Value {
    json!({"description": "A problem document (RFC 9457); `kind` is stable",
        "content": {"application/problem+json": {"schema": reference("Problem")}}})
}

/// What is shown beside the cookie of a session by whatever does more than look.
pub fn csrf_token() -> Value {
    json!({
        "name": "X-CSRF-Token", "in": "header", "required": false,
        "description": "With a session: `csrf_token` of `GET /session`. The browser adds where the page is from",
        "schema": {"type": "string"},
    })
}

fn described(operation: &Operation) -> Value {
    let in_path = operation.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let schema_of_part = |name: &str| match name {
        "run" => reference("RunId"),
        "procedure" => reference("ProcedureName"),
        "decision" => json!({"type": "string", "pattern": "^d[1-9][0-9]{0,8}$"}),
        "event" => json!({"type": "integer", "minimum": 1}),
        "plan" => reference("Digest"),
        _ => json!({"type": "string"}),
    };
    let mut parameters: Vec<Value> =
        in_path.map(|name| json!({"name": name, "in": "path", "required": true, "schema": schema_of_part(name)})).collect();
    parameters.extend(operation.query.iter().map(|(name, kind, doc)| {
        json!({"name": name, "in": "query", "description": doc, "required": matches!(*name, "step" | "text" | "with"), "schema": schema_of(*kind)})
    }));
    if operation.method == Method::POST {
        parameters.push(csrf_token());
    }
    if operation.method == Method::POST && operation.act != Act::Foresee {
        parameters.push(json!({
            "name": "Idempotency-Key", "in": "header", "required": false,
            "description": "With the same key the same request of the same person counts once, for seven days",
            "schema": {"type": "string", "minLength": 1, "maxLength": limits::REQUEST_KEY_BYTES},
        }));
    }
    let as_json = |schema: Value| json!({"application/json": {"schema": schema}});
    let (status, content) = match operation.answer {
        Gives::Page(of) => {
            let mut list = json!({
                "type": "object", "required": ["items", "next"],
                "properties": {"items": {"type": "array", "items": reference(of)}, "next": {"type": ["string", "null"]}},
            });
            if of == "Entry" {
                list["properties"]["broken_at"] = json!({"type": ["integer", "null"]});
            }
            ("200", as_json(list))
        }
        Gives::One(of) => ("200", as_json(reference(of))),
        Gives::Made(of) => ("201", as_json(reference(of))),
        Gives::Stream => ("200", json!({"text/event-stream": {"schema": reference("Grown")}})),
        Gives::Bytes => ("200", json!({"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}})),
        Gives::Report => {
            let text = json!({"schema": {"type": "string"}});
            ("200", json!({"text/markdown": text, "text/html": text}))
        }
    };
    let mut responses = json!({
        status: {"description": operation.summary, "content": content},
        "default": problem(),
    });
    if operation.answer == Gives::Bytes {
        responses["206"] = responses["200"].clone();
        responses["416"] = json!({"description": "There is no such part"});
    }
    let mut described = json!({
        "operationId": operation.id, "summary": operation.summary, "parameters": parameters, "responses": responses,
        "x-act": operation.act.name(),
    });
    if let Some(body) = operation.body {
        let required = matches!(body, "Start" | "Vote" | "Note");
        described["requestBody"] = json!({"required": required, "content": as_json(reference(body))});
    }
    described
}
