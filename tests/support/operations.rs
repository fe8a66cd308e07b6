//! Every operation of every connector with a remote system, and what to call it with.

#![allow(unreachable_pub, clippy::unwrap_used)]

use cosell_sandbox::Addresses;
use cosell_sdk::{Connection, Connector};
use serde_json::{Value, json};

use crate::support::{Stage, configuration};

/// Those with a remote system in the sandbox.
pub fn connectors() -> Vec<Connector> {
    vec![cosell_partner_center::connector(), cosell_partner_center_events::connector(), cosell_dataverse::connector()]
}

/// A connection to these stand-ins.
pub fn open(addresses: &Addresses, connector: &Connector) -> Connection {
    let settings = configuration(addresses);
    let name = &connector.description().name;
    let own = match name.as_str() {
        "partner_center_events" => json!({
            "address": addresses.partner_center_events,
            "sign_in": settings["connections"]["dataverse"]["sign_in"],
        }),
        "dataverse" => {
            let mut own = settings["connections"][name].clone();
            own["webhook_secret"] = json!("shared by both");
            own
        }
        _ => settings["connections"][name].clone(),
    };
    connector.open(own).unwrap()
}

/// What an operation is called with, in a world made ready for it; none for operations that have nothing here to do.
pub fn ready(stage: &Stage, operation: &str) -> Option<Value> {
    let shared = || stage.control("POST", "/seller/referrals", &json!({}));
    let id = |value: &Value| value["id"].clone();
    let accepted = || {
        let referral = shared();
        let path = format!("/seller/referrals/{}", referral["id"].as_str().unwrap());
        stage.control("PATCH", &path, &json!({ "status": "Active", "substatus": "Accepted" }))
    };
    let opportunity = || json!(stage.opportunity(&json!({})));
    let new_referral = |kind: &str, help: bool| {
        let mut referral = json!({
            "name": "Northwind warehouse rollout", "externalReferenceId": "OPP-20417", "type": kind,
            "qualification": "SalesQualified",
            "customerProfile": {
                "name": "Northwind Cold Storage BV", "address": { "city": "Rotterdam", "country": "NL" },
                "team": [{ "firstName": "Iris", "lastName": "de Wit", "phoneNumber": "+31105550101", "email": "iris@northwind.example" }],
            },
            "consent": {
                "consentToToShareInfoWithOthers": true, "consentToContact": true,
                "consentToShareReferralWithMicrosoftSellers": help,
            },
            "details": {
                "dealValue": 84000, "currency": "EUR", "closingDateTime": "2027-01-29T00:00:00Z", "notes": "One dashboard.",
                "requirements": {
                    "solutions": [{ "id": "SOL-48120-KQP", "name": "ColdTrack", "type": "Name" }],
                    "additionalRequirements": { "attributes": [{ "type": "CustomerMarketplaceIntent", "id": "HaveNotDecided" }] },
                },
            },
            "team": [{ "firstName": "Noor", "lastName": "Haddad", "email": "noor@fabrikam.example", "phoneNumber": "+31205550177" }],
        });
        if help {
            referral["inviteContext"] = json!({ "notes": "", "assistanceRequestCode": "GeneralOrOther" });
        }
        json!({ "referral": referral })
    };
    Some(match operation {
        "get_referral" => json!({ "id": id(&shared()) }),
        "list_referrals" => {
            shared();
            json!({ "filter": "status eq 'New'", "order_by": "updatedDateTime desc" })
        }
        "related_referrals" => json!({ "engagement_id": shared()["engagementId"] }),
        "create_referral" => new_referral("Independent", false),
        "create_shared_referral" => new_referral("Shared", true),
        "invite_microsoft" => {
            let deal = &new_referral("Independent", false)["referral"];
            let own = stage.control("POST", "/partner/referrals", deal);
            json!({ "id": id(&own), "assistance_request_code": "GeneralOrOther", "notes": "Please help." })
        }
        "update_referral" => {
            json!({ "id": id(&shared()), "changes": { "details": { "dealValue": 91000, "notes": "More" } } })
        }
        "rename_referral" => json!({ "id": id(&shared()), "name": "Tailwind stock rooms, phase 2" }),
        "accept_referral" | "decline_referral" => json!({ "id": id(&shared()), "reason": "Agreed" }),
        "win_referral" | "lose_referral" => json!({ "id": id(&accepted()), "reason": "Agreed" }),
        "list_events" | "view_registration" | "who_am_i" => json!({}),
        "register" => json!({ "url": "http://127.0.0.1:9/hooks", "events": ["referral-created"], "overwrite": true }),
        "get_metadata" => json!({ "table": "opportunity" }),
        "get_row" => json!({ "table": "opportunity", "id": opportunity() }),
        "find_row" => {
            opportunity();
            json!({ "table": "opportunity", "where": { "name": "Northwind warehouse rollout" } })
        }
        "list_rows" => json!({ "table": "account", "where": { "statecode": "Active" }, "order_by": "createdon desc" }),
        "list_changes" => json!({ "table": "opportunity" }),
        "fetch_rows" => {
            json!({ "table": "account", "xml": "<fetch><entity name='account'><attribute name='name'/></entity></fetch>" })
        }
        "create_row" => {
            json!({ "table": "account", "values": { "name": "Contoso Foods Ltd. ".repeat(10) }, "cut": ["name"] })
        }
        "update_row" => json!({ "table": "opportunity", "id": opportunity(), "values": { "estimatedvalue": 91000 } }),
        "delete_row" => json!({ "table": "opportunity", "id": opportunity() }),
        "upsert_row" => {
            json!({ "table": "msft_solutiondetail", "key": { "msft_solutionid": "SOL-1-NEW" }, "values": { "msft_name": "New" } })
        }
        "create_rows" => json!({ "table": "account", "rows": [{ "name": "A" }, { "name": "B" }] }),
        "update_rows" => {
            json!({ "table": "opportunity", "rows": [{ "id": opportunity(), "values": { "estimatedvalue": 91000 } }] })
        }
        "upsert_rows" => {
            json!({ "table": "msft_solutiondetail", "rows": [{ "key": { "msft_solutionid": "SOL-1-NEW" }, "values": { "msft_name": "New" } }] })
        }
        "win_opportunity" => json!({ "id": opportunity(), "actual_revenue": 90000 }),
        "lose_opportunity" => json!({ "id": opportunity(), "status": 5 }),
        "qualify_lead" => {
            let lead = stage.control("POST", "/crm/rows/leads", &json!({ "subject": "Lead", "lastname": "Byrne" }));
            json!({ "id": id(&lead), "create_account": false, "create_contact": false })
        }
        "run_batch" => json!({ "writes": [{ "create": { "table": "account", "values": { "name": "Batch" } } }] }),
        "associate_rows" | "disassociate_rows" => {
            let first =
                |set: &str, key: &str| stage.control("GET", &format!("/crm/rows/{set}"), &Value::Null)[0][key].clone();
            json!({
                "table": "account", "id": first("accounts", "accountid"), "relationship": "contact_customer_accounts",
                "to_table": "contact", "to_id": first("contacts", "contactid"),
            })
        }
        "register_webhook" => json!({
            "name": "sweep", "url": "http://127.0.0.1:9/hooks/dataverse", "table": "opportunity", "messages": ["Update"],
        }),
        "call_function" => json!({ "name": "WhoAmI" }),
        "create_deal_registration" => {
            let referral = accepted();
            let path = format!("/seller/referrals/{}", referral["id"].as_str().unwrap());
            stage.control("PATCH", &path, &json!({ "status": "Closed", "substatus": "Won" }));
            json!({ "referral_id": id(&referral), "registration": {
                "type": "AzureIPCoSell",
                "solutionDetails": [{
                    "id": "SOL-48120-KQP", "currency": "EUR", "value": 84000, "isDeployedOnAzure": true,
                    "primaryDeploymentOn": "Customer", "pricingModel": "PayAsYouGo",
                }],
                "contract": { "currency": "EUR", "value": 84000, "term": "Perpetual", "signDateTime": "2026-11-20T00:00:00Z" },
            } })
        }
        // Their own tests hold these: one needs a registration there is, one a listener; and a call of an action that
        // cannot be looked up afterwards is refused when it is interrupted, as its documentation says.
        "update_deal_registration" | "request_validation_event" | "call_action" => return None,
        other => panic!("operation `{other}` has no place in the sweep; give it one"),
    })
}
