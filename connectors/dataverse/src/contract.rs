//! That the connector keeps the contract, and its page of documentation is what it says of itself.

use std::path::Path;

use cosell_sdk::conformance::{Kit, docs};
use cosell_sdk::stub::{Reply, Stub};
use serde_json::json;

use crate::testing::{API, ID, KEY, SET, path, script_metadata, stored};

#[tokio::test]
async fn the_contract_is_kept() {
    let stub = Stub::start().await;
    script_metadata(&stub);
    let rows = |rows| Reply::json(200, json!({ "value": rows, "@odata.deltaLink": format!("{SET}?$deltatoken=1") }));
    stub.on("GET", SET, [rows(vec![stored()])]);
    stub.on("POST", SET, [Reply::json(201, stored())]);
    for method in ["GET", "PATCH", "DELETE"] {
        stub.on(method, &path(ID), [Reply::json(200, stored())]);
        stub.on(method, &format!("{API}/opportunities(name='Deal')"), [Reply::json(200, stored())]);
    }
    for message in ["CreateMultiple", "UpdateMultiple", "UpsertMultiple"] {
        stub.on("POST", &format!("{SET}/Microsoft.Dynamics.CRM.{message}"), [Reply::json(200, json!({ "Ids": [] }))]);
    }
    let done = "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n";
    stub.on("POST", &format!("{API}/$batch"), [Reply::bytes(200, "multipart/mixed", done)]);
    for action in ["WinOpportunity", "LoseOpportunity"] {
        stub.on("POST", &format!("{API}/{action}"), [Reply::empty(204)]);
    }
    let lead = format!("{API}/leads({ID})");
    stub.on("GET", &lead, [Reply::json(200, json!({ "statecode": 0 }))]);
    stub.on("POST", &format!("{lead}/Microsoft.Dynamics.CRM.QualifyLead"), [Reply::json(200, json!({ "value": [] }))]);
    stub.on("POST", &format!("{API}/queues({KEY})/Microsoft.Dynamics.CRM.AddToQueue"), [Reply::json(200, json!({}))]);
    let access = "Microsoft.Dynamics.CRM.RetrievePrincipalAccess(Target=@Target)";
    stub.on("GET", &format!("{API}/systemusers({KEY})/{access}"), [Reply::json(200, json!({}))]);
    let contacts = format!("{}/customer_opportunity_contacts", path(ID));
    stub.on("GET", &contacts, [rows(vec![])]);
    stub.on("POST", &format!("{contacts}/$ref"), [Reply::empty(204)]);
    stub.on("DELETE", &format!("{contacts}({KEY})/$ref"), [Reply::empty(204)]);
    let me = json!({ "UserId": ID, "BusinessUnitId": ID, "OrganizationId": ID });
    stub.on("GET", &format!("{API}/WhoAmI"), [Reply::json(200, me)]);
    let found = |row| Reply::json(200, json!({ "value": [row] }));
    stub.on("GET", &format!("{API}/sdkmessages"), [found(json!({ "sdkmessageid": ID }))]);
    stub.on("GET", &format!("{API}/sdkmessagefilters"), [found(json!({ "sdkmessagefilterid": ID }))]);
    for set in ["serviceendpoints", "sdkmessageprocessingsteps"] {
        stub.on("GET", &format!("{API}/{set}"), [rows(vec![])]);
        stub.on("POST", &format!("{API}/{set}"), [Reply::empty(204)]);
    }
    let settings =
        json!({ "address": stub.origin(), "sign_in": stub.sign_in(), "webhook_secret": "correct horse battery" });
    Kit::new(&crate::connector(), &stub, settings).aside(&format!("{API}/EntityDefinitions")).assert().await;
}

#[test]
fn the_page_is_up_to_date() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/connectors"));
    docs::check(crate::connector().description(), folder);
}
