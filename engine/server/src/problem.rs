//! What went wrong with a request, as a problem document (RFC 9457). Its `kind` is stable; its `detail` is for people.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
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
}

impl Problem {
    pub fn new(status: StatusCode, kind: &'static str, detail: impl Into<String>) -> Problem {
        Problem { status, kind, detail: detail.into(), retry_after: None }
    }

    /// Nothing is wrong with the request: it is to be sent again.
    pub fn later(kind: &'static str, detail: impl Into<String>, seconds: u32) -> Problem {
        Problem { retry_after: Some(seconds), ..Problem::new(StatusCode::SERVICE_UNAVAILABLE, kind, detail) }
    }

    pub fn kind(&self) -> &'static str {
        self.kind
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
        let Problem { status, kind, detail, retry_after } = self;
        let title = status.canonical_reason().unwrap_or("Error");
        let body = json!({"title": title, "status": status.as_u16(), "kind": kind, "detail": detail});
        let mut response = Response::new(Body::from(body.to_string()));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        if status == StatusCode::UNAUTHORIZED {
            // Every 401 names a way (RFC 9110); which one a source takes is its own affair.
            response.headers_mut().insert("www-authenticate", HeaderValue::from_static("Webhook"));
        }
        response
    }
}
