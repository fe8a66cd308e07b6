//! Create, read, update, delete, and the table of conditional requests ("Perform conditional operations").

use serde_json::{Value, json};
use uuid::Uuid;

use super::{BASE, Crm, id_in};

#[tokio::test]
async fn a_create_answers_with_the_address_only_unless_the_row_is_preferred() {
    let crm = Crm::new();
    let reply = crm.post("opportunities", json!({ "name": "Deal", "estimatedvalue": 5000.5 })).await;
    assert_eq!(reply.status, 204);
    assert_eq!(reply.header("odata-entityid"), reply.header("location"));
    assert!(reply.header("location").starts_with(&format!("{BASE}/opportunities(")));

    let prefer = [("prefer", "return=representation")];
    let body = json!({ "name": "Deal" });
    let reply = crm.send("POST", "opportunities?$select=name,statecode", &prefer, Some(body)).await;
    assert_eq!(reply.status, 201);
    assert_eq!(reply.header("preference-applied"), "return=representation");
    assert_eq!((&reply.body["name"], &reply.body["statecode"]), (&json!("Deal"), &json!(0)));
    assert!(reply.body["opportunityid"].is_string());
    assert!(reply.body.get("estimatedvalue").is_none());
}

#[tokio::test]
async fn defaults_and_computed_columns_are_filled() {
    let crm = Crm::new();
    let usd = crm.id("transactioncurrencies", "isocurrencycode eq 'usd'").await;
    let noor = crm.id("systemusers", "fullname eq 'Noor Haddad'").await;
    let address = crm.created("opportunities", json!({ "name": "Deal", "estimatedvalue": 100 })).await;
    let row = crm.get(&address).await.body;
    for (column, value) in [
        ("statecode", json!(0)),
        ("statuscode", json!(1)),
        ("_transactioncurrencyid_value", json!(usd)),
        ("_ownerid_value", json!(noor)),
        ("_createdby_value", json!(noor)),
        ("isrevenuesystemcalculated", json!(false)),
        ("msft_microsoftpartnercenterreferralsync", json!(false)),
        ("estimatedvalue_base", json!(100.0)),
        ("exchangerate", json!(1.0)),
        ("description", Value::Null),
    ] {
        assert_eq!(row[column], value, "{column}");
    }
    assert!(row["createdon"].as_str().unwrap().ends_with('Z'));

    let body = json!({ "firstname": "Ada", "lastname": "Byron", "address1_line1": "Street 1", "address1_city": "Oslo",
        "address1_postalcode": "0150", "address1_country": "NO" });
    let contact = crm.created("contacts", body).await;
    let row = crm.get(&contact).await.body;
    assert_eq!(row["fullname"], "Ada Byron");
    assert_eq!(row["address1_composite"], "Street 1\r\nOslo, 0150\r\nNO");
}

#[tokio::test]
async fn amounts_in_another_currency_have_a_base_amount() {
    let crm = Crm::new();
    let eur = crm.id("transactioncurrencies", "isocurrencycode eq 'EUR'").await;
    let bind = format!("/transactioncurrencies({eur})");
    let body = json!({ "name": "Deal", "estimatedvalue": 92, "transactioncurrencyid@odata.bind": bind });
    let address = crm.created("opportunities", body).await;
    assert_eq!(crm.get(&address).await.body["estimatedvalue_base"], 100.0);
}

#[tokio::test]
async fn a_client_may_choose_the_id_once() {
    let crm = Crm::new();
    let id = Uuid::from_u128(77);
    let body = json!({ "opportunityid": id, "name": "Deal" });
    assert_eq!(crm.created("opportunities", body.clone()).await, format!("opportunities({id})"));
    assert_eq!(crm.post("opportunities", body).await.refusal(), (412, "0x80040237"));
}

