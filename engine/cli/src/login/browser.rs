//! Signing in with a browser on this machine, which comes back to a port that is opened for it (RFC 8252, loopback
//! interface redirection).

use std::process::{Command, Stdio};

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::response::Html;
use axum::routing::get;
use cosell_sdk::sign_in::{SignIn, SignedIn};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::{Failure, show_address};
use crate::Trouble;

/// The program that opens an address in the person's browser.
const OPENER: Option<&str> = if cfg!(target_os = "macos") {
    Some("open")
} else if cfg!(unix) {
    Some("xdg-open")
} else {
    None
};

/// Whether the person sits at a desktop of this machine.
pub(super) fn is_there() -> bool {
    let is_set = |name: &str| std::env::var_os(name).is_some();
    let has_desktop = cfg!(any(target_os = "macos", windows)) || is_set("DISPLAY") || is_set("WAYLAND_DISPLAY");
    has_desktop && !is_set("SSH_CONNECTION")
}

/// Signs in, and waits for the browser to come back.
pub(super) async fn sign_in(sign_in: &SignIn, json: bool) -> Result<SignedIn, Failure> {
    let unusable = |error: std::io::Error| Trouble::new(format!("no port can be opened for the browser: {error}"));
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(unusable)?;
    let port = listener.local_addr().map_err(unusable)?.port();
    // Entra takes any port of `localhost` where the app registration has `http://localhost`.
    let begun = sign_in.begin_authorisation_code(&format!("http://localhost:{port}"))?;
    show_address(&begun.address, json);
    if let Some(opener) = OPENER.filter(|_| is_there()) {
        // The address is shown, so the person can open it where this does not.
        let _ = Command::new(opener).arg(&begun.address).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    }

    let (sender, mut came_back) = mpsc::channel(1);
    let app = Router::new().route("/", get(came)).with_state(sender);
    let serving = tokio::spawn(async move { axum::serve(listener, app).await });
    let query = came_back.recv().await;
    let signed_in = begun.finish(&query.unwrap_or_default()).await;
    serving.abort();
    Ok(signed_in?)
}

/// What the browser brings back says nothing yet: only the code that is made of it does.
async fn came(State(sender): State<mpsc::Sender<String>>, RawQuery(query): RawQuery) -> Html<&'static str> {
    // A second one comes too late.
    let _ = sender.try_send(query.unwrap_or_default());
    Html(
        "<!DOCTYPE html><title>cosell</title><p>Go back to cosell, which says whether the sign-in succeeded. This page can be closed.",
    )
}
