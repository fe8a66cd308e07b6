//! Leads: what Microsoft passes on, and the partner may accept in Partner Center. Until then they stay leads in the CRM.

use serde_json::{Value, json};

use crate::support::desk::{Desk, IDENTIFIER, SYNC, says, text};

/// A lead that was brought to the CRM; the referral and the row's id.
fn arrived(desk: &Desk, members: &Value) -> (String, String) {
    let referral = desk.shared_lead(members);
    let ran = desk.reported("referral-created", &referral).gives("created");
    (referral, text(&ran.output["lead_id"]).to_owned())
}

fn lead(desk: &Desk, id: &str) -> Value {
    desk.rows("leads").into_iter().find(|row| row["leadid"] == id).unwrap()
}

fn accept(desk: &Desk, referral: &str) {
    desk.portal(referral, &json!({ "status": "Active", "substatus": "Accepted" }));
}

#[test]
fn an_unaccepted_lead_becomes_a_lead() {
    let desk = Desk::new();
    let (referral, id) = arrived(&desk, &json!({}));
    let row = lead(&desk, &id);
    says(text(&row["subject"]), &["Tailwind stock rooms"]);
    assert_eq!(row["companyname"], "Tailwind Traders");
    assert_eq!((&row["firstname"], &row["lastname"]), (&json!("Ana"), &json!("Lopez")));
    assert_eq!((&row["telephone1"], &row["emailaddress1"]), (&json!("+12065550142"), &json!("ana@tailwind.example")));
    assert_eq!((&row["address1_postalcode"], &row["address1_country"]), (&json!("98101"), &json!("US")));
    assert_eq!(row["description"], "Wants to see its stock in every store.");
    assert_eq!((&row["statecode"], &row["statuscode"]), (&json!(0), &json!(1)));
    assert!(desk.rows("opportunities").is_empty());
    assert_eq!(desk.referral(&referral)["externalReferenceId"], id);
}

#[test]
fn an_unaccepted_lead_stays_a_lead_however_often_its_event_comes() {
    let desk = Desk::new();
    let (referral, _) = arrived(&desk, &json!({}));
    assert_eq!(desk.writes(|| desk.receive(&referral).gives("equal")), 0);
    assert_eq!((desk.rows("leads").len(), desk.rows("opportunities").len()), (1, 0));
}

#[test]
fn a_changed_lead_changes_in_the_crm() {
    let desk = Desk::new();
    let (referral, id) = arrived(&desk, &json!({}));
    desk.seller(&referral, &json!({ "details": { "notes": "Wants a demonstration first." } }));
    desk.receive(&referral).gives("updated");
    assert_eq!(lead(&desk, &id)["description"], "Wants a demonstration first.");
}

#[test]
fn an_accepted_lead_becomes_an_opportunity() {
    let desk = Desk::new();
    let (referral, id) = arrived(&desk, &json!({}));
    let accounts = desk.rows("accounts").len();
    accept(&desk, &referral);
    desk.receive(&referral).ends_well();
    let qualified = lead(&desk, &id);
    assert_eq!((&qualified["statecode"], &qualified["statuscode"]), (&json!(1), &json!(3)));

    let rows = desk.rows("opportunities");
    assert_eq!(rows.len(), 1);
    let row = &rows[0];
    assert_eq!(row["_originatingleadid_value"], id);
    assert_eq!(row["name"], "✔ Tailwind stock rooms");
    assert_eq!((&row[IDENTIFIER], &row[SYNC]), (&json!(referral), &json!(true)));
    assert_eq!((&row["statecode"], &row["statuscode"]), (&json!(0), &json!(1)));
    assert_eq!(
        (&row["estimatedvalue"], &row["description"]),
        (&json!(50_000.0), &json!("Wants to see its stock in every store."))
    );
    let of_customer = |row: &&Value| row["name"] == "Tailwind Traders";
    let customers = desk.rows("accounts");
    let customers: Vec<&Value> = customers.iter().filter(of_customer).collect();
    assert_eq!(customers.len(), 1, "{accounts} accounts before");
    assert_eq!(row["_parentaccountid_value"], customers[0]["accountid"]);
    assert_eq!(desk.referral(&referral)["externalReferenceId"], row["opportunityid"]);

    let opportunity = text(&row["opportunityid"]).to_owned();
    let settled = desk.writes(|| {
        desk.receive(&referral).gives("equal");
        desk.saved(&opportunity).gives("equal");
    });
    assert_eq!(settled, 0);
}

