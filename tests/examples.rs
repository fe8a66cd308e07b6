//! The documented customisations, each an example: against a CRM that an administrator has changed accordingly.

#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use serde_json::{Value, json};
use support::desk::{Desk, text};

/// The account of an opportunity.
fn account(desk: &Desk, opportunity: &str) -> Value {
    let id = desk.row(opportunity)["_parentaccountid_value"].clone();
    desk.rows("accounts").into_iter().find(|account| account["accountid"] == id).unwrap()
}

/// A deal in the CRM with a new customer.
fn deal_with(desk: &Desk, customer: &Value) -> String {
    let made = desk.stage.control("POST", "/crm/rows/accounts", customer);
    let bind = format!("/accounts({})", text(&made["id"]));
    desk.deal(&json!({ "customerid_account@odata.bind": bind, "parentaccountid@odata.bind": bind }))
}

/// The country of a referral's customer.
fn country(desk: &Desk, opportunity: &str) -> Value {
    desk.send(opportunity).gives("created");
    let referral = desk.row(opportunity)[support::desk::IDENTIFIER].clone();
    desk.referral(text(&referral))["customerProfile"]["address"]["country"].clone()
}

#[test]
fn other_deal_value_field() {
    let desk = Desk::example("other-deal-value-field");
    desk.column("opportunity", "Money", "new_DealValue", &json!({}));
    let (referral, opportunity) = desk.arrived(&json!({ "details": { "dealValue": 72_000 } }));
    let row = desk.row(&opportunity);
    assert_eq!((row["new_dealvalue"].as_f64(), row["estimatedvalue"].as_f64()), (Some(72_000.0), None));
    desk.edit(&opportunity, &json!({ "new_dealvalue": 80_000 }));
    desk.later();
    desk.saved(&opportunity).gives("updated");
    assert_eq!(desk.referral(&referral)["details"]["dealValue"].as_f64(), Some(80_000.0));
}

#[test]
fn other_country_field() {
    let desk = Desk::example("other-country-field");
    desk.column("account", "String", "new_CountryCode", &json!({ "MaxLength": 2 }));
    let (_, opportunity) = desk.arrived(&json!({}));
    assert_eq!(account(&desk, &opportunity)["new_countrycode"], "US");
    let customer = json!({ "name": "Elsewhere GmbH", "new_countrycode": "DE", "address1_country": "Germany" });
    assert_eq!(country(&desk, &deal_with(&desk, &customer)), "DE");
}

#[test]
fn country_by_lookup() {
    let desk = Desk::example("country-by-lookup");
    let kind = "Microsoft.Dynamics.CRM.StringAttributeMetadata";
    let name = json!({ "@odata.type": kind, "SchemaName": "new_Name", "IsPrimaryName": true });
    let code = json!({ "@odata.type": kind, "SchemaName": "new_Code", "MaxLength": 2 });
    desk.define("EntityDefinitions", &json!({ "SchemaName": "new_Country", "Attributes": [name, code] }));
    let relation = json!({
        "@odata.type": "Microsoft.Dynamics.CRM.OneToManyRelationshipMetadata", "SchemaName": "new_country_account",
        "ReferencedEntity": "new_country", "ReferencingEntity": "account", "Lookup": { "SchemaName": "new_CountryId" },
    });
    desk.define("RelationshipDefinitions", &relation);
    let [us, de] = [("United States", "US"), ("Germany", "DE")].map(|(name, code)| {
        let row = json!({ "new_name": name, "new_code": code });
        desk.stage.control("POST", "/crm/rows/new_countries", &row)["id"].clone()
    });

    let (_, opportunity) = desk.arrived(&json!({}));
    assert_eq!(account(&desk, &opportunity)["_new_countryid_value"], us);
    let bind = format!("/new_countries({})", text(&de));
    let customer = json!({ "name": "Elsewhere GmbH", "new_CountryId@odata.bind": bind });
    assert_eq!(country(&desk, &deal_with(&desk, &customer)), "DE");

    let nowhere = deal_with(&desk, &json!({ "name": "Nowhere Ltd" }));
    let message = desk.send(&nowhere).fails("not_sent");
    assert!(message.contains("new_countryid"), "{message}");
}

/// A choice of this many numbers.
fn choice(options: i32) -> Value {
    let option = |number| {
        let label = json!({ "LocalizedLabels": [{ "Label": format!("Choice {number}"), "LanguageCode": 1033 }] });
        json!({ "Value": number, "Label": label })
    };
    json!({ "OptionSet": { "Options": (1..=options).map(option).collect::<Vec<_>>() } })
}

#[test]
fn mandatory_opportunity_fields() {
    let demanding = |desk: &Desk| {
        desk.column("opportunity", "String", "new_Source", &json!({ "MaxLength": 50 }));
        desk.column("opportunity", "Picklist", "new_Region", &choice(3));
        desk.require("opportunity", "new_source");
        desk.require("opportunity", "new_region");
    };
    let desk = Desk::example("mandatory-opportunity-fields");
    demanding(&desk);
    for (country, region) in [("US", 2), ("NL", 1), ("BR", 3)] {
        let customer = json!({ "name": format!("Customer {country}"), "address": { "country": country } });
        let (_, opportunity) = desk.arrived(&json!({ "customerProfile": customer }));
        let row = desk.row(&opportunity);
        assert_eq!((&row["new_source"], &row["new_region"]), (&json!("Partner Center"), &json!(region)), "{country}");
    }
    let shipped = Desk::new();
    demanding(&shipped);
    let refused = shipped.receive(&shipped.shared(&json!({})));
    assert_eq!(refused.code, 1, "without the example the CRM refuses");
}

#[test]
fn mandatory_lead_fields() {
    let desk = Desk::example("mandatory-lead-fields");
    desk.column("lead", "String", "new_Source", &json!({ "MaxLength": 50 }));
    desk.require("lead", "new_source");
    let referral = desk.shared_lead(&json!({}));
    let ran = desk.reported("referral-created", &referral).gives("created");
    let lead = desk.rows("leads").into_iter().find(|lead| lead["leadid"] == ran.output["lead_id"]).unwrap();
    assert_eq!((&lead["new_source"], &lead["leadsourcecode"]), (&json!("Partner Center"), &json!(10)));
}

#[test]
fn account_search() {
    let desk = Desk::example("account-search");
    let customer = |code: &str, city: &str| {
        json!({ "customerProfile": {
            "name": "Northwind Cold Storage BV", "address": { "postalCode": code, "city": city, "country": "NL" },
        } })
    };
    let (_, known) = desk.arrived(&customer("3071 ZZ", "Rotterdam"));
    assert_eq!(account(&desk, &known)["address1_postalcode"], "3011 AA", "found by its city, whatever its postal code");
    let (_, new) = desk.arrived(&customer("3011 AA", "Utrecht"));
    let account = account(&desk, &new);
    assert_eq!((&account["address1_city"], &account["customertypecode"]), (&json!("Utrecht"), &json!(3)));
    assert_eq!(account["description"], "Made from a deal in Partner Center");
}
