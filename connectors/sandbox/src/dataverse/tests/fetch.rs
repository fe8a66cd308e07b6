//! FetchXML, and what `$filter`, `$orderby` and `$expand` can do across tables.

use serde_json::json;

use super::{Crm, Reply};

/// Three leads of different size, one deal of each of two customers.
async fn crm() -> Crm {
    let crm = Crm::new();
    for (subject, people, source) in [("North", 5, 8), ("South", 10, 8), ("East", 15, 4)] {
        let body =
            json!({ "subject": subject, "lastname": "X", "numberofemployees": people, "leadsourcecode": source });
        crm.created("leads", body).await;
    }
    for (name, city, worth) in [("Cold", "Rotterdam", 100), ("Teeth", "Madison", 300)] {
        let account = crm.id("accounts", &format!("address1_city eq '{city}'")).await;
        let body = json!({ "name": name, "estimatedvalue": worth, "closeprobability": 50,
            "parentaccountid@odata.bind": format!("/accounts({account})") });
        crm.created("opportunities", body).await;
    }
    crm
}

async fn fetch(crm: &Crm, set: &str, xml: &str) -> Reply {
    let encoded: String = url::form_urlencoded::byte_serialize(xml.as_bytes()).collect();
    let prefer = [("prefer", "odata.include-annotations=\"*\"")];
    crm.send("GET", &format!("{set}?fetchXml={encoded}"), &prefer, None).await
}

#[tokio::test]
async fn conditions_pick_the_documented_rows() {
    let crm = crm().await;
    for (condition, found) in [
        ("attribute='subject' operator='eq' value='north'", &["North"][..]),
        ("attribute='subject' operator='ne' value='North'", &["East", "South"]),
        ("attribute='subject' operator='like' value='%o%th'", &["North", "South"]),
        ("attribute='subject' operator='not-like' value='%th'", &["East"]),
        ("attribute='numberofemployees' operator='gt' value='10'", &["East"]),
        ("attribute='numberofemployees' operator='ge' value='10'", &["East", "South"]),
        ("attribute='numberofemployees' operator='lt' value='10'", &["North"]),
        ("attribute='numberofemployees' operator='le' value='10'", &["North", "South"]),
        ("attribute='companyname' operator='null'", &["East", "North", "South"]),
        ("attribute='companyname' operator='not-null'", &[]),
        ("attribute='createdon' operator='today'", &["East", "North", "South"]),
        ("attribute='createdon' operator='last-x-days' value='3'", &["East", "North", "South"]),
        ("attribute='ownerid' operator='eq-userid'", &["East", "North", "South"]),
    ] {
        let xml = format!(
            "<fetch><entity name='lead'><attribute name='subject'/><order attribute='subject'/>\
             <filter><condition {condition}/></filter></entity></fetch>"
        );
        let reply = fetch(&crm, "leads", &xml).await;
        assert_eq!(reply.status, 200, "{condition}: {}", reply.body);
        assert_eq!(reply.texts("subject"), found, "{condition}");
    }
    let xml = "<fetch><entity name='lead'><attribute name='subject'/><order attribute='subject' descending='true'/>\
               <filter type='or'><condition attribute='subject' operator='in'><value>North</value><value>East</value></condition>\
               <filter><condition attribute='numberofemployees' operator='between'><value>9</value><value>11</value></condition>\
               </filter></filter></entity></fetch>";
    assert_eq!(fetch(&crm, "leads", xml).await.texts("subject"), ["South", "North", "East"]);
}

#[tokio::test]
async fn links_are_inner_or_outer_and_named_by_their_alias() {
    let crm = crm().await;
    let xml = |kind: &str| {
        format!(
            "<fetch><entity name='account'><attribute name='name'/><order attribute='name'/>\
             <link-entity name='opportunity' from='parentaccountid' to='accountid' alias='deal' link-type='{kind}'>\
             <attribute name='name'/><filter><condition attribute='name' operator='eq' value='Cold'/></filter>\
             </link-entity></entity></fetch>"
        )
    };
    let inner = fetch(&crm, "accounts", &xml("inner")).await;
    assert_eq!(inner.texts("deal.name"), ["Cold"]);
    let outer = fetch(&crm, "accounts", &xml("outer")).await;
    assert_eq!(outer.texts("deal.name"), ["-", "Cold"]);
    assert_eq!(fetch(&crm, "accounts", &xml("any")).await.status, 501);
}