#[tokio::test]
async fn conditions_are_met_or_refused() {
    let crm = Crm::new();
    let present = crm.created("accounts", json!({ "name": "A" })).await;
    let version = crm.get(&present).await.header("etag").to_owned();
    let missing = |number: u128| format!("accounts({})", Uuid::from_u128(number));
    let old = "W/\"1\"";
    for (what, method, address, header, expected) in [
        ("unchanged", "GET", present.clone(), ("if-none-match", version.as_str()), (304, "")),
        ("changed", "GET", present.clone(), ("if-none-match", old), (200, "")),
        ("the header that defeats caches", "GET", present.clone(), ("if-none-match", "null"), (200, "")),
        ("update only", "PATCH", missing(1), ("if-match", "*"), (404, "0x80040217")),
        ("create only", "PATCH", present.clone(), ("if-none-match", "*"), (412, "0x80040237")),
        ("create only, missing", "PATCH", missing(2), ("if-none-match", "*"), (204, "")),
        ("other version", "PATCH", present.clone(), ("if-match", old), (412, "0x80060882")),
        ("other version", "DELETE", present.clone(), ("if-match", old), (412, "0x80060882")),
        ("same version", "PATCH", present.clone(), ("if-match", version.as_str()), (204, "")),
        ("no longer the same version", "DELETE", present.clone(), ("if-match", version.as_str()), (412, "0x80060882")),
        ("update only, present", "PATCH", present.clone(), ("if-match", "*"), (204, "")),
        ("upsert, missing", "PATCH", missing(3), ("x-none", ""), (204, "")),
        ("upsert, present", "PATCH", missing(3), ("x-none", ""), (204, "")),
        ("delete", "DELETE", missing(3), ("x-none", ""), (204, "")),
        ("delete, missing", "DELETE", missing(3), ("x-none", ""), (404, "0x80040217")),
        ("read, missing", "GET", missing(3), ("x-none", ""), (404, "0x80040217")),
    ] {
        let body = (method == "PATCH").then(|| json!({ "name": "B" }));
        let reply = crm.send(method, &address, &[header], body).await;
        assert_eq!(reply.refusal(), expected, "{what}: {method} {header:?}: {}", reply.body);
    }
}

#[tokio::test]
async fn a_304_does_not_speak_for_annotations_or_expanded_rows() {
    let crm = Crm::new();
    let address = crm.created("accounts", json!({ "name": "A" })).await;
    let tag = crm.get(&address).await.header("etag").to_owned();
    let annotations = ("prefer", "odata.include-annotations=\"*\"");
    assert_eq!(crm.send("GET", &address, &[("if-none-match", &tag), annotations], None).await.status, 200);
    let expanded = format!("{address}?$expand=primarycontactid");
    assert_eq!(crm.send("GET", &expanded, &[("if-none-match", &tag)], None).await.status, 200);
}

#[tokio::test]
async fn an_upsert_tells_by_status_what_it_did_when_the_row_is_preferred() {
    let crm = Crm::new();
    let address = format!("accounts({})", Uuid::from_u128(5));
    let prefer = [("prefer", "return=representation")];
    assert_eq!(crm.send("PATCH", &address, &prefer, Some(json!({ "name": "A" }))).await.status, 201);
    let reply = crm.send("PATCH", &address, &prefer, Some(json!({ "telephone1": "1" }))).await;
    assert_eq!((reply.status, &reply.body["name"]), (200, &json!("A")));
}

#[tokio::test]
async fn a_preferred_row_is_expanded_after_a_create_but_not_after_an_update() {
    let crm = Crm::new();
    let noor = crm.id("systemusers", "fullname eq 'Noor Haddad'").await;
    let prefer = [("prefer", "return=representation")];
    let query = "?$select=name&$expand=ownerid($select=fullname)";
    let reply = crm.send("POST", &format!("accounts{query}"), &prefer, Some(json!({ "name": "A" }))).await;
    assert_eq!(reply.body["ownerid"]["systemuserid"], noor);
    let address = format!("{}{query}", reply.address());
    let reply = crm.send("PATCH", &address, &prefer, Some(json!({ "name": "B" }))).await;
    assert_eq!((&reply.body["name"], reply.body.get("ownerid")), (&json!("B"), None));
}

#[tokio::test]
async fn alternate_keys_address_rows_and_fill_their_columns() {
    let crm = Crm::new();
    let found = crm.get("msft_solutiondetails(msft_solutionid='SOL-48120-KQP')").await;
    assert_eq!(found.body["msft_name"], "ColdTrack");
    let missing = "msft_solutiondetails(msft_solutionid='NEW')";
    assert_eq!(crm.get(missing).await.refusal(), (404, "0x80060891"));
    assert_eq!(crm.patch(missing, json!({ "msft_name": "New" })).await.status, 204);
    assert_eq!(crm.get(missing).await.body["msft_solutionid"], "NEW");
    let again = crm.patch(missing, json!({ "msft_name": "Newer" })).await;
    assert_eq!(again.status, 204);
    let twice = crm.post("msft_solutiondetails", json!({ "msft_name": "X", "msft_solutionid": "new" })).await;
    assert_eq!(twice.refusal(), (412, "0x80060892"));
    assert_eq!(crm.get("accounts(name='A')").await.status, 400);
}

