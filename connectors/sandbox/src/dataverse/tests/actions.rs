//! Closing and reopening opportunities, qualifying and disqualifying leads.

use serde_json::{Value, json};

use super::{Crm, id_in};

fn close(deal: &str, status: i64) -> Value {
    let close =
        json!({ "subject": "Closed", "opportunityid@odata.bind": format!("/{deal}"), "actualend": "2026-05-01" });
    json!({ "Status": status, "OpportunityClose": close })
}

#[tokio::test]
async fn closing_sets_state_status_and_leaves_an_activity() {
    for (action, status, state) in [("WinOpportunity", 3, 1), ("LoseOpportunity", 4, 2), ("LoseOpportunity", 5, 2)] {
        let crm = Crm::new();
        let deal = crm.created("opportunities", json!({ "name": "Deal", "estimatedvalue": 10 })).await;
        assert_eq!(crm.post(action, close(&deal, status)).await.status, 204, "{action} {status}");
        let row = crm.get(&deal).await.body;
        assert_eq!((&row["statecode"], &row["statuscode"]), (&json!(state), &json!(status)));
        assert_eq!(row["actualclosedate"], "2026-05-01");
        assert_eq!(row["actualvalue"], if state == 1 { json!(10.0) } else { Value::Null });
        let activities = crm.get(&format!("{deal}/Opportunity_OpportunityClose")).await;
        assert_eq!(activities.texts("subject"), ["Closed"]);
        assert_eq!(activities.rows()[0]["statecode"], 1);
    }
}

#[tokio::test]
async fn closing_is_refused_for_the_wrong_status_or_row_and_changes_nothing() {
    let crm = Crm::new();
    let deal = crm.created("opportunities", json!({ "name": "Deal" })).await;
    assert_eq!(crm.post("WinOpportunity", close(&deal, 4)).await.refusal(), (400, "0x80048408"));
    assert_eq!(crm.post("LoseOpportunity", close(&deal, 3)).await.refusal(), (400, "0x80048408"));
    let missing = "opportunities(00000000-0000-0000-0000-000000000009)";
    assert_eq!(crm.post("WinOpportunity", close(missing, 3)).await.refusal(), (404, "0x80040217"));
    assert_eq!(crm.post("WinOpportunity", json!({ "Status": 3 })).await.status, 400);
    assert_eq!(crm.post("WinOpportunity", json!({ "Status": 3, "Opportunity": {} })).await.status, 400);
    assert!(crm.get("opportunitycloses").await.rows().is_empty());
}

#[tokio::test]
async fn a_closed_opportunity_is_read_only_until_reopened() {
    let crm = Crm::new();
    let deal = crm.created("opportunities", json!({ "name": "Deal" })).await;
    crm.post("WinOpportunity", close(&deal, 3)).await;
    assert_eq!(crm.patch(&deal, json!({ "name": "Other" })).await.refusal(), (400, "0x80040203"));
    assert_eq!(crm.post("LoseOpportunity", close(&deal, 4)).await.status, 400);
    assert_eq!(crm.patch(&deal, json!({ "statecode": 0, "statuscode": 3 })).await.refusal(), (400, "0x80048408"));
    assert_eq!(crm.patch(&deal, json!({ "statecode": 0, "statuscode": 2 })).await.status, 204);
    assert_eq!(crm.get(&deal).await.body["statuscode"], 2);
    assert_eq!(crm.patch(&deal, json!({ "name": "Other" })).await.status, 204);
}

#[tokio::test]
async fn states_and_statuses_must_fit_each_other() {
    let crm = Crm::new();
    assert_eq!(crm.post("opportunities", json!({ "name": "D", "statecode": 0 })).await.status, 400);
    assert_eq!(crm.post("opportunities", json!({ "name": "D", "statuscode": 3 })).await.refusal(), (400, "0x80048408"));
    let deal = crm.created("opportunities", json!({ "name": "D", "statuscode": 2 })).await;
    for (body, expected) in [
        (json!({ "statuscode": 1 }), (204, "")),
        (json!({ "statuscode": 4 }), (400, "0x80048408")),
        (json!({ "statecode": 1, "statuscode": 3 }), (400, "0x80100005")),
        (json!({ "statecode": 2 }), (400, "0x80100005")),
        (json!({ "statecode": 7 }), (400, "0x80040203")),
        (json!({ "statecode": null }), (400, "0x80040203")),
    ] {
        assert_eq!(crm.patch(&deal, body.clone()).await.refusal(), expected, "{body}");
    }
    let account = crm.created("accounts", json!({ "name": "A" })).await;
    assert_eq!(crm.patch(&account, json!({ "statecode": 1 })).await.status, 204);
    assert_eq!(crm.get(&account).await.body["statuscode"], 2);
    assert_eq!(crm.patch(&account, json!({ "telephone1": "1" })).await.status, 204);
}

