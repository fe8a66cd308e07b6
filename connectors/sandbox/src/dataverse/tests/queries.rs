//! Query options, pages, annotations ("Query data using the Web API").

use serde_json::{Value, json};

use super::{BASE, Crm};

/// Three opportunities of known shape.
async fn deals() -> Crm {
    let crm = Crm::new();
    let account = crm.id("accounts", "name eq 'Northwind Cold Storage BV'").await;
    let eur = crm.id("transactioncurrencies", "isocurrencycode eq 'EUR'").await;
    for body in [
        json!({ "name": "Alpha", "estimatedvalue": 5000, "estimatedclosedate": "2026-03-01",
            "opportunityratingcode": 1, "msft_microsoftpartnercenterreferralsync": true,
            "customerid_account@odata.bind": format!("/accounts({account})") }),
        json!({ "name": "beta_1", "estimatedvalue": 300.25, "estimatedclosedate": "2026-01-15",
            "transactioncurrencyid@odata.bind": format!("/transactioncurrencies({eur})") }),
        json!({ "name": "It's gamma", "description": "50% off" }),
    ] {
        crm.created("opportunities", body).await;
    }
    crm
}

#[tokio::test]
async fn filters_find_the_right_rows() {
    let crm = deals().await;
    let account = crm.id("accounts", "name eq 'Northwind Cold Storage BV'").await;
    let other = "00000000-0000-0000-0000-000000000001";
    for (filter, expected) in [
        ("name eq 'ALPHA'".to_owned(), vec!["Alpha"]),
        ("name eq 'It''s gamma'".to_owned(), vec!["It's gamma"]),
        ("estimatedvalue gt 300.25".to_owned(), vec!["Alpha"]),
        ("estimatedvalue ge 300.25 and estimatedvalue lt 5000".to_owned(), vec!["beta_1"]),
        ("estimatedvalue eq null".to_owned(), vec!["It's gamma"]),
        ("estimatedvalue ne null".to_owned(), vec!["Alpha", "beta_1"]),
        ("estimatedvalue ne 5000".to_owned(), vec!["beta_1", "It's gamma"]),
        ("not (estimatedvalue eq 5000)".to_owned(), vec!["beta_1", "It's gamma"]),
        ("name eq 'Alpha' or name eq 'beta_1' and estimatedvalue eq 0".to_owned(), vec!["Alpha"]),
        ("(name eq 'Alpha' or name eq 'beta_1') and estimatedvalue lt 1000".to_owned(), vec!["beta_1"]),
        ("contains(name,'ET')".to_owned(), vec!["beta_1"]),
        ("startswith(name,'al')".to_owned(), vec!["Alpha"]),
        ("endswith(name,'GAMMA')".to_owned(), vec!["It's gamma"]),
        ("not contains(name,'p_a')".to_owned(), vec!["beta_1", "It's gamma"]),
        ("estimatedclosedate ge 2026-02-01".to_owned(), vec!["Alpha"]),
        ("createdon gt 2020-01-01T00:00:00Z".to_owned(), vec!["Alpha", "beta_1", "It's gamma"]),
        ("createdon lt 2020-01-01".to_owned(), vec![]),
        (format!("_customerid_value eq {account}"), vec!["Alpha"]),
        (format!("_customerid_value eq {other}"), vec![]),
        ("customerid_account/name eq 'northwind cold storage bv'".to_owned(), vec!["Alpha"]),
        ("transactioncurrencyid/isocurrencycode eq 'USD'".to_owned(), vec!["Alpha", "It's gamma"]),
        ("msft_microsoftpartnercenterreferralsync eq true".to_owned(), vec!["Alpha"]),
        ("statecode eq 0 and opportunityratingcode eq 1".to_owned(), vec!["Alpha"]),
        (
            "Microsoft.Dynamics.CRM.In(PropertyName='name',PropertyValues=['alpha','BETA_1'])".to_owned(),
            vec!["Alpha", "beta_1"],
        ),
        (
            "Microsoft.Dynamics.CRM.Between(PropertyName='estimatedvalue',PropertyValues=[\"300\",\"400\"])".to_owned(),
            vec!["beta_1"],
        ),
        ("name eq @n&@n='alpha'".to_owned(), vec!["Alpha"]),
    ] {
        let filter = filter.replace('"', "%22");
        let reply = crm.get(&format!("opportunities?$select=name&$filter={filter}")).await;
        assert_eq!(reply.status, 200, "{filter}: {}", reply.body);
        assert_eq!(reply.texts("name"), expected, "{filter}");
    }
}

