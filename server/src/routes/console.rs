//! The web console, built into the program. It loads nothing from other origins, as enforced by its
//! content security policy.

use std::{collections::BTreeMap, sync::LazyLock};

use actix_web::{
    HttpRequest, HttpResponse,
    http::header,
    web::{Path, Redirect},
};

use crate::{
    error::{ApiError, ApiResult},
    http::etag,
};

const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; \
    connect-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'";

/// Cache lifetime in seconds. Browsers revalidate each time, since file names do not change with
/// the version of the program.
const MAX_AGE_S: u32 = 0;

macro_rules! files {
    ($($name:literal)+) => { [$(($name, include_str!(concat!("../../console/", $name)))),+] };
}

/// Files of the console; a test compares them with the folder.
pub const FILES: [(&str, &str); 42] = files![
    "index.html"
    "icon.svg"
    "css/base.css"
    "css/dialogue.css"
    "css/item.css"
    "css/search.css"
    "css/shell.css"
    "css/views.css"
    "js/api.js"
    "js/bars.js"
    "js/card.js"
    "js/chart.js"
    "js/chips.js"
    "js/dialog.js"
    "js/dialogue.js"
    "js/dom.js"
    "js/facets.js"
    "js/filter.js"
    "js/format.js"
    "js/highlight.js"
    "js/item.js"
    "js/keyboard.js"
    "js/main.js"
    "js/metrics.js"
    "js/microphone.js"
    "js/palette.js"
    "js/picture.js"
    "js/problem.js"
    "js/query.js"
    "js/report.js"
    "js/route.js"
    "js/scatter.js"
    "js/searchbar.js"
    "js/suggest.js"
    "js/theme.js"
    "js/views/analytics.js"
    "js/views/dialogue.js"
    "js/views/health.js"
    "js/views/map.js"
    "js/views/reports.js"
    "js/views/rules.js"
    "js/views/search.js"
];

struct File {
    text: &'static str,
    media_type: &'static str,
    hash: blake3::Hash,
}

static BY_NAME: LazyLock<BTreeMap<&str, File>> = LazyLock::new(|| {
    let file = |(name, text): (&'static str, &'static str)| {
        let media_type = match name.rsplit('.').next() {
            Some("html") => "text/html; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            Some("js") => "text/javascript; charset=utf-8",
            Some("svg") => "image/svg+xml",
            _ => "text/plain; charset=utf-8",
        };
        let hash = blake3::hash(text.as_bytes());
        (
            name,
            File {
                text,
                media_type,
                hash,
            },
        )
    };
    FILES.into_iter().map(file).collect()
});

/// Redirects to `/console/`, which the links of the page are relative to.
pub async fn console() -> Redirect {
    Redirect::to("/console/").see_other()
}

/// Returns a file of the console.
pub async fn file(request: HttpRequest, name: Path<String>) -> ApiResult<HttpResponse> {
    let name = Some(name.as_str()).filter(|name| !name.is_empty());
    let file = BY_NAME.get(name.unwrap_or("index.html"));
    let file = file.ok_or_else(ApiError::route_not_found)?;
    let (mut response, is_cached) = etag::respond(&request, etag::tag(&file.hash), MAX_AGE_S);
    response
        .insert_header((header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .insert_header((header::X_FRAME_OPTIONS, "DENY"));
    if is_cached {
        return Ok(response.finish());
    }
    Ok(response.content_type(file.media_type).body(file.text))
}