#[tokio::test]
async fn a_qualified_lead_becomes_account_contact_and_opportunity() {
    let crm = Crm::new();
    let body = json!({ "subject": "Cold rooms", "firstname": "Ana", "lastname": "Lima", "companyname": "Frio SA",
        "estimatedamount": 700, "emailaddress1": "ana@frio.example" });
    let lead = crm.created("leads", body).await;
    let action = format!("{lead}/Microsoft.Dynamics.CRM.QualifyLead");
    let body = json!({ "CreateAccount": true, "CreateContact": true, "CreateOpportunity": true, "Status": 3 });
    let reply = crm.post(&action, body.clone()).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let types: Vec<&str> = reply.texts("@odata.type");
    assert_eq!(
        types,
        ["#Microsoft.Dynamics.CRM.account", "#Microsoft.Dynamics.CRM.contact", "#Microsoft.Dynamics.CRM.opportunity"]
    );
    let deal = format!("opportunities({})", reply.rows()[2]["opportunityid"].as_str().unwrap());
    let row = crm.get(&format!("{deal}?$expand=customerid_account,parentcontactid")).await.body;
    assert_eq!((&row["name"], &row["estimatedvalue"]), (&json!("Cold rooms"), &json!(700.0)));
    assert_eq!(row["customerid_account"]["name"], "Frio SA");
    assert_eq!(row["parentcontactid"]["fullname"], "Ana Lima");
    assert_eq!(row["_originatingleadid_value"], id_in(&lead));
    let row = crm.get(&lead).await.body;
    assert_eq!((&row["statecode"], &row["statuscode"]), (&json!(1), &json!(3)));
    assert_eq!(row["_qualifyingopportunityid_value"], id_in(&deal));
    assert_eq!(crm.post(&action, body).await.status, 400);
}

#[tokio::test]
async fn qualifying_takes_the_customer_and_currency_it_is_given() {
    let crm = Crm::new();
    let account = crm.id("accounts", "address1_city eq 'Rotterdam'").await;
    let eur = crm.id("transactioncurrencies", "isocurrencycode eq 'EUR'").await;
    let lead = crm.created("leads", json!({ "subject": "S", "lastname": "L" })).await;
    let reply = crm
        .post(
            &format!("{lead}/Microsoft.Dynamics.CRM.QualifyLead"),
            json!({ "CreateAccount": false, "CreateContact": false, "CreateOpportunity": true, "Status": 3,
                "OpportunityCurrencyId": { "@odata.type": "Microsoft.Dynamics.CRM.transactioncurrency",
                    "transactioncurrencyid": eur },
                "OpportunityCustomerId": { "@odata.type": "Microsoft.Dynamics.CRM.account", "accountid": account } }),
        )
        .await;
    assert_eq!(reply.rows().len(), 1, "{}", reply.body);
    let deal = format!("opportunities({})", reply.rows()[0]["opportunityid"].as_str().unwrap());
    let row = crm.get(&deal).await.body;
    assert_eq!((&row["_customerid_value"], &row["_transactioncurrencyid_value"]), (&json!(account), &json!(eur)));
}

#[tokio::test]
async fn a_lead_is_disqualified_and_reopened_by_its_state() {
    let crm = Crm::new();
    let lead = crm.created("leads", json!({ "subject": "S", "lastname": "L" })).await;
    assert_eq!(crm.patch(&lead, json!({ "statecode": 2, "statuscode": 7 })).await.status, 204);
    assert_eq!(crm.patch(&lead, json!({ "subject": "T" })).await.status, 400);
    assert_eq!(crm.patch(&lead, json!({ "statecode": 0, "statuscode": 1 })).await.status, 204);
    assert_eq!(crm.patch(&lead, json!({ "statecode": 1, "statuscode": 3 })).await.status, 501);
}

#[tokio::test]
async fn a_bound_action_needs_its_full_name() {
    let crm = Crm::new();
    let lead = crm.created("leads", json!({ "subject": "S", "lastname": "L" })).await;
    let reply = crm.post(&format!("{lead}/QualifyLead"), json!({})).await;
    assert_eq!(reply.status, 400);
    assert!(reply.body["error"]["message"].as_str().unwrap().starts_with("Request message has unresolved parameters"));
}

#[tokio::test]
async fn the_amount_is_ignored_while_the_system_calculates_it() {
    let crm = Crm::new();
    let deal = crm.created("opportunities", json!({ "name": "D", "estimatedvalue": 5 })).await;
    crm.patch(&deal, json!({ "isrevenuesystemcalculated": true })).await;
    assert_eq!(crm.patch(&deal, json!({ "estimatedvalue": 9 })).await.status, 204);
    assert_eq!(crm.get(&deal).await.body["estimatedvalue"], 5.0);
}
