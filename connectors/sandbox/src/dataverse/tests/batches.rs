//! `$batch` and the bulk messages: what happens as a whole, and what does not.

use serde_json::json;

use super::{Crm, Reply};

/// A batch with these parts; each is a request by itself, or the parts of a change set.
fn body(parts: &[Part]) -> String {
    let mut text = String::new();
    for part in parts {
        match part {
            Part::Single(request) => text.push_str(&format!("--b\n{}", http(None, request))),
            Part::Set(requests) => {
                text.push_str("--b\nContent-Type: multipart/mixed; boundary=c\n\n");
                for (at, request) in requests.iter().enumerate() {
                    text.push_str(&format!("--c\n{}", http(Some(at + 1), request)));
                }
                text.push_str("--c--\n");
            }
        }
    }
    text.push_str("--b--\n");
    text.replace('\n', "\r\n")
}

enum Part {
    Single(String),
    Set(Vec<String>),
}

fn http(id: Option<usize>, request: &str) -> String {
    let id = id.map(|id| format!("Content-ID: {id}\n")).unwrap_or_default();
    format!("Content-Type: application/http\nContent-Transfer-Encoding: binary\n{id}\n{request}\n")
}

fn post(address: &str, body: &serde_json::Value) -> String {
    format!("POST {address} HTTP/1.1\nContent-Type: application/json; type=entry\n\n{body}")
}

async fn send(crm: &Crm, headers: &[(&str, &str)], parts: &[Part]) -> Reply {
    let mut all = vec![("content-type", "multipart/mixed; boundary=b"), ("accept", "multipart/mixed")];
    all.extend(headers);
    crm.send_raw("POST", "$batch", &all, body(parts)).await
}

/// The statuses in an answer, in order.
fn statuses(reply: &Reply) -> Vec<&str> {
    let text = reply.body.as_str().unwrap();
    text.split("HTTP/1.1 ").skip(1).map(|part| &part[..3]).collect()
}

fn long() -> serde_json::Value {
    json!({ "name": "x".repeat(161) })
}

#[tokio::test]
async fn requests_of_a_batch_are_answered_in_order() {
    let crm = Crm::new();
    let reply = send(
        &crm,
        &[],
        &[
            Part::Single(post("/api/data/v9.2/accounts", &json!({ "name": "A" }))),
            Part::Single("GET /api/data/v9.2/accounts?$select=name&$filter=name%20eq%20'A' HTTP/1.1\n\n".to_owned()),
            Part::Single(post("accounts", &json!({ "name": "B" }))),
        ],
    )
    .await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert!(reply.header("content-type").starts_with("multipart/mixed; boundary=batchresponse_"));
    assert_eq!(statuses(&reply), ["204", "200", "204"]);
    assert!(reply.body.as_str().unwrap().contains("OData-EntityId: http://crm.test/api/data/v9.2/accounts("));
    let names = reply.changes.iter().filter(|change| change.field == "name");
    assert_eq!(names.map(|change| change.new.clone()).collect::<Vec<_>>(), [json!("A"), json!("B")]);
}

#[tokio::test]
async fn an_error_ends_a_batch_unless_it_shall_go_on() {
    let crm = Crm::new();
    let parts = || {
        [
            Part::Single(post("accounts", &json!({ "name": "before" }))),
            Part::Single(post("accounts", &long())),
            Part::Single(post("accounts", &json!({ "name": "after" }))),
        ]
    };
    let reply = send(&crm, &[], &parts()).await;
    assert_eq!((reply.status, statuses(&reply)), (400, vec!["204", "400"]));
    assert_eq!(crm.get("accounts?$filter=name eq 'before' or name eq 'after'").await.texts("name"), ["before"]);
    let reply = send(&crm, &[("prefer", "odata.continue-on-error")], &parts()).await;
    assert_eq!((reply.status, statuses(&reply)), (200, vec!["204", "400", "204"]));
}

