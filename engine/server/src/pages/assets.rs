//! The styles and the script of the pages, and their icon. The address of each holds its digest: a browser keeps it for ever, and takes another when it
//! changes.

use std::sync::LazyLock;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Response, header};
use axum::routing::get;
use runbook_core::Digest;
use runbook_engine::report::html;

pub struct Asset {
    path: &'static str,
    kind: &'static str,
    text: &'static str,
}

pub static STYLE: &Asset =
    &Asset { path: "/assets/pages.css", kind: "text/css; charset=utf-8", text: include_str!("assets/pages.css") };
pub static SCRIPT: &Asset =
    &Asset { path: "/assets/pages.js", kind: "text/javascript; charset=utf-8", text: include_str!("assets/pages.js") };
/// Of guides and dry runs, which are the same wherever they stand.
pub static REPORT: &Asset = &Asset { path: "/assets/report.css", kind: "text/css; charset=utf-8", text: html::STYLE };
static ICON: &Asset = &Asset { path: "/favicon.ico", kind: "image/svg+xml", text: include_str!("assets/icon.svg") };

/// Of those that change together.
static VERSION: LazyLock<String> =
    LazyLock::new(|| Digest::of_parts([STYLE, SCRIPT, REPORT].map(|asset| asset.text.as_bytes())).short().to_owned());

pub fn address(asset: &Asset) -> String {
    format!("{}?{}", asset.path, *VERSION)
}

pub fn routes() -> Router {
    [STYLE, SCRIPT, REPORT, ICON]
        .into_iter()
        .fold(Router::new(), |router, asset| router.route(asset.path, get(async || given(asset))))
}

fn given(asset: &'static Asset) -> Response<Body> {
    let mut response = Response::new(Body::from(asset.text));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'"));
    response
}