#[tokio::test]
async fn queries_are_refused_for_what_is_wrong_with_them() {
    let crm = deals().await;
    for (query, status) in [
        ("$filter=nosuch eq 1", 400),
        ("$filter=customerid eq null", 400),
        ("$filter=name eq 5", 400),
        ("$filter=estimatedvalue eq '5'", 400),
        ("$filter=_customerid_value eq 'abc'", 400),
        ("$filter=name eq 'open", 400),
        ("$filter=(name eq 'a'", 400),
        ("$filter=name eq 'a' name", 400),
        ("$filter=not name eq 'a'", 400),
        ("$filter=year(createdon) eq 2026", 400),
        ("$filter=name in ('a')", 400),
        ("$filter=name eq @p", 400),
        ("$select=nosuch", 400),
        ("$select=customerid", 400),
        ("$select=Name", 400),
        ("$orderby=name sideways", 400),
        ("$top=0", 400),
        ("$skip=1", 400),
        ("$expand=nosuch", 400),
        ("$count=yes", 400),
        ("$skiptoken=abc", 400),
        ("$apply=aggregate($count as n)", 501),
        ("fetchXml=%3Cfetch/%3E", 400),
        ("$filter=Opportunity_Annotation/any(a:subject eq 'x')", 501),
        ("$filter=Microsoft.Dynamics.CRM.InFiscalYear(PropertyName='createdon',PropertyValue=2026)", 501),
    ] {
        assert_eq!(crm.get(&format!("opportunities?{query}")).await.status, status, "{query}");
    }
    let reply = crm.get("opportunities?$select=nosuch").await;
    assert_eq!(reply.body["error"]["code"], "0x80060888");
    assert_eq!(
        reply.body["error"]["message"],
        "Could not find a property named 'nosuch' on type 'Microsoft.Dynamics.CRM.opportunity'."
    );
}

#[tokio::test]
async fn selections_bring_the_key_the_tag_and_what_comes_beside_them() {
    let crm = deals().await;
    let reply = crm.get("opportunities?$select=estimatedvalue&$top=1").await;
    assert_eq!(reply.body["@odata.context"], format!("{BASE}/$metadata#opportunities(estimatedvalue)"));
    let mut names: Vec<&str> = reply.rows()[0].as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["@odata.etag", "_transactioncurrencyid_value", "estimatedvalue", "opportunityid"]);
    assert!(reply.body.get("@odata.nextLink").is_none());
}

#[tokio::test]
async fn rows_come_in_the_asked_order() {
    let crm = deals().await;
    for (order, expected) in [
        ("name", ["Alpha", "beta_1", "It's gamma"]),
        ("name desc", ["It's gamma", "beta_1", "Alpha"]),
        ("estimatedvalue", ["It's gamma", "beta_1", "Alpha"]),
        ("_transactioncurrencyid_value,estimatedvalue desc", ["beta_1", "Alpha", "It's gamma"]),
    ] {
        let reply = crm.get(&format!("opportunities?$orderby={order}")).await;
        assert_eq!(reply.texts("name"), expected, "{order}");
    }
}

