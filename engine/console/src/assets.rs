//! The files that pages refer to: style sheets and script. Their addresses change with what they hold, so that browsers may
//! keep them for good.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::LazyLock;

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::BASE;

/// A file.
pub(crate) struct Asset {
    /// Where it is.
    pub(crate) address: String,
    name: String,
    media: &'static str,
    text: String,
}

/// How everything looks. Pictures bring their own rules, which are kept to the pictures.
pub(crate) static STYLE: LazyLock<Asset> = LazyLock::new(|| {
    let picture = cosell_graph::STYLE;
    Asset::new(
        "console",
        "css",
        "text/css",
        format!("{}\nsvg.picture {{\n{picture}}}\n", include_str!("../assets/console.css")),
    )
});

/// What makes open pages livelier.
pub(crate) static SCRIPT: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("console", "js", "text/javascript", include_str!("../assets/console.js").to_owned()));

/// The sign of the console in tabs.
pub(crate) static ICON: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("icon", "svg", "image/svg+xml", include_str!("../assets/icon.svg").to_owned()));

impl Asset {
    fn new(name: &str, ending: &str, media: &'static str, text: String) -> Self {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        let name = format!("{name}-{:016x}.{ending}", hasher.finish());
        Self { address: format!("{BASE}/assets/{name}"), name, media, text }
    }
}

pub(crate) fn routes() -> Router {
    Router::new().route("/assets/{name}", get(asset))
}

async fn asset(Path(name): Path<String>) -> Response {
    let known = [&STYLE, &SCRIPT, &ICON].into_iter().find(|asset| asset.name == name);
    match known {
        Some(asset) => {
            let headers = [(CONTENT_TYPE, asset.media), (CACHE_CONTROL, "public, max-age=31536000, immutable")];
            (headers, asset.text.as_str()).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
