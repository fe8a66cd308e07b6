//! People at work through the control API, and starting over.

use axum::http::StatusCode;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    client::{Client, invitation, private, shared, text},
    receiver::Receiver,
};

#[tokio::test]
async fn a_seller_shares_changes_and_loses_patience() {
    let client = Client::start().await;
    let shared = client.control(Method::POST, "/seller/referrals", json!({ "name": "Snow" })).await;
    assert_eq!((&shared["name"], &shared["substatus"]), (&json!("Snow"), &json!("Received")));
    let path = format!("/seller/referrals/{}", text(&shared["id"]));
    let changed = client.control(Method::PATCH, &path, json!({ "details": { "dealValue": 9 } })).await;
    assert_eq!(changed["details"]["currency"], shared["details"]["currency"]);

    let log = client.control(Method::GET, "/log", json!({})).await;
    let last = log.as_array().unwrap().last().unwrap();
    assert_eq!((&last["system"], &last["actor"]), (&json!("control"), &json!("Microsoft seller")));
    assert_eq!(last["changes"][0]["field"], "/details/dealValue");

    client.control(Method::POST, "/clock", json!({ "advance_seconds": 14 * 24 * 3600 })).await;
    assert_eq!(client.control(Method::GET, "/referrals", json!({})).await[0]["substatus"], "Expired");
}

#[tokio::test]
async fn a_lead_is_shared_and_worked_on_in_the_portal() {
    let client = Client::start().await;
    let mut receiver = Receiver::start(StatusCode::OK).await;
    receiver.register(&client, true).await;
    let lead = json!({ "type": "Independent", "qualification": "MarketingQualified", "team": [{ "email": "noor@fabrikam.example" }] });
    let lead = client.control(Method::POST, "/seller/referrals", lead).await;
    assert_eq!(
        (&lead["substatus"], &lead["inviteContext"]["invitedBy"]["organizationId"]),
        (&json!("Received"), &json!("msft"))
    );
    let id = text(&lead["id"]).to_owned();
    let path = format!("/partner/referrals/{id}");
    let edit = async |body: Value| client.control(Method::PATCH, &path, body).await;

    let accepted = edit(json!({ "status": "Active", "substatus": "Accepted" })).await;
    assert!(accepted["acceptedDateTime"].is_string());
    let solutions = json!([{ "id": "SOL-2" }, { "id": "SOL-3" }]);
    let edited = edit(json!({
        "details": { "dealValue": 7, "notes": "Called", "requirements": { "solutions": solutions } },
        "team": [{ "email": "sam@fabrikam.example" }],
    }))
    .await;
    assert_eq!(edited["details"]["requirements"]["solutions"], solutions);
    assert_eq!(
        (&edited["details"]["dealValue"], &edited["team"][0]["email"]),
        (&json!(7), &json!("sam@fabrikam.example"))
    );
    edit(json!({ "status": "Closed", "substatus": "Won" })).await;

    assert_eq!(receiver.next_name().await, ("referral-created".to_owned(), id.clone()));
    for _ in 0..3 {
        assert_eq!(receiver.next_name().await, ("referral-updated".to_owned(), id.clone()));
    }
    assert_eq!(receiver.rest(&client).await, 0);
    let url = format!("{}{path}", client.addresses().control);
    let late = client.http.patch(url).json(&json!({ "details": { "notes": "late" } })).send().await.unwrap();
    assert_eq!(late.status(), 400, "closed is final in the portal too");
}

#[tokio::test]
async fn microsofts_side_tells_by_related_events() {
    let client = Client::start().await;
    let mut receiver = Receiver::start(StatusCode::OK).await;
    receiver.register(&client, true).await;
    let own = client.control(Method::POST, "/partner/referrals", shared()).await;
    let invited = client.control(Method::POST, "/partner/referrals", invitation(&own)).await;
    assert_eq!(invited["team"], json!([]), "the partner's people are not Microsoft's");
    let (own_id, invited_id) = (text(&own["id"]), text(&invited["id"]));
    let path = format!("/seller/referrals/{invited_id}");
    let seller = json!({ "firstName": "Ada", "lastName": "King", "email": "ada@microsoft.example" });
    let joined =
        client.control(Method::PATCH, &path, json!({ "team": [seller], "details": { "notes": "On it" } })).await;
    assert_eq!((&joined["team"][0]["lastName"], &joined["details"]["notes"]), (&json!("King"), &json!("On it")));
    client.control(Method::PUT, "/partner_center", json!({ "related_event_id": "own" })).await;
    client.control(Method::PATCH, &path, json!({ "details": { "notes": "More" } })).await;

    for (name, id) in [
        ("referral-created", own_id),
        ("related-referral-created", invited_id),
        ("related-referral-updated", invited_id),
        ("related-referral-updated", own_id),
    ] {
        assert_eq!(receiver.next_name().await, (name.to_owned(), id.to_owned()));
    }
    assert_eq!(receiver.rest(&client).await, 0);
    let url = format!("{}/partner/referrals/{invited_id}", client.addresses().control);
    let theirs = client.http.patch(url).json(&json!({ "details": { "notes": "x" } })).send().await.unwrap();
    assert_eq!(theirs.status(), 403, "Microsoft's side is Microsoft's");
}

