//! Who stands around a deal, on both sides.

use serde_json::{Value, json};

use crate::world::{Deals, OPPORTUNITY, REFERRAL, REFERRALS};
use crate::{deal, shows, text};

/// A deal with a customer, three people, two sellers, and an account, two contacts and an owner in the CRM.
async fn peopled(deals: &Deals) {
    deals.pair("Cold stores").await;
    let person = |first: &str, last: &str, phone: &str, email: &str| json!({ "firstName": first, "lastName": last, "phoneNumber": phone, "email": email });
    deals.referral(|referral| {
        referral["customerProfile"] = json!({
            "name": "Fabrikam, Inc.",
            "address": { "addressLine1": "1 Quay", "city": "Kiel", "postalCode": "24103", "country": "DE" },
            "team": [
                person("Anna", "<Berg>", "+49 1", "anna@fabrikam.example"),
                person("Ben", "Kern", "+49 2", "ben@fabrikam.example"),
            ],
        });
        referral["team"] = json!([
            person("Sam", "Other", "+49 8", "sam@partner.example"),
            person("Sue", "Seller", "+49 9", "SUE@partner.example"),
        ]);
    });
    deals.opportunity(|row| {
        row["customerid"] = json!({ "table": "contact", "id": "c-other" });
        row["parentaccountid"] = json!({ "table": "account", "id": "a-1" });
        row["parentcontactid"] = json!({ "table": "contact", "id": "c-3" });
        row["ownerid"] = json!({ "table": "systemuser", "id": "u-1" });
    });
    let contact = |id: &str, first: &str, last: &str, email: &str| json!({ "contactid": id, "firstname": first, "lastname": last, "emailaddress1": email, "parentcustomerid": "a-1", "telephone1": "+49 7" });
    let rows = [
        (
            "account",
            json!({ "accountid": "a-1", "name": "Fabrikam, Inc.", "address1_line1": "1 Quay", "address1_country": "Germany" }),
        ),
        ("contact", contact("c-1", "Anna", "<Berg>", "anna@fabrikam.example")),
        ("contact", contact("c-3", "Cleo", "Holm", "cleo@fabrikam.example")),
        (
            "systemuser",
            json!({ "systemuserid": "u-1", "firstname": "Sue", "lastname": "Seller", "internalemailaddress": "sue@partner.example" }),
        ),
    ];
    deals.world(|world| world.rows.extend(rows.map(|(table, row)| (table.to_owned(), row))));
}

#[tokio::test]
async fn the_account_the_contacts_and_the_sellers_stand_beside_each_other() {
    let deals = Deals::new().await;
    let visitor = deals.stand.visitor().await;
    peopled(&deals).await;
    let page = visitor.page(&deal(REFERRAL)).await;
    assert!(!page.contains("<Berg>"), "{page}");
    shows("deal_with_its_people", &page);
    assert!(text(&page).contains("in step"), "what differs in people is nothing to write: {page}");

    // Of the opportunity's own contact, it is not told twice.
    deals.opportunity(|row| row["parentcontactid"]["id"] = json!("c-1"));
    let page = text(&visitor.page(&deal(REFERRAL)).await);
    assert!(page.contains("contact c-1") && !page.contains("c-3") && !page.contains("Cleo"), "{page}");
}

/// Another system that holds people's records, which cannot be read.
#[tokio::test]
async fn who_cannot_be_read_is_said_and_keeps_nobody_else_from_being_shown() {
    let deals = Deals::new().await;
    let visitor = deals.stand.visitor().await;
    peopled(&deals).await;
    deals.world(|world| world.locked.insert("contact"));
    let page = text(&visitor.page(&deal(REFERRAL)).await);
    for said in [
        "the CRM’s is not known now",
        "contact is <locked>".replace('<', "&lt;").replace('>', "&gt;").as_str(),
        "1 Quay",
        "user u-1",
        "in step",
    ] {
        assert!(page.contains(said), "{said}: {page}");
    }
    assert!(!page.contains("contact c-"), "{page}");
    deals.world(|world| world.down.insert("partner_center"));
    let page = text(&visitor.page(&deal(REFERRAL)).await);
    assert!(page.contains("Partner Center’s is not known now") && page.contains("Germany"), "{page}");
    deals.opportunity(|row| {
        for column in ["parentaccountid", "parentcontactid", "ownerid"] {
            row[column] = Value::Null;
        }
    });
    let page = text(&visitor.page(&deal(REFERRAL)).await);
    assert_eq!(page.matches("Partner Center’s is not known now").count(), 3, "{page}");
    assert!(!page.contains("Neither side"), "{page}");
}

#[tokio::test]
async fn who_does_not_answer_holds_a_page_up_no_longer_than_one_reading_may_take() {
    let deals = Deals::new().await;
    let visitor = deals.stand.visitor().await;
    peopled(&deals).await;
    deals.world(|world| world.silent.extend(["contact", "systemuser"]));
    tokio::time::pause();
    let began = tokio::time::Instant::now();
    let page = text(&visitor.page(&deal(REFERRAL)).await);
    assert!(began.elapsed().as_secs() < 6, "{:?}", began.elapsed());
    assert!(page.contains("did not answer within 5 seconds") && page.contains("account a-1"), "{page}");
    assert!(page.contains("in step"), "{page}");
}

#[tokio::test]
async fn what_a_flow_keeps_out_of_records_of_people_is_shown_nowhere() {
    let step = "\n  who: { use: dataverse.get_row, sensitive: true, with: { table: contact, id: x } }\n";
    let deals = Deals::with(&format!("{}{step}", REFERRALS.trim_end())).await;
    let visitor = deals.stand.visitor().await;
    peopled(&deals).await;
    let page = visitor.page(&deal(REFERRAL)).await;
    assert!(!page.contains("Cleo") && !page.contains("+49 7"), "{page}");
    assert!(
        page.contains("partner-center-to-dynamics/who") && page.contains("Germany") && page.contains("+49 2"),
        "{page}"
    );
}

#[tokio::test]
async fn a_deal_of_strange_records_has_a_page() {
    let deals = Deals::new().await;
    let visitor = deals.stand.visitor().await;
    deals.pair("Cold stores").await;
    for strange in [json!(7), json!([[], 1, null, {}]), json!({ "team": 3 }), json!({ "team": [{ "firstName": {} }] })]
    {
        deals.referral(|referral| {
            referral["customerProfile"] = strange.clone();
            referral["team"] = strange.clone();
        });
        deals.opportunity(|row| {
            for column in ["parentaccountid", "parentcontactid", "ownerid"] {
                row[column] = strange.clone();
            }
        });
        assert!(visitor.page(&deal(REFERRAL)).await.contains("Customer and people"), "{strange}");
    }
    deals.referral(|referral| referral["team"] = Value::Array(vec![json!({ "firstName": "Sam" }); 25]));
    assert!(visitor.page(&deal(REFERRAL)).await.contains("15 more"), "{OPPORTUNITY}");
}