#[tokio::test]
async fn pages_lead_to_the_next_by_a_cookie() {
    let crm = crm().await;
    let xml = |page: usize| {
        format!(
            "<fetch count='2' page='{page}' returntotalrecordcount='true'><entity name='lead'>\
             <attribute name='subject'/><order attribute='subject'/></entity></fetch>"
        )
    };
    let first = fetch(&crm, "leads", &xml(1)).await;
    assert_eq!(first.texts("subject"), ["East", "North"]);
    assert_eq!(first.body["@Microsoft.Dynamics.CRM.morerecords"], true);
    assert_eq!(first.body["@Microsoft.Dynamics.CRM.totalrecordcount"], 3);
    let cookie = first.body["@Microsoft.Dynamics.CRM.fetchxmlpagingcookie"].as_str().unwrap();
    assert!(cookie.starts_with("<cookie pagenumber=\"2\" pagingcookie=\"%253ccookie"), "{cookie}");
    let second = fetch(&crm, "leads", &xml(2)).await;
    assert_eq!(second.texts("subject"), ["South"]);
    assert_eq!(second.body["@Microsoft.Dynamics.CRM.morerecords"], false);
}

#[tokio::test]
async fn rows_are_counted_summed_and_made_distinct() {
    let crm = crm().await;
    let xml = "<fetch aggregate='true'><entity name='lead'>\
               <attribute name='leadsourcecode' groupby='true' alias='source'/>\
               <attribute name='leadid' aggregate='count' alias='leads'/>\
               <attribute name='numberofemployees' aggregate='sum' alias='people'/>\
               <attribute name='numberofemployees' aggregate='max' alias='most'/>\
               <order alias='leads' descending='true'/></entity></fetch>";
    let reply = fetch(&crm, "leads", xml).await;
    let shown: Vec<_> =
        reply.rows().iter().map(|row| (row["source"].clone(), row["leads"].clone(), row["people"].clone())).collect();
    assert_eq!(shown, [(json!(8), json!(2), json!(15.0)), (json!(4), json!(1), json!(15.0))]);
    assert_eq!(reply.rows()[0]["most"], 10);
    let xml = "<fetch distinct='true'><entity name='lead'><attribute name='lastname'/></entity></fetch>";
    // The primary key comes along, so each row differs from the others.
    assert_eq!(fetch(&crm, "leads", xml).await.rows().len(), 3);
}

#[tokio::test]
async fn what_is_wrong_or_unknown_is_said() {
    let crm = crm().await;
    for (xml, status) in [
        ("<fetch><entity name='lead'>", 400),
        ("<fetch><entity name='account'/></fetch>", 400),
        ("<fetch><entity name='lead'><attribute name='nosuch'/></entity></fetch>", 400),
        ("<fetch top='5' count='2'><entity name='lead'/></fetch>", 400),
        (
            "<fetch><entity name='lead'><filter><condition attribute='subject' operator='eq'/></filter></entity></fetch>",
            400,
        ),
        (
            "<fetch><entity name='lead'><filter><condition attribute='ownerid' operator='eq-userteams'/></filter></entity></fetch>",
            501,
        ),
        ("<fetch datasource='retained'><entity name='lead'/></fetch>", 501),
    ] {
        assert_eq!(fetch(&crm, "leads", xml).await.status, status, "{xml}");
    }
    let both = crm.get("leads?$top=1&fetchXml=%3Cfetch/%3E").await;
    assert_eq!(both.status, 400);
}

