//! The customer: an account by name and postal code, a contact by e-mail, made where there is none.

use serde_json::{Value, json};

use crate::support::desk::{Desk, text};

fn customer(name: &str, postal_code: &str) -> Value {
    json!({ "customerProfile": { "name": name, "address": { "postalCode": postal_code } } })
}

/// The account of a shared deal's opportunity.
fn account_of(desk: &Desk, members: &Value) -> Value {
    let (_, opportunity) = desk.arrived(members);
    let row = desk.row(&opportunity);
    assert_eq!(row["_customerid_value"], row["_parentaccountid_value"]);
    desk.rows("accounts").into_iter().find(|account| account["accountid"] == row["_parentaccountid_value"]).unwrap()
}

#[test]
fn an_account_of_that_name_and_postal_code_is_the_customer() {
    let desk = Desk::new();
    let before = desk.rows("accounts").len();
    let account = account_of(&desk, &customer("Northwind Cold Storage BV", "3011 AA"));
    assert_eq!(account["address1_city"], "Rotterdam");
    assert_eq!(desk.rows("accounts").len(), before);
}

#[test]
fn another_postal_code_or_another_name_is_another_customer() {
    let desk = Desk::new();
    for (name, code) in [("Northwind Cold Storage BV", "1011 AB"), ("Northwind Hot Storage BV", "3011 AA")] {
        let before = desk.rows("accounts").len();
        let account = account_of(&desk, &customer(name, code));
        assert_eq!((&account["name"], &account["address1_postalcode"]), (&json!(name), &json!(code)));
        assert_eq!(desk.rows("accounts").len(), before + 1);
    }
}

#[test]
fn a_new_customer_has_the_address_that_partner_center_gives() {
    let desk = Desk::new();
    let account = account_of(&desk, &json!({}));
    let columns = [
        "name",
        "address1_line1",
        "address1_city",
        "address1_stateorprovince",
        "address1_postalcode",
        "address1_country",
    ];
    let values = columns.map(|column| text(&account[column]).to_owned());
    assert_eq!(values, ["Tailwind Traders", "1 Harbour Road", "Seattle", "WA", "98101", "US"]);
}

#[test]
fn of_several_equal_accounts_the_first_is_taken() {
    let desk = Desk::new();
    let account = json!({ "name": "Twice Ltd", "address1_postalcode": "E1 6AN", "address1_country": "GB" });
    let ids = [(), ()].map(|()| desk.stage.control("POST", "/crm/rows/accounts", &account)["id"].clone());
    assert_eq!(account_of(&desk, &customer("Twice Ltd", "E1 6AN"))["accountid"], ids[0]);
    assert_eq!(desk.rows("accounts").iter().filter(|row| row["name"] == "Twice Ltd").count(), 2);
}

#[test]
fn a_name_with_an_apostrophe_is_found_again() {
    let desk = Desk::new();
    let deal = customer("O'Neill & Sons", "D02 AF30");
    let first = account_of(&desk, &deal);
    assert_eq!(account_of(&desk, &deal)["accountid"], first["accountid"]);
}

#[test]
fn a_contact_is_found_by_its_e_mail_at_the_account_else_made() {
    let desk = Desk::new();
    let before = desk.rows("contacts").len();
    let (_, first) = desk.arrived(&json!({}));
    let (_, second) = desk.arrived(&json!({ "name": "Tailwind loading docks" }));
    assert_eq!(desk.rows("contacts").len(), before + 1);
    let row = desk.row(&first);
    assert_eq!(row["_parentcontactid_value"], desk.row(&second)["_parentcontactid_value"]);
    let made = desk.rows("contacts").into_iter().find(|contact| contact["lastname"] == "Lopez").unwrap();
    assert_eq!((&made["firstname"], &made["telephone1"]), (&json!("Ana"), &json!("+12065550142")));
    assert_eq!(made["_parentcustomerid_value"], row["_parentaccountid_value"]);
}

#[test]
fn a_deal_without_a_customer_contact_comes_without_one() {
    let desk = Desk::new();
    let (_, opportunity) = desk.arrived(&json!({ "customerProfile": { "team": [] } }));
    assert!(desk.row(&opportunity)["_parentcontactid_value"].is_null());
}

#[test]
fn customer_and_contact_are_sent_with_a_new_deal() {
    let desk = Desk::new();
    let (_, referral) = desk.sent(&json!({}));
    let profile = desk.referral(&referral)["customerProfile"].clone();
    assert_eq!(profile["name"], "Northwind Cold Storage BV");
    let address =
        ["addressLine1", "city", "postalCode", "country"].map(|member| text(&profile["address"][member]).to_owned());
    assert_eq!(address, ["Maashaven Zuidzijde 12", "Rotterdam", "3011 AA", "NL"]);
    let person = &profile["team"][0];
    assert_eq!((&person["firstName"], &person["lastName"]), (&json!("Iris"), &json!("de Wit")));
    assert_eq!(
        (&person["phoneNumber"], &person["email"]),
        (&json!("+31 10 555 0101"), &json!("iris.dewit@northwind.example"))
    );
}

#[test]
fn the_owner_of_the_opportunity_is_in_the_referrals_team() {
    let desk = Desk::new();
    let (_, referral) = desk.sent(&json!({}));
    assert_eq!(desk.referral(&referral)["team"][0]["email"], "noor@fabrikam.example");
}

#[test]
fn a_customer_renamed_in_the_crm_stays_as_it_is_in_partner_center() {
    let desk = Desk::new();
    let (opportunity, referral) = desk.sent(&json!({}));
    let account = text(&desk.row(&opportunity)["_parentaccountid_value"]).to_owned();
    desk.stage.control("PATCH", &format!("/crm/rows/accounts/{account}"), &json!({ "name": "Northwind Logistics BV" }));
    assert_eq!(desk.writes(|| desk.saved(&opportunity).gives("equal")), 0);
    assert_eq!(desk.referral(&referral)["customerProfile"]["name"], "Northwind Cold Storage BV");
}

#[test]
fn the_country_is_read_from_the_column_that_the_variable_names() {
    let desk = Desk::with(&json!({ "country_column": "address1_line3" }));
    let account = json!({ "name": "Elsewhere GmbH", "address1_line3": "DE", "address1_country": "Germany" });
    let account = desk.stage.control("POST", "/crm/rows/accounts", &account);
    let bind = format!("/accounts({})", text(&account["id"]));
    let (_, referral) =
        desk.sent(&json!({ "customerid_account@odata.bind": bind, "parentaccountid@odata.bind": bind }));
    assert_eq!(desk.referral(&referral)["customerProfile"]["address"]["country"], "DE");
}

#[test]
fn a_customer_without_a_postal_code_is_found_again() {
    let desk = Desk::new();
    let deal = json!({ "customerProfile": { "name": "Nowhere Ltd", "address": { "postalCode": null } } });
    let first = account_of(&desk, &deal);
    assert_eq!(account_of(&desk, &deal)["accountid"], first["accountid"]);
}
