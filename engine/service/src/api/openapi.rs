//! The API described: an OpenAPI document made from the list of what can be asked.

use axum::Json;
use axum::http::StatusCode;
use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::Problem;
use super::paths::{Ask, BASE, all};
use super::problem::PROBLEM;

pub(super) async fn document() -> Json<Value> {
    Json(describe())
}

/// The document.
fn describe() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut schemas = settings.into_generator();
    let problem = schemas.subschema_for::<Problem>();
    let mut paths = Map::new();
    for ask in all() {
        let path = paths.entry(format!("{BASE}{}", ask.path)).or_insert_with(|| json!({}));
        path[ask.method.as_str().to_ascii_lowercase()] = operation(&ask, &problem, &mut schemas);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "cosell",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Runs seen and repaired. Problems are told as RFC 9457 has it.",
        },
        "security": [{ "token": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
            "schemas": schemas.take_definitions(true),
        },
    })
}

fn operation(ask: &Ask, problem: &Schema, schemas: &mut SchemaGenerator) -> Value {
    let mut answers = Map::new();
    let answer = (ask.answer)(schemas);
    let done = json!({ "description": "Done", "content": { ask.media: { "schema": answer } } });
    answers.insert(ask.status.as_u16().to_string(), done);
    // Everything may lack the token, or meet a journal that cannot be used.
    let of_body: &[u16] = if ask.body.is_some() { &[400, 413] } else { &[] };
    for status in [401, 403, 503].iter().chain(ask.problems).chain(of_body) {
        let words = StatusCode::from_u16(*status).ok().and_then(|status| status.canonical_reason()).unwrap_or_default();
        let told = json!({ "description": words, "content": { PROBLEM: { "schema": problem } } });
        answers.insert(status.to_string(), told);
    }
    let mut operation = json!({ "operationId": ask.name, "summary": ask.title, "responses": answers });
    let parameters = parameters(ask, schemas);
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    if let Some(body) = ask.body {
        operation["requestBody"] = json!({ "content": { "application/json": { "schema": body(schemas) } } });
    }
    operation
}

fn parameters(ask: &Ask, schemas: &mut SchemaGenerator) -> Vec<Value> {
    let in_path = ask.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let kind = |name: &str| if name == "number" { "integer" } else { "string" };
    let mut all: Vec<Value> = in_path
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": kind(name) } }))
        .collect();
    let query = ask.query.map(|query| query(schemas).to_value()).unwrap_or_default();
    for (name, schema) in query["properties"].as_object().into_iter().flatten() {
        let mut schema = schema.clone();
        let description = schema.as_object_mut().and_then(|schema| schema.remove("description")).unwrap_or_default();
        all.push(json!({ "name": name, "in": "query", "description": description, "schema": schema }));
    }
    all
}
