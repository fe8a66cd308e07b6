//! Change tracking ("Use change tracking to synchronize data with external systems").

use serde_json::json;

use super::{Crm, id_in};

const TRACK: [(&str, &str); 1] = [("prefer", "odata.track-changes")];

#[tokio::test]
async fn a_delta_link_gives_changed_and_deleted_rows_and_the_next_link() {
    let crm = Crm::new();
    let kept = crm.created("opportunities", json!({ "name": "kept" })).await;
    let gone = crm.created("opportunities", json!({ "name": "gone" })).await;
    let start = crm.send("GET", "opportunities?$select=name", &TRACK, None).await;
    assert_eq!(start.header("preference-applied"), "odata.track-changes");
    assert_eq!(start.rows().len(), 2);
    let link = start.body["@odata.deltaLink"].as_str().unwrap().to_owned();
    assert!(crm.get(&link).await.rows().is_empty());

    crm.patch(&kept, json!({ "name": "changed" })).await;
    crm.patch(&kept, json!({ "name": "changed again" })).await;
    crm.send("DELETE", &gone, &[], None).await;
    let delta = crm.get(&link).await;
    assert_eq!(delta.rows().len(), 2);
    assert_eq!(delta.rows()[0]["name"], "changed again");
    assert_eq!(delta.rows()[1]["id"], id_in(&gone));
    assert_eq!(delta.rows()[1]["reason"], "deleted");
    assert!(delta.rows()[1]["@odata.context"].as_str().unwrap().ends_with("#opportunities/$deletedEntity"));
    let count = link.replace("/opportunities?", "/opportunities/$count?");
    assert_eq!(crm.get(&count).await.body, 2);
    let next = delta.body["@odata.deltaLink"].as_str().unwrap();
    assert!(crm.get(next).await.rows().is_empty());
}

#[tokio::test]
async fn tracked_reads_come_in_pages_and_no_write_between_pages_is_lost() {
    let crm = Crm::new();
    for name in ["a", "b", "c"] {
        crm.created("opportunities", json!({ "name": name })).await;
    }
    let headers = [("prefer", "odata.track-changes, odata.maxpagesize=2")];
    let first = crm.send("GET", "opportunities?$select=name", &headers, None).await;
    assert_eq!(first.rows().len(), 2);
    assert!(first.body.get("@odata.deltaLink").is_none());
    let written = format!("opportunities({})", first.rows()[0]["opportunityid"].as_str().unwrap());
    crm.patch(&written, json!({ "name": "between" })).await;
    let second = crm.send("GET", first.body["@odata.nextLink"].as_str().unwrap(), &headers, None).await;
    assert_eq!(second.texts("name"), ["c"]);
    let delta = crm.get(second.body["@odata.deltaLink"].as_str().unwrap()).await;
    assert_eq!(delta.texts("name"), ["between"]);
}

#[tokio::test]
async fn changes_come_in_pages() {
    let crm = Crm::new();
    let start = crm.send("GET", "opportunities?$select=name", &TRACK, None).await;
    for name in ["a", "b", "c"] {
        crm.created("opportunities", json!({ "name": name })).await;
    }
    let two = [("prefer", "odata.maxpagesize=2")];
    let first = crm.send("GET", start.body["@odata.deltaLink"].as_str().unwrap(), &two, None).await;
    assert_eq!(first.texts("name"), ["a", "b"]);
    let second = crm.send("GET", first.body["@odata.nextLink"].as_str().unwrap(), &two, None).await;
    assert_eq!(second.texts("name"), ["c"]);
    assert!(second.body["@odata.deltaLink"].is_string());
}

#[tokio::test]
async fn a_token_lasts_seven_days() {
    let crm = Crm::new();
    let start = crm.send("GET", "opportunities?$select=name", &TRACK, None).await;
    let link = start.body["@odata.deltaLink"].as_str().unwrap();
    crm.clock.advance(6 * 24 * 3600);
    assert_eq!(crm.get(link).await.status, 200);
    crm.clock.advance(24 * 3600 + 60);
    assert_eq!(crm.get(link).await.refusal(), (400, "0x80044352"));
    assert_eq!(crm.get("opportunities?$deltatoken=abc").await.status, 400);
}

#[tokio::test]
async fn narrowed_reads_cannot_be_tracked() {
    let crm = Crm::new();
    for query in ["$filter=name eq 'a'", "$orderby=name", "$top=1", "$expand=parentaccountid"] {
        let reply = crm.send("GET", &format!("opportunities?{query}"), &TRACK, None).await;
        assert_eq!(reply.status, 400, "{query}");
        assert!(reply.body["error"]["message"].as_str().unwrap().contains("Change Tracking is enabled"), "{query}");
    }
}