#[tokio::test]
async fn single_columns_can_be_read_set_and_cleared() {
    let crm = Crm::new();
    let address = crm.created("accounts", json!({ "name": "A", "telephone1": "1" })).await;
    let column = format!("{address}/telephone1");
    assert_eq!(crm.send("PUT", &column, &[], Some(json!({ "value": "2" }))).await.status, 204);
    assert_eq!(crm.get(&column).await.body["value"], "2");
    assert_eq!(crm.get(&format!("{address}/name/$value")).await.body, "A");
    assert_eq!(crm.send("DELETE", &column, &[], None).await.status, 204);
    assert_eq!(crm.get(&column).await.status, 204);
    assert_eq!(crm.send("DELETE", &format!("{address}/name"), &[], None).await.refusal(), (400, "0x80040227"));
}

#[tokio::test]
async fn lookups_are_bound_followed_and_cleared() {
    let crm = Crm::new();
    let account = crm.created("accounts", json!({ "name": "A" })).await;
    let full = format!("{BASE}/{account}");
    for bind in [format!("/{account}"), full.clone()] {
        let body = json!({ "name": "Deal", "customerid_account@odata.bind": bind });
        let deal = crm.created("opportunities", body).await;
        assert_eq!(crm.get(&format!("{deal}/customerid_account")).await.body["name"], "A");
        assert_eq!(crm.get(&format!("{deal}/customerid_account/name")).await.body["value"], "A");
        assert_eq!(crm.get(&format!("{deal}/customerid_contact")).await.status, 204);
        let cleared = crm.send("DELETE", &format!("{deal}/customerid_account/$ref"), &[], None).await;
        assert_eq!(cleared.status, 204);
        assert_eq!(crm.get(&deal).await.body["_customerid_value"], Value::Null);
        let put = json!({ "@odata.id": full });
        let reference = format!("{deal}/customerid_account/$ref");
        assert_eq!(crm.send("PUT", &reference, &[], Some(put)).await.status, 204);
        assert_eq!(crm.get(&reference).await.body["@odata.id"], full);
        assert_eq!(crm.patch(&deal, json!({ "customerid_account": null })).await.status, 204);
        assert_eq!(crm.get(&deal).await.body["_customerid_value"], Value::Null);
    }
}

#[tokio::test]
async fn collections_are_read_associated_and_disassociated() {
    let crm = Crm::new();
    let account = crm.created("accounts", json!({ "name": "A" })).await;
    let contact = crm.created("contacts", json!({ "lastname": "B" })).await;
    let collection = format!("{account}/contact_customer_accounts");
    let body = json!({ "@odata.id": format!("{BASE}/{contact}") });
    assert_eq!(crm.post(&format!("{collection}/$ref"), body).await.status, 204);
    assert_eq!(crm.get(&collection).await.texts("fullname"), ["B"]);
    assert_eq!(crm.get(&format!("{collection}/$count")).await.body, 1);
    let one = format!("{collection}({})/$ref", id_in(&contact));
    assert_eq!(crm.send("DELETE", &one, &[], None).await.status, 204);
    assert!(crm.get(&collection).await.rows().is_empty());
    assert_eq!(crm.send("DELETE", &one, &[], None).await.status, 404);
}

#[tokio::test]
async fn a_deleted_row_takes_what_belongs_to_it_and_leaves_no_lookup_behind() {
    let crm = Crm::new();
    let deal = crm.created("opportunities", json!({ "name": "Deal" })).await;
    let note = json!({ "subject": "N", "objectid_opportunity@odata.bind": format!("/{deal}") });
    let note = crm.created("annotations", note).await;
    let solution = json!({ "msft_name": "S", "msft_Opportunity@odata.bind": format!("/{deal}") });
    let solution = crm.created("msft_partnercentersolutions", solution).await;
    assert_eq!(crm.send("DELETE", &deal, &[], None).await.status, 204);
    assert_eq!(crm.get(&note).await.status, 404);
    assert_eq!(crm.get(&solution).await.body["_msft_opportunity_value"], Value::Null);
}

#[tokio::test]
async fn the_version_rises_with_every_write_even_of_equal_values() {
    let crm = Crm::new();
    let address = crm.created("accounts", json!({ "name": "A" })).await;
    let version = |body: &Value| body["versionnumber"].as_i64().unwrap();
    let first = version(&crm.get(&address).await.body);
    let reply = crm.patch(&address, json!({ "name": "A" })).await;
    assert!(reply.changes.is_empty());
    let row = crm.get(&address).await.body;
    assert!(version(&row) > first);
    assert_eq!(row["@odata.etag"], format!("W/\"{}\"", version(&row)));
}
