//! What the unit tests of this folder share.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use uuid::Uuid;

use super::{Entra, Seed, request::Form};
use crate::core::{
    clock::Clock,
    tokens::{Principal, Tokens},
};

pub(super) const ORIGIN: &str = "https://localhost:8";
pub(super) const CRM: &str = "http://127.0.0.1:9";
pub(super) const TENANT: &str = "00000000-0000-0000-0000-000000000001";
pub(super) const CLIENT: &str = "app";
pub(super) const SECRET: &str = "s+c=r/t &";

pub(super) fn entra() -> Entra {
    let (clock, tokens) = (Arc::new(Clock::default()), Arc::new(Tokens::new().unwrap()));
    let (app, user) = (Uuid::from_u128(2), Uuid::from_u128(3));
    let principal = |id, user_name: Option<&str>| Principal {
        id,
        name: "Noor Haddad".to_owned(),
        user_name: user_name.map(str::to_owned),
        roles: vec![],
    };
    tokens.enrol(principal(app, None));
    tokens.enrol(principal(user, Some("noor@fabrikam.example")));
    let seed = Seed {
        tenant: Uuid::from_u128(1),
        domain: "fabrikam.example",
        client_id: CLIENT.to_owned(),
        client_secret: SECRET.to_owned(),
        app,
        user,
    };
    Entra::new(seed, ORIGIN, CRM, clock, tokens)
}

pub(super) fn form(fields: &[(&str, &str)]) -> Form {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    Form::read(body.as_bytes())
}