#[tokio::test]
async fn counts_count_what_the_filter_finds() {
    let crm = deals().await;
    let reply = crm.get("opportunities?$count=true&$filter=estimatedvalue ne null&$top=1").await;
    assert_eq!((reply.body["@odata.count"].as_i64(), reply.rows().len()), (Some(2), 1));
    assert_eq!(crm.get("opportunities/$count").await.body, 3);
}

#[tokio::test]
async fn pages_are_followed_by_their_links_and_survive_writes_in_between() {
    let crm = deals().await;
    let two = [("prefer", "odata.maxpagesize=2")];
    let first = crm.send("GET", "opportunities?$select=name&$orderby=name desc&$count=true", &two, None).await;
    assert_eq!(first.texts("name"), ["It's gamma", "beta_1"]);
    assert_eq!(first.header("preference-applied"), "odata.maxpagesize=2");
    crm.created("opportunities", json!({ "name": "zeta" })).await;
    let link = first.body["@odata.nextLink"].as_str().unwrap();
    let second = crm.send("GET", link, &two, None).await;
    assert_eq!(second.texts("name"), ["Alpha"]);
    assert!(second.body.get("@odata.nextLink").is_none());
    assert_eq!(crm.send("GET", "opportunities?$top=1", &two, None).await.status, 400);
}

#[tokio::test]
async fn related_rows_are_expanded_one_level() {
    let crm = deals().await;
    let query = "opportunities?$select=name&$expand=customerid_account($select=name,address1_city)&$orderby=name";
    let reply = crm.get(query).await;
    assert_eq!(reply.rows()[0]["customerid_account"]["address1_city"], "Rotterdam");
    assert_eq!(reply.rows()[1]["customerid_account"], Value::Null);
    let query = "accounts?$expand=opportunity_customer_accounts($select=name;$filter=estimatedvalue gt 1;$orderby=name;$top=5)\
                 &$filter=address1_city eq 'Rotterdam'";
    let reply = crm.get(query).await;
    assert_eq!(reply.rows()[0]["opportunity_customer_accounts"][0]["name"], "Alpha");
}

#[tokio::test]
async fn annotations_come_only_when_asked_for() {
    let crm = deals().await;
    let query = "opportunities?$filter=name eq 'Alpha'";
    let plain = crm.get(query).await;
    assert!(plain.rows()[0].as_object().unwrap().keys().all(|name| !name.contains('@') || name == "@odata.etag"));
    let all = crm.send("GET", query, &[("prefer", "odata.include-annotations=\"*\"")], None).await;
    let row = &all.rows()[0];
    for (name, value) in [
        ("estimatedvalue@OData.Community.Display.V1.FormattedValue", "$5,000.00"),
        ("estimatedclosedate@OData.Community.Display.V1.FormattedValue", "3/1/2026"),
        ("statecode@OData.Community.Display.V1.FormattedValue", "Open"),
        ("statuscode@OData.Community.Display.V1.FormattedValue", "In Progress"),
        ("opportunityratingcode@OData.Community.Display.V1.FormattedValue", "Hot"),
        ("msft_microsoftpartnercenterreferralsync@OData.Community.Display.V1.FormattedValue", "Yes"),
        ("_customerid_value@OData.Community.Display.V1.FormattedValue", "Northwind Cold Storage BV"),
        ("_customerid_value@Microsoft.Dynamics.CRM.lookuplogicalname", "account"),
        ("_customerid_value@Microsoft.Dynamics.CRM.associatednavigationproperty", "customerid_account"),
    ] {
        assert_eq!(row[name], value, "{name}");
    }
    let some = [("prefer", "odata.include-annotations=\"Microsoft.Dynamics.CRM.lookuplogicalname\"")];
    let row = crm.send("GET", query, &some, None).await.rows()[0].clone();
    assert!(row.get("_customerid_value@Microsoft.Dynamics.CRM.lookuplogicalname").is_some());
    assert!(row.get("statecode@OData.Community.Display.V1.FormattedValue").is_none());
}
