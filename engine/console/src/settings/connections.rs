//! Connections: what they lead to, how they sign in, and whether they are called. Of their settings only the address and the
//! kind of sign-in are shown: everything else may be a secret.

use cosell_compile::configuration::ConnectionEntry;
use cosell_model::Value;
use cosell_model::catalogue::Limits;
use cosell_model::spans;
use cosell_runtime::memory::Engine;
use cosell_service::api::{Connection, Status};
use maud::{Markup, html};
use url::Url;

use crate::facts::Facts;
use crate::page::{badge, called, foreign, moment};

/// All that are configured, and those that flows use without.
pub(super) fn cards(facts: &Facts, status: &Status, engine: &Engine) -> Markup {
    let configured = &facts.configuration.connections;
    let unconfigured = status.connections.iter().map(|open| &open.name).filter(|name| !configured.contains_key(*name));
    let names: Vec<&String> = configured.keys().chain(unconfigured).collect();
    html! {
        @if names.is_empty() { p.nothing { "None is configured." } }
        div.cards {
            @for name in names {
                @let open = status.connections.iter().find(|open| open.name == *name);
                @let limits = engine.connection(name).map(cosell_sdk::Connection::limits);
                (card(name, configured.get(name), open, limits))
            }
        }
    }
}

fn card(name: &str, entry: Option<&ConnectionEntry>, open: Option<&Connection>, limits: Option<Limits>) -> Markup {
    let sign_in = entry.map_or(SignIn::None, |entry| SignIn::of(&entry.settings));
    html! {
        section.card aria-labelledby={ "connection-" (name) } {
            h3 id={ "connection-" (name) } { (foreign(name)) " " (used(open)) }
            @if let Some(pause) = open.and_then(|open| open.pause.as_ref()) {
                p.notice.warn { "Until " (moment(pause.until)) ": " (foreign(&pause.why)) }
            }
            dl.facts {
                dt { "Connector" }
                dd { code { (entry.map_or(name, |entry| entry.connector.as_str())) } }
                dt { "Address" }
                dd { (address(entry.and_then(|entry| entry.settings.get("address")))) }
                dt { "Signs in" }
                dd { (sign_in.in_words()) }
                @if matches!(sign_in, SignIn::Person { .. }) {
                    dt { "Sign-in" }
                    dd {
                        @match open.and_then(|open| open.sign_in_until) {
                            Some(until) => { "forgotten at " (moment(until)) " unless it is used before" }
                            None if open.is_none() => span.nothing { "not looked at" }
                            None if sign_in == (SignIn::Person { configured: true }) => "by the refresh token of the configuration"
                            None => (badge("warn", "!", "none is known"))
                        }
                        div.hint { "Sign in, also anew, by " code { "cosell login " (name) } " beside the configuration." }
                    }
                }
                dt { "Limits" }
                dd { @match limits.or(entry.map(|entry| entry.limits)) {
                    Some(limits) if limits != Limits::default() => (in_words(limits))
                    _ if limits.is_some() => "none"
                    _ => "the connector's own"
                } }
            }
        }
    }
}

fn used(open: Option<&Connection>) -> Markup {
    open.map_or_else(|| badge("calm", "○", "no flow that is on uses it"), called)
}

/// An address without what may be secret in it: a user and a password before the host, and the query.
fn address(setting: Option<&Value>) -> Markup {
    let shown = match setting {
        None => return html! { span.nothing { "the connector's own" } },
        Some(Value::String(text)) => Url::parse(text).ok().filter(|url| url.has_host()).map(|mut url| {
            // They can be taken from every address that has a host.
            let _ = url.set_username("");
            let _ = url.set_password(None);
            url.set_query(None);
            url.set_fragment(None);
            url
        }),
        Some(Value::Object(place)) => {
            let named = ["env", "file"].into_iter().find_map(|kind| Some((kind, place.get(kind)?.as_str()?)));
            return match named {
                Some(("env", name)) => html! { "from the environment variable " code { (name) } },
                Some((_, path)) => html! { "from the file " code { (path) } },
                None => html! { span.nothing { "not shown" } },
            };
        }
        Some(_) => None,
    };
    match shown {
        Some(url) => html! { code { (url) } },
        None => html! { span.nothing { "not shown" } },
    }
}

/// How a connection signs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SignIn {
    None,
    Person {
        /// Whether the configuration has the person's refresh token.
        configured: bool,
    },
    Certificate,
    Secret,
    Password,
    Token,
    Key,
    ClientCredentials,
}

impl SignIn {
    /// From the names of settings alone: what they hold is not looked at.
    fn of(settings: &Value) -> Self {
        let sign_in = &settings["sign_in"];
        let authentication = &settings["authentication"];
        let has = |value: &Value, name: &str| value.get(name).is_some();
        if has(sign_in, "refresh_token") || sign_in["person"] == Value::Bool(true) {
            Self::Person { configured: has(sign_in, "refresh_token") }
        } else if has(sign_in, "certificate") {
            Self::Certificate
        } else if sign_in.is_object() {
            Self::Secret
        } else if has(authentication, "basic") {
            Self::Password
        } else if has(authentication, "bearer") {
            Self::Token
        } else if has(authentication, "api_key") {
            Self::Key
        } else if has(authentication, "oauth_client_credentials") {
            Self::ClientCredentials
        } else {
            Self::None
        }
    }

    fn in_words(self) -> &'static str {
        match self {
            Self::None => "not at all",
            Self::Person { .. } => "with Microsoft Entra, for a person",
            Self::Certificate => "with Microsoft Entra, as itself, by a certificate",
            Self::Secret => "with Microsoft Entra, as itself, by a client secret",
            Self::Password => "by user and password",
            Self::Token => "by a token that stays the same",
            Self::Key => "by a key",
            Self::ClientCredentials => "by client credentials",
        }
    }
}

fn in_words(limits: Limits) -> String {
    let at_once = limits.concurrent.map(|calls| format!("{calls} at once"));
    let rate = limits
        .rate
        .map(|rate| format!("{} requests in {}", rate.requests, spans::span(rate.per).trim_end_matches(" 0 s")));
    at_once.into_iter().chain(rate).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_may_be_secret_in_an_address_is_not_shown() {
        let shown = |setting: Value| address(Some(&setting)).into_string();
        assert_eq!(
            shown(json!("https://user:s3cret@crm.example/api?key=s3cret#s3cret")),
            "<code>https://crm.example/api</code>"
        );
        for odd in [json!("s3cret"), json!(["s3cret"]), json!({ "secret": "s3cret" }), json!("mailto:s3cret")] {
            assert!(!shown(odd).contains("s3cret"));
        }
        assert_eq!(shown(json!({ "env": "CRM_ADDRESS" })), "from the environment variable <code>CRM_ADDRESS</code>");
    }

    #[test]
    fn the_kind_of_sign_in_is_known_by_the_names_of_settings() {
        for (settings, kind) in [
            (json!({}), SignIn::None),
            (json!({ "sign_in": { "client_secret": "x", "person": true } }), SignIn::Person { configured: false }),
            (
                json!({ "sign_in": { "client_secret": "x", "refresh_token": { "env": "X" } } }),
                SignIn::Person { configured: true },
            ),
            (json!({ "sign_in": { "client_secret": "x" } }), SignIn::Secret),
            (json!({ "sign_in": { "certificate": {} } }), SignIn::Certificate),
            (json!({ "authentication": { "api_key": { "key": "x" } } }), SignIn::Key),
        ] {
            assert_eq!(SignIn::of(&settings), kind, "{settings}");
        }
    }
}
