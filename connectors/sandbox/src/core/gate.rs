//! The gate in front of every stand-in: applies faults, and writes each request into the log.

use std::{io, sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};

use super::{
    clock::{Clock, skewed},
    faults::{Action, Answer, Faults, Named, own_body, throttle},
    log::{Actor, Changes, Entry, Log},
};

/// Put into a response's extensions where the connection is to be cut in its place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut;

/// What the gate of one stand-in needs.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    /// Name of the stand-in, as the log and fault rules call it.
    pub(crate) system: &'static str,
    /// Dates the log.
    pub(crate) clock: Arc<Clock>,
    /// Takes an entry for each request.
    pub(crate) log: Arc<Log>,
    /// Rules to apply.
    pub(crate) faults: Arc<Faults>,
}

/// Lets one request pass (axum middleware).
pub(crate) async fn pass(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let method = request.method().to_string();
    let path = request.uri().path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string);
    let at = gate.clock.now();
    let strike = gate.faults.strike(gate.system, &method, &path);

    let skew = match strike.as_ref().map(|strike| &strike.action) {
        Some(Action::Skew(skew)) => skew.skew_seconds.into(),
        _ => 0,
    };
    let mut response = match strike.as_ref().map(|strike| &strike.action) {
        None => next.run(request).await,
        Some(Action::Answer(answer)) => instead(gate.system, answer),
        Some(Action::Delay(delay)) => {
            tokio::time::sleep(Duration::from_millis(delay.delay_ms)).await;
            next.run(request).await
        }
        Some(Action::Skew(_)) => skewed(skew, next.run(request)).await,
        Some(Action::Named(Named::Throttle)) => instead(gate.system, &throttle(gate.system)),
        Some(Action::Named(Named::ResetBefore | Named::HoldBefore)) => cut(StatusCode::BAD_GATEWAY.into_response()),
        Some(Action::Named(Named::ResetAfter | Named::HoldAfter)) => cut(next.run(request).await),
        Some(Action::Named(Named::HalfBody)) => half_body(next.run(request).await).await,
        Some(Action::Named(Named::MalformedJson)) => {
            let mut response = next.run(request).await;
            *response.body_mut() = Body::from("{\"value\":[{\"id\":");
            response.headers_mut().remove(header::CONTENT_LENGTH);
            response
        }
        Some(Action::Named(Named::WrongContentType)) => {
            let mut response = next.run(request).await;
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
            response
        }
    };
    // Otherwise the server would write the machine's time, whatever the simulated one is.
    if let Some(date) = http_date(gate.clock.now() + SignedDuration::from_secs(skew)) {
        response.headers_mut().insert(header::DATE, date);
    }

    let extensions = response.extensions();
    let status = if extensions.get::<Cut>().is_some() { 0 } else { response.status().as_u16() };
    gate.log.append(Entry {
        number: 0,
        at,
        system: gate.system.to_owned(),
        actor: extensions.get::<Actor>().map(|actor| actor.0.clone()),
        method,
        path,
        status,
        fault: strike.as_ref().map(|strike| strike.name.clone()),
        changes: extensions.get::<Changes>().map(|changes| changes.0.clone()).unwrap_or_default(),
    });
    // After the log is written: whoever is told that a request is held reads there which it is.
    if let Some(strike) = strike.filter(|strike| strike.action.holds()) {
        gate.faults.hold(&strike).await;
    }
    response
}

fn cut(mut response: Response) -> Response {
    response.extensions_mut().insert(Cut);
    response
}

/// The form of RFC 9110, 5.6.7: `Mon, 02 Nov 2026 08:15:30 GMT`.
fn http_date(at: Timestamp) -> Option<HeaderValue> {
    HeaderValue::from_str(&at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()).ok()
}

fn instead(system: &str, answer: &Answer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = match &answer.body {
        _ if answer.own_body => (status, axum::Json(own_body(system, answer.status))).into_response(),
        Some(body) => (status, axum::Json(body)).into_response(),
        None => status.into_response(),
    };
    if let Some(seconds) = answer.retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// Announces the whole body's length, sends half, then breaks off.
async fn half_body(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let whole = to_bytes(body, usize::MAX).await.unwrap_or_default();
    parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(whole.len()));
    let half = whole.slice(..whole.len() / 2);
    // Yielding before the error lets the server flush what it has, so that the client really sees a first half.
    let sent = stream::once(async { Ok(half) });
    let broken = stream::once(async {
        tokio::task::yield_now().await;
        Err::<Bytes, _>(io::Error::other("cut by a fault rule"))
    });
    Response::from_parts(parts, Body::from_stream(sent.chain(broken)))
}
