//! What went wrong with a request, as a problem document (RFC 9457). Its `kind` is stable; its `detail` is for people.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;
use runbook_engine::event::Refusal;
use serde_json::json;

#[derive(Clone, Debug)]
pub struct Problem {
    status: StatusCode,
    kind: &'static str,
    detail: String,
    /// Seconds until it may be tried again.
    retry_after: Option<u32>,
    /// What a 401 names as the way in.
    challenge: &'static str,
    /// All that is wrong with what was sent.
    faults: Vec<String>,
}

impl Problem {
    pub fn new(status: StatusCode, kind: &'static str, detail: impl Into<String>) -> Problem {
        // Which way a source of events takes is its own affair.
        Problem { status, kind, detail: detail.into(), retry_after: None, challenge: "Webhook", faults: Vec::new() }
    }

    /// Nobody, or nobody whom the API knows.
    pub fn stranger(kind: &'static str, detail: impl Into<String>) -> Problem {
        Problem { challenge: "Bearer", ..Problem::new(StatusCode::UNAUTHORIZED, kind, detail) }
    }

    pub fn not_found(what: impl Into<String>) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, "not_found", what)
    }

    pub fn malformed(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, "malformed", detail)
    }

    /// What was asked can be read, and is not valid.
    pub fn not_valid(detail: impl Into<String>, faults: Vec<String>) -> Problem {
        Problem { faults, ..Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "not_valid", detail) }
    }

    /// More requests than one token or session may make.
    pub fn too_many() -> Problem {
        Problem::wait("more requests come from you than may; wait a second", 1)
    }

    /// It may be asked again after so many seconds.
    pub fn wait(detail: impl Into<String>, seconds: u32) -> Problem {
        Problem { retry_after: Some(seconds), ..Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many", detail) }
    }

    /// Whoever asks may not, or not so.
    pub fn forbidden(kind: &'static str, detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::FORBIDDEN, kind, detail)
    }

    /// Nothing is wrong with the request: it is to be sent again.
    pub fn later(kind: &'static str, detail: impl Into<String>, seconds: u32) -> Problem {
        Problem { retry_after: Some(seconds), ..Problem::new(StatusCode::SERVICE_UNAVAILABLE, kind, detail) }
    }

    pub fn status(&self) -> StatusCode {
        self.status
    }

    pub fn kind(&self) -> &'static str {
        self.kind
    }

    pub fn detail(&self) -> &str {
        &self.detail
    }

    pub fn faults(&self) -> &[String] {
        &self.faults
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Problem {
        let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::BAD_REQUEST);
        match status {
            StatusCode::SERVICE_UNAVAILABLE => Problem::later(refusal.kind.as_str(), refusal.message, 5),
            status => Problem::new(status, refusal.kind.as_str(), refusal.message),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response<Body> {
        let Problem { status, kind, detail, retry_after, challenge, faults } = self;
        let title = status.canonical_reason().unwrap_or("Error");
        let mut body = json!({"title": title, "status": status.as_u16(), "kind": kind, "detail": detail});
        if !faults.is_empty() {
            body["faults"] = faults.into();
        }
        let mut response = Response::new(Body::from(body.to_string()));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        if status == StatusCode::UNAUTHORIZED {
            // Every 401 names a way (RFC 9110).
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    }
}