#[test]
fn an_accepted_lead_is_qualified_for_the_customer_that_the_crm_knows() {
    let desk = Desk::new();
    let customer = json!({
        "name": "Northwind Cold Storage BV", "address": { "postalCode": "3011 AA", "country": "NL" },
        "team": [{ "firstName": "Iris", "lastName": "de Wit", "phoneNumber": "+31 10 555 0101", "email": "iris.dewit@northwind.example" }],
    });
    let (accounts, contacts) = (desk.rows("accounts").len(), desk.rows("contacts").len());
    let (referral, _) = arrived(&desk, &json!({ "customerProfile": customer }));
    accept(&desk, &referral);
    desk.receive(&referral).ends_well();
    assert_eq!((desk.rows("accounts").len(), desk.rows("contacts").len()), (accounts, contacts), "nobody twice");
    let row = &desk.rows("opportunities")[0];
    let northwind = desk.rows("accounts").into_iter().find(|row| row["name"] == "Northwind Cold Storage BV").unwrap();
    let iris = desk.rows("contacts").into_iter().find(|row| row["lastname"] == "de Wit").unwrap();
    assert_eq!(row["_parentaccountid_value"], northwind["accountid"]);
    assert_eq!(row["_parentcontactid_value"], iris["contactid"]);
}

#[test]
fn a_lead_that_was_accepted_before_it_was_seen_becomes_an_opportunity_at_once() {
    let desk = Desk::new();
    let referral = desk.shared_lead(&json!({}));
    accept(&desk, &referral);
    let ran = desk.receive(&referral).gives("created");
    assert_eq!(desk.row(text(&ran.output["opportunity_id"]))[IDENTIFIER], referral);
    assert!(desk.rows("leads").is_empty());
}

#[test]
fn a_lead_that_is_declined_lost_or_expires_is_disqualified() {
    for (substatus, status) in [("Declined", 7), ("Expired", 7), ("Lost", 4)] {
        let desk = Desk::new();
        let (referral, id) = arrived(&desk, &json!({}));
        desk.seller(&referral, &json!({ "status": "Closed", "substatus": substatus }));
        desk.receive(&referral).ends_well();
        let row = lead(&desk, &id);
        assert_eq!((&row["statecode"], &row["statuscode"]), (&json!(2), &json!(status)), "{substatus}");
        assert!(desk.rows("opportunities").is_empty());
        assert_eq!(desk.writes(|| desk.receive(&referral).ends_well()), 0, "once");
    }
}

#[test]
fn type_qualification_and_sender_tell_a_lead_from_an_opportunity() {
    let desk = Desk::new();
    let microsoft = json!({ "invitedBy": { "organizationId": "msft", "organizationName": "Microsoft" } });
    let nobody = json!({ "invitedBy": null });
    let partner = json!({ "invitedBy": { "organizationId": "7b3c1f7e-2222-4e2a-8d55-20c8f0a0d002", "organizationName": "Contoso" } });
    let table = [
        ("Independent", "Direct", &microsoft, "lead_id"),
        ("Independent", "Direct", &nobody, "lead_id"),
        ("Independent", "MarketingQualified", &microsoft, "lead_id"),
        ("Independent", "SalesQualified", &microsoft, "lead_id"),
        ("Shared", "SalesQualified", &microsoft, "opportunity_id"),
        ("Shared", "SalesQualified", &partner, "opportunity_id"),
        ("Independent", "SalesQualified", &partner, "opportunity_id"),
        ("Independent", "None", &partner, "opportunity_id"),
    ];
    for (kind, qualification, invited, made) in table {
        let members = json!({ "type": kind, "qualification": qualification, "inviteContext": invited });
        let ran = desk.receive(&desk.shared(&members)).gives("created");
        assert!(ran.output[made].is_string(), "{kind}, {qualification}, {invited}: {}", ran.output);
    }
    assert_eq!(desk.rows("leads").len(), 4);
}

#[test]
fn what_changed_while_a_lead_was_accepted_is_in_the_opportunity() {
    let desk = Desk::new();
    let (referral, _) = arrived(&desk, &json!({}));
    desk.seller(&referral, &json!({ "details": { "dealValue": 61_000 } }));
    accept(&desk, &referral);
    desk.receive(&referral).ends_well();
    assert_eq!(desk.rows("opportunities")[0]["estimatedvalue"], 61_000.0);
}

#[test]
fn a_lead_made_by_a_run_that_was_cut_off_is_not_made_again() {
    let desk = Desk::new();
    let referral = desk.shared_lead(&json!({}));
    let fault = json!([{ "name": "down", "system": "partner_center", "method": "PATCH", "action": { "status": 400 } }]);
    desk.stage.control("PUT", "/faults", &fault);
    assert_eq!(desk.receive(&referral).code, 1, "the referral could not be told");
    desk.stage.control("DELETE", "/faults", &Value::Null);
    desk.receive(&referral).ends_well();
    let rows = desk.rows("leads");
    assert_eq!(rows.len(), 1);
    assert_eq!(desk.referral(&referral)["externalReferenceId"], rows[0]["leadid"]);
}
