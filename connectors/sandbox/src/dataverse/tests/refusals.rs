//! What payloads, headers and addresses are refused for, with status and code ("Compose HTTP requests and handle
//! errors").

use serde_json::json;

use super::Crm;

#[tokio::test]
async fn payloads_are_refused_with_the_code_of_what_is_wrong() {
    let crm = Crm::new();
    let account = crm.id("accounts", "address1_city eq 'Rotterdam'").await;
    let contact = crm.id("contacts", "lastname eq 'de Wit'").await;
    let account = format!("/accounts({account})");
    let nowhere = "/accounts(00000000-0000-0000-0000-000000000001)";
    for (what, set, body, status, code) in [
        ("unknown property", "opportunities", json!({ "name": "D", "nosuch": 1 }), 400, "0x80048d19"),
        ("wrong case", "opportunities", json!({ "Name": "D" }), 400, "0x80048d19"),
        ("number as text", "opportunities", json!({ "name": "D", "estimatedvalue": "5" }), 400, "0x80048d19"),
        ("text as number", "opportunities", json!({ "name": 5 }), 400, "0x80048d19"),
        ("choice as text", "opportunities", json!({ "name": "D", "salesstage": "Qualify" }), 400, "0x80048d19"),
        (
            "boolean as number",
            "opportunities",
            json!({ "name": "D", "isrevenuesystemcalculated": 1 }),
            400,
            "0x80048d19",
        ),
        (
            "day with a time",
            "opportunities",
            json!({ "name": "D", "estimatedclosedate": "2026-05-01T00:00:00Z" }),
            400,
            "0x80048d19",
        ),
        ("no such day", "opportunities", json!({ "name": "D", "estimatedclosedate": "2026-02-30" }), 400, "0x80048d19"),
        (
            "whole number with decimals",
            "opportunities",
            json!({ "name": "D", "closeprobability": 1.5 }),
            400,
            "0x80048d19",
        ),
        ("lookup column written", "opportunities", json!({ "name": "D", "_customerid_value": "x" }), 400, "0x80048d19"),
        (
            "lookup without target",
            "opportunities",
            json!({ "name": "D", "customerid@odata.bind": account }),
            400,
            "0x80048d19",
        ),
        (
            "unknown navigation",
            "opportunities",
            json!({ "name": "D", "nosuch@odata.bind": account }),
            400,
            "0x80048d19",
        ),
        ("lookup as text", "opportunities", json!({ "name": "D", "parentaccountid": account }), 400, "0x80048d19"),
        (
            "wrong table",
            "opportunities",
            json!({ "name": "D", "parentaccountid@odata.bind": format!("/contacts({contact})") }),
            400,
            "0x80048d19",
        ),
        (
            "custom lookup in lower case",
            "msft_partnercentersolutions",
            json!({ "msft_opportunity@odata.bind": "/opportunities(00000000-0000-0000-0000-000000000001)" }),
            400,
            "0x80048d19",
        ),
        (
            "missing row",
            "opportunities",
            json!({ "name": "D", "parentaccountid@odata.bind": nowhere }),
            404,
            "0x80040217",
        ),
        ("long text", "contacts", json!({ "lastname": "x".repeat(51) }), 400, "0x80044331"),
        ("unknown choice", "opportunities", json!({ "name": "D", "salesstage": 9 }), 400, "0x80040203"),
        (
            "help without prefix",
            "opportunities",
            json!({ "name": "D", "msft_microsoftpartnercenterhelp": 1 }),
            400,
            "0x80040203",
        ),
        ("too large", "opportunities", json!({ "name": "D", "estimatedvalue": 2e12 }), 400, "0x8004432f"),
        ("too small", "opportunities", json!({ "name": "D", "budgetamount": -1 }), 400, "0x80044330"),
        ("too many decimals", "opportunities", json!({ "name": "D", "estimatedvalue": 1.005 }), 400, "0x80040203"),
        (
            "read-only column",
            "opportunities",
            json!({ "name": "D", "createdon": "2026-01-01T00:00:00Z" }),
            400,
            "0x80040203",
        ),
        ("computed column", "contacts", json!({ "lastname": "D", "fullname": "A D" }), 400, "0x80040203"),
        ("missing name", "opportunities", json!({ "estimatedvalue": 5 }), 400, "0x80040227"),
        ("missing last name", "contacts", json!({ "firstname": "A" }), 400, "0x80040227"),
        ("empty name", "accounts", json!({ "name": "" }), 400, "0x80040227"),
        ("deep insert", "accounts", json!({ "name": "A", "primarycontactid": { "lastname": "B" } }), 501, "0x80060888"),
        ("deep insert of many", "accounts", json!({ "name": "A", "contact_customer_accounts": [] }), 501, "0x80060888"),
        (
            "a table the sandbox lacks",
            "opportunities",
            json!({ "name": "D", "campaignid@odata.bind": "/campaigns(x)" }),
            501,
            "0x80060888",
        ),
    ] {
        let reply = crm.post(set, body).await;
        assert_eq!(reply.refusal(), (status, code), "{what}: {}", reply.body);
    }
    assert!(crm.get("opportunities").await.rows().is_empty());
}