#[tokio::test]
async fn any_and_all_look_at_related_rows() {
    let crm = crm().await;
    for (filter, found) in [
        ("opportunity_parent_account/any(o:o/name eq 'Cold')", &["Northwind Cold Storage BV"][..]),
        (
            "opportunity_parent_account/any(o:o/estimatedvalue gt 50 and contains(o/name,'ee'))",
            &["Lakeshore Dental Group"],
        ),
        ("opportunity_parent_account/any()", &["Lakeshore Dental Group", "Northwind Cold Storage BV"]),
        ("opportunity_parent_account/all(o:o/estimatedvalue ge 300)", &["Lakeshore Dental Group"]),
        ("not opportunity_parent_account/any(o:o/name eq 'Cold')", &["Lakeshore Dental Group"]),
    ] {
        let reply = crm.get(&format!("accounts?$filter={filter}&$orderby=name")).await;
        assert_eq!(reply.status, 200, "{filter}: {}", reply.body);
        assert_eq!(reply.texts("name"), found, "{filter}");
    }
    assert_eq!(crm.get("accounts?$filter=nosuch/any(o:o/name eq 'x')").await.status, 400);
    assert_eq!(crm.get("contacts?$filter=parentcustomerid_account/any(o:o/name eq 'x')").await.status, 400);
}

#[tokio::test]
async fn query_functions_know_dates_users_and_ranges() {
    let crm = crm().await;
    let function = |text: &str| format!("leads?$filter=Microsoft.Dynamics.CRM.{text}");
    for (text, found) in [
        ("Today(PropertyName='createdon')", 3),
        ("LastXDays(PropertyName='createdon',PropertyValue=2)", 3),
        ("NextXDays(PropertyName='createdon',PropertyValue='2')", 0),
        ("OnOrAfter(PropertyName='createdon',PropertyValue='2020-01-01')", 3),
        ("OnOrBefore(PropertyName='createdon',PropertyValue='2020-01-01')", 0),
        ("EqualUserId(PropertyName='ownerid')", 3),
        ("NotIn(PropertyName='subject',PropertyValues=[\"North\"])", 2),
        ("Between(PropertyName='numberofemployees',PropertyValues=[\"5\",\"10\"])", 2),
        ("NotBetween(PropertyName='numberofemployees',PropertyValues=[\"5\",\"10\"])", 1),
    ] {
        let encoded = function(text).replace('"', "%22");
        let reply = crm.get(&encoded).await;
        assert_eq!(reply.status, 200, "{text}: {}", reply.body);
        assert_eq!(reply.rows().len(), found, "{text}");
    }
    assert_eq!(crm.get(&function("Today(PropertyName='subject')")).await.status, 400);
    assert_eq!(crm.get(&function("LastXDays(PropertyName='createdon')")).await.status, 400);
}

#[tokio::test]
async fn order_and_expansion_go_through_lookups() {
    let crm = crm().await;
    let reply = crm.get("opportunities?$select=name&$orderby=parentaccountid/address1_city desc").await;
    assert_eq!(reply.texts("name"), ["Cold", "Teeth"]);
    let nested = "opportunities?$select=name&$filter=name eq 'Cold'&$expand=parentaccountid($select=name;\
                  $expand=contact_customer_accounts($select=lastname;$filter=lastname ne 'x';$orderby=lastname;$top=1))";
    let row = crm.get(nested).await.rows()[0].clone();
    assert_eq!(row["parentaccountid"]["contact_customer_accounts"][0]["lastname"], "de Wit");
}

#[tokio::test]
async fn the_weighted_value_is_calculated_and_read_only() {
    let crm = crm().await;
    let reply = crm.get("opportunities?$select=msft_weightedvalue&$filter=name eq 'Teeth'").await;
    assert_eq!(reply.rows()[0]["msft_weightedvalue"], 150.0);
    let body = json!({ "name": "D", "msft_weightedvalue": 5 });
    assert_eq!(crm.post("opportunities", body).await.refusal(), (400, "0x80040203"));
}
