//! Sign-in, the log of changes, and work that people do in the CRM.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Extension;
use axum::http::Request;
use serde_json::{Value, json};
use tower::ServiceExt;
use uuid::Uuid;

use super::{Crm, id_in};
use crate::core::log::Actor;
use crate::core::tokens::Caller;

#[tokio::test]
async fn without_a_token_nothing_is_served() {
    let crm = Crm::new();
    let router = crate::dataverse::router(crm.state.clone());
    let request = Request::builder().uri("/api/data/v9.2/accounts").body(Body::empty()).unwrap();
    let response = router.oneshot(request).await.unwrap();
    assert_eq!(response.status().as_u16(), 401);
    assert_eq!(response.headers()["www-authenticate"], "Bearer");
    assert_eq!(response.headers()["odata-version"], "4.0");
}

#[tokio::test]
async fn an_application_gets_a_user_on_its_first_call_which_is_no_change_of_its_own() {
    let crm = Crm::new();
    let id = Uuid::from_u128(0xA99);
    let caller = Caller { name: "cosell".to_owned(), id, app_only: true, roles: Vec::new(), mfa: false };
    let router = crate::dataverse::resources(Arc::clone(&crm.state)).layer(Extension(caller));
    let request = Request::builder()
        .method("POST")
        .uri("/api/data/v9.2/accounts")
        .header("content-type", "application/json")
        .body(Body::from(json!({ "name": "A" }).to_string()))
        .unwrap();
    let response = router.oneshot(request).await.unwrap();
    assert_eq!(response.extensions().get::<Actor>().unwrap().0, "cosell");
    let user = crm.get(&format!("systemusers?$filter=azureactivedirectoryobjectid eq {id}")).await;
    assert_eq!((&user.rows()[0]["fullname"], &user.rows()[0]["accessmode"]), (&json!("cosell"), &json!(4)));
    let row = crm.get("accounts?$filter=name eq 'A'&$expand=modifiedby($select=fullname)").await;
    assert_eq!(row.rows()[0]["modifiedby"]["fullname"], "cosell");
}

#[tokio::test]
async fn changes_tell_the_columns_that_differ() {
    let crm = Crm::new();
    let reply = crm.post("accounts", json!({ "name": "A", "telephone1": "1" })).await;
    let change = reply.changes.iter().find(|change| change.field == "telephone1").unwrap();
    assert_eq!((&change.old, &change.new, change.title.as_str()), (&Value::Null, &json!("1"), "A"));
    assert!(reply.changes.iter().all(|change| change.field != "modifiedon" && change.field != "accountid"));
    let address = reply.address();
    let reply = crm.patch(&address, json!({ "name": "A", "telephone1": "2" })).await;
    assert_eq!(reply.changes.len(), 1);
    assert_eq!(reply.changes[0].record, format!("account {}", id_in(&address)));
    assert_eq!((&reply.changes[0].old, &reply.changes[0].new), (&json!("1"), &json!("2")));
    let contact = crm.id("contacts", "lastname eq 'de Wit'").await;
    let bind = json!({ "primarycontactid@odata.bind": format!("/contacts({contact})") });
    let reply = crm.patch(&address, bind).await;
    assert_eq!((reply.changes[0].field.as_str(), &reply.changes[0].new), ("primarycontactid", &json!(contact)));
    let reply = crm.send("DELETE", &address, &[], None).await;
    let change = reply.changes.iter().find(|change| change.field == "telephone1").unwrap();
    assert_eq!((&change.old, &change.new), (&json!("2"), &Value::Null));
}

#[tokio::test]
async fn people_write_by_the_same_rules() {
    let crm = Crm::new();
    let body = json!({ "name": "Deal", "estimatedvalue": 5 });
    let (id, changes) = crm.state.create_as("Sam Ito", "opportunities", body).unwrap();
    assert!(changes.iter().any(|change| change.field == "name"));
    let changes = crm.state.update_as("Lee Park", "opportunities", id, json!({ "estimatedvalue": 6 })).unwrap();
    assert_eq!(changes.len(), 1);
    let address = format!("opportunities({id})?$expand=createdby($select=fullname),modifiedby($select=fullname)");
    let row = crm.get(&address).await.body;
    assert_eq!(
        (&row["createdby"]["fullname"], &row["modifiedby"]["fullname"]),
        (&json!("Sam Ito"), &json!("Lee Park"))
    );
    let refused = crm.state.update_as("Sam Ito", "opportunities", id, json!({ "name": "" })).unwrap_err();
    assert_eq!(refused["error"]["code"], "0x80040227");
    assert_eq!(crm.state.rows("opportunities").len(), 1);
    crm.state.reset();
    assert!(crm.state.rows("opportunities").is_empty());
    assert_eq!(crm.state.rows("accounts").len(), 2);
}