#[tokio::test]
async fn a_change_set_happens_as_a_whole_or_not_at_all() {
    let crm = Crm::new();
    let set = Part::Set(vec![
        post("contacts", &json!({ "lastname": "First" })),
        post("accounts", &json!({ "name": "Second", "primarycontactid@odata.bind": "$1" })),
        "PUT $2/telephone1 HTTP/1.1\nContent-Type: application/json\n\n{\"value\":\"555\"}".to_owned(),
    ]);
    let reply = send(&crm, &[], &[set]).await;
    assert_eq!((reply.status, statuses(&reply)), (200, vec!["204", "204", "204"]), "{}", reply.body);
    let rows = crm.get("accounts?$filter=name eq 'Second'&$expand=primarycontactid").await;
    assert_eq!(rows.rows()[0]["primarycontactid"]["lastname"], "First");
    assert_eq!(rows.texts("telephone1"), ["555"]);

    let set = Part::Set(vec![post("accounts", &json!({ "name": "undone" })), post("accounts", &long())]);
    let reply = send(&crm, &[], &[set]).await;
    assert_eq!((reply.status, statuses(&reply)), (400, vec!["400"]));
    assert!(reply.body.as_str().unwrap().contains("Content-ID: 2"));
    assert!(reply.changes.is_empty());
    assert!(crm.get("accounts?$filter=name eq 'undone'").await.rows().is_empty());
}

#[tokio::test]
async fn references_that_lead_nowhere_are_refused() {
    let crm = Crm::new();
    let body = json!({ "name": "A", "primarycontactid@odata.bind": "$1" });
    let reply = send(&crm, &[], &[Part::Set(vec![post("accounts", &body)])]).await;
    assert_eq!(reply.status, 400);
    let text = reply.body.as_str().unwrap();
    assert!(text.contains("Content-ID Reference: '$1' does not exist in the batch context."), "{text}");
    let inner = send(&crm, &[], &[Part::Single(post("$batch", &json!({})))]).await;
    assert_eq!(statuses(&inner), ["400"]);
}

fn targets(rows: serde_json::Value) -> serde_json::Value {
    let mut rows = rows;
    for row in rows.as_array_mut().unwrap() {
        row["@odata.type"] = json!("Microsoft.Dynamics.CRM.msft_solutiondetail");
    }
    json!({ "Targets": rows })
}

#[tokio::test]
async fn bulk_messages_take_all_rows_or_none() {
    let crm = Crm::new();
    let set = "msft_solutiondetails";
    let bulk = |name: &str| format!("{set}/Microsoft.Dynamics.CRM.{name}");
    let rows = json!([{ "msft_name": "A", "msft_solutionid": "1" }, { "msft_name": "B", "msft_solutionid": "2" }]);
    let created = crm.post(&bulk("CreateMultiple"), targets(rows)).await;
    assert_eq!((created.status, created.body["Ids"].as_array().unwrap().len()), (200, 2));

    let half = json!([{ "msft_name": "C", "msft_solutionid": "3" }, { "msft_name": "D", "msft_solutionid": "1" }]);
    assert_eq!(crm.post(&bulk("CreateMultiple"), targets(half)).await.refusal(), (412, "0x80060892"));
    assert!(crm.get(&format!("{set}?$filter=msft_name eq 'C'")).await.rows().is_empty());

    let id = &created.body["Ids"][0];
    let changes = json!([{ "msft_solutiondetailid": id, "msft_name": "A2" }]);
    assert_eq!(crm.post(&bulk("UpdateMultiple"), targets(changes)).await.status, 204);
    let missing = json!([{ "msft_solutiondetailid": "00000000-0000-0000-0000-000000000001", "msft_name": "X" }]);
    assert_eq!(crm.post(&bulk("UpdateMultiple"), targets(missing)).await.refusal(), (404, "0x80040217"));

    let upserts = json!([
        { "@odata.id": format!("{set}(msft_solutionid='1')"), "msft_name": "A3" },
        { "@odata.id": format!("{set}(msft_solutionid='9')"), "msft_name": "New" },
    ]);
    assert_eq!(crm.post(&bulk("UpsertMultiple"), targets(upserts)).await.status, 204);
    let found = crm.get(&format!("{set}?$filter=msft_name eq 'A3' or msft_name eq 'New'&$orderby=msft_name")).await;
    assert_eq!(found.texts("msft_solutionid"), ["1", "9"]);

    let untyped = json!({ "Targets": [{ "msft_name": "A" }] });
    assert_eq!(crm.post(&bulk("CreateMultiple"), untyped).await.refusal(), (400, "0x80048d19"));
    assert_eq!(crm.post(&bulk("CreateMultiple"), json!({ "Targets": [] })).await.status, 400);
}