#[tokio::test]
async fn somebody_works_in_the_crm() {
    let client = Client::start().await;
    let row = client.control(Method::POST, "/crm/rows/accounts", json!({ "name": "Contoso" })).await;
    let path = format!("/crm/rows/accounts/{}", text(&row["id"]));
    client.control(Method::PATCH, &path, json!({ "address1_city": "Oslo" })).await;
    let rows = client.control(Method::GET, "/crm/rows/accounts", json!({})).await;
    let found = rows.as_array().unwrap().iter().find(|one| one["name"] == "Contoso").unwrap();
    assert_eq!(found["address1_city"], "Oslo");

    let token = client.app_token(&client.addresses().dataverse).await;
    let url = format!("{}/api/data/v9.2/accounts({})", client.addresses().dataverse, text(&row["id"]));
    let read = client.http.get(url).bearer_auth(token).send().await.unwrap();
    assert_eq!(read.json::<Value>().await.unwrap()["name"], "Contoso");
}

#[tokio::test]
async fn an_administrator_customises_the_crm() {
    let client = Client::start().await;
    let label = |text: &str| json!({ "LocalizedLabels": [{ "Label": text, "LanguageCode": 1033 }] });
    let attribute = |kind: &str, name: &str, more: Value| {
        let mut body =
            json!({ "@odata.type": format!("Microsoft.Dynamics.CRM.{kind}AttributeMetadata"), "SchemaName": name });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let define =
        async |path: &str, body: Value| client.control(Method::POST, &format!("/crm/metadata/{path}"), body).await;
    let options = json!({ "OptionSet": { "Options": [{ "Value": 1, "Label": label("North") }] } });
    for (kind, name, more) in [
        ("String", "new_Text", json!({ "MaxLength": 5 })),
        ("Money", "new_DealValue", json!({})),
        ("Picklist", "new_Region", options),
    ] {
        define("EntityDefinitions(LogicalName='opportunity')/Attributes", attribute(kind, name, more)).await;
    }
    let name = attribute("String", "new_Name", json!({ "IsPrimaryName": true }));
    define("EntityDefinitions", json!({ "SchemaName": "new_Country", "Attributes": [name] })).await;
    define(
        "RelationshipDefinitions",
        json!({
            "@odata.type": "Microsoft.Dynamics.CRM.OneToManyRelationshipMetadata", "SchemaName": "new_country_account",
            "ReferencedEntity": "new_country", "ReferencingEntity": "account", "Lookup": { "SchemaName": "new_CountryId" },
        }),
    )
    .await;
    client.control(Method::PUT, "/crm/required/opportunity/new_region", json!({})).await;

    let country = client.control(Method::POST, "/crm/rows/new_countries", json!({ "new_name": "NL" })).await;
    let bound = json!({ "name": "C", "new_CountryId@odata.bind": format!("/new_countries({})", text(&country["id"])) });
    client.control(Method::POST, "/crm/rows/accounts", bound).await;
    let deal =
        json!({ "name": "D", "new_text": "abcde", "new_dealvalue": 5, "estimatedvalue": 9, "closeprobability": 0 });
    let rows = format!("{}/crm/rows/opportunities", client.addresses().control);
    let refused = client.http.post(&rows).json(&deal).send().await.unwrap();
    assert_eq!(refused.status(), 400);
    assert!(refused.text().await.unwrap().contains("'new_region'"));
    let mut whole = deal.clone();
    whole["new_region"] = json!(1);
    client.control(Method::POST, "/crm/rows/opportunities", whole).await;
    let rows = client.control(Method::GET, "/crm/rows/opportunities", json!({})).await;
    let made = rows.as_array().unwrap().iter().find(|row| row["name"] == "D").unwrap();
    assert_eq!((&made["new_dealvalue"], &made["msft_weightedvalue"]), (&json!(5.0), &json!(0.0)), "calculated: 0");

    let calculated = attribute("Money", "new_Sum", json!({ "SourceType": 1 }));
    let url = format!("{}/crm/metadata/EntityDefinitions(LogicalName='lead')/Attributes", client.addresses().control);
    let refused = client.http.post(url).json(&calculated).send().await.unwrap();
    assert!(refused.text().await.unwrap().contains("Not in the sandbox"));
}

#[tokio::test]
async fn a_reset_starts_over_with_the_same_secrets() {
    let mut client = Client::start().await;
    client.create(&private()).await;
    client.control(Method::PUT, "/entra", json!({ "refuse_refresh": 700082 })).await;
    client
        .control(Method::PUT, "/faults", json!([{ "name": "x", "system": "partner_center", "action": "throttle" }]))
        .await;
    client.control(Method::POST, "/clock", json!({ "advance_seconds": 86400 })).await;
    client.control(Method::POST, "/reset", json!({})).await;

    assert_eq!(client.control(Method::GET, "/log", json!({})).await, json!([]));
    assert_eq!(client.control(Method::GET, "/referrals", json!({})).await, json!([]));
    client.token = client.user_token(crate::client::PARTNER_CENTER).await;
    client.create(&private()).await;
    let addresses = client.sandbox.addresses().clone();
    client.sandbox.stop().await;
    assert!(client.http.get(addresses.control).send().await.is_err());
}