#[tokio::test]
async fn texts_and_amounts_up_to_the_limit_are_taken() {
    let crm = Crm::new();
    crm.created("contacts", json!({ "lastname": "x".repeat(50) })).await;
    crm.created("opportunities", json!({ "name": "D", "estimatedvalue": 999999999999.99_f64 })).await;
    let help = json!({ "name": "D", "msft_microsoftpartnercenterhelp": 299600005 });
    crm.created("opportunities", help).await;
}

#[tokio::test]
async fn the_message_of_a_long_text_names_column_table_and_limit() {
    let crm = Crm::new();
    let reply = crm.post("accounts", json!({ "name": "x".repeat(161) })).await;
    assert_eq!(
        reply.body["error"]["message"],
        "A validation error occurred. The length of the 'name' attribute of the 'account' entity exceeded the maximum \
         allowed length of '160'."
    );
}

#[tokio::test]
async fn a_refused_write_leaves_the_row_as_it_was() {
    let crm = Crm::new();
    let address = crm.created("accounts", json!({ "name": "A" })).await;
    let before = crm.get(&address).await.body;
    let reply = crm.patch(&address, json!({ "telephone1": "1", "name": null })).await;
    assert_eq!(reply.refusal(), (400, "0x80040227"));
    assert!(reply.changes.is_empty());
    assert_eq!(crm.get(&address).await.body, before);
}

#[tokio::test]
async fn what_the_platform_filled_cannot_be_cleared() {
    let crm = Crm::new();
    let address = crm.created("accounts", json!({ "name": "A" })).await;
    for body in [json!({ "ownerid": null }), json!({ "ownerid@odata.bind": null })] {
        assert_eq!(crm.patch(&address, body.clone()).await.refusal(), (400, "0x80040227"), "{body}");
    }
}

#[tokio::test]
async fn headers_and_methods_are_checked() {
    let crm = Crm::new();
    let plain = crm.send("POST", "accounts", &[], None).await;
    assert_eq!(plain.status, 400);
    let text = crm.send("POST", "accounts", &[("content-type", "text/plain")], None).await;
    assert_eq!(text.status, 415);
    let empty = crm.send("POST", "accounts", &[("content-type", "application/json")], None).await;
    assert_eq!(empty.refusal(), (400, "0x80048d19"));
    for (header, status) in [
        (("accept", "application/xml"), 415),
        (("accept", "application/json;odata.metadata=full"), 200),
        (("odata-maxversion", "3.0"), 400),
        (("odata-version", "4.0"), 200),
        (("mscrmcallerid", "x"), 403),
    ] {
        assert_eq!(crm.send("GET", "accounts", &[header], None).await.status, status, "{header:?}");
    }
    assert_eq!(crm.send("PUT", "accounts", &[], Some(json!({}))).await.status, 405);
    assert_eq!(crm.send("GET", "WinOpportunity", &[], None).await.status, 405);
}

#[tokio::test]
async fn addresses_outside_the_sandbox_say_so() {
    let crm = Crm::new();
    for (address, status) in [
        ("$metadata", 200),
        ("quotes", 501),
        ("opportunity", 404),
        ("Opportunities", 404),
        ("accounts/nosuch", 404),
        ("http://crm.test/api/data/v9.1/accounts", 200),
        ("http://crm.test/api/data/v8.2/accounts", 501),
        ("http://crm.test/other", 404),
    ] {
        assert_eq!(crm.get(address).await.status, status, "{address}");
    }
    assert_eq!(crm.post("$batch", json!({})).await.status, 400);
    assert_eq!(crm.post("accounts/Microsoft.Dynamics.CRM.DeleteMultiple", json!({})).await.status, 501);
    let reply = crm.get("quotes").await;
    assert!(reply.body["error"]["message"].as_str().unwrap().starts_with("Not in the sandbox: "));
}
