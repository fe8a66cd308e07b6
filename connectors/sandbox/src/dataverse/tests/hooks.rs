//! Web hooks against a receiver on this machine, service protection limits, and impersonation.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, Request, StatusCode, Uri};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tower::ServiceExt;
use uuid::Uuid;

use super::Crm;
use crate::core::tokens::Caller;
use crate::dataverse::Limits;

type Arrived = (Uri, HeaderMap, Value);

/// Something that web hooks call; it answers with the given statuses, then with 200.
struct Receiver {
    url: String,
    arrived: UnboundedReceiver<Arrived>,
}

type Answers = (UnboundedSender<Arrived>, Arc<Mutex<VecDeque<u16>>>);

async fn take(State((sender, statuses)): State<Answers>, uri: Uri, headers: HeaderMap, body: Bytes) -> StatusCode {
    sender.send((uri, headers, serde_json::from_slice(&body).unwrap())).unwrap();
    let status = statuses.lock().unwrap().pop_front().unwrap_or(200);
    StatusCode::from_u16(status).unwrap()
}

impl Receiver {
    async fn start(statuses: &[u16]) -> Receiver {
        let (sender, arrived) = unbounded_channel();
        let statuses = Arc::new(Mutex::new(statuses.iter().copied().collect()));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/in", listener.local_addr().unwrap());
        let router = Router::new().fallback(take).with_state((sender, statuses));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Receiver { url, arrived }
    }
}

/// Registers a step for `message` on accounts, and gives its id.
async fn register(crm: &Crm, url: &str, message: &str, more: Value) -> String {
    let endpoint = json!({ "name": "hook", "url": url, "contract": 8, "authtype": 4, "authvalue": "secret" });
    let endpoint = crm.created("serviceendpoints", endpoint).await;
    let id = crm.id("sdkmessages", &format!("name eq '{message}'")).await;
    let filter = format!("primaryobjecttypecode eq 'account' and _sdkmessageid_value eq {id}");
    let filters = crm.get(&format!("sdkmessagefilters?$filter={filter}")).await;
    let mut body = json!({
        "name": "step", "mode": 1, "stage": 40, "rank": 1, "supporteddeployment": 0,
        "sdkmessageid@odata.bind": format!("/sdkmessages({id})"),
        "sdkmessagefilterid@odata.bind":
            format!("/sdkmessagefilters({})", filters.rows()[0]["sdkmessagefilterid"].as_str().unwrap()),
        "eventhandler_serviceendpoint@odata.bind": format!("/{endpoint}"),
    });
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    crm.created("sdkmessageprocessingsteps", body).await
}

fn entry<'a>(list: &'a Value, key: &str) -> &'a Value {
    &list.as_array().unwrap().iter().find(|pair| pair["key"] == key).unwrap()["value"]
}

#[tokio::test]
async fn a_write_calls_the_receiver_with_its_context() {
    let crm = Crm::new();
    let mut receiver = Receiver::start(&[]).await;
    register(&crm, &receiver.url, "Create", json!({})).await;
    let account = crm.created("accounts", json!({ "name": "A", "revenue": 5, "customertypecode": 3 })).await;
    let (uri, headers, body) = receiver.arrived.recv().await.unwrap();
    assert_eq!(uri.query(), Some("code=secret"));
    assert_eq!(headers["x-ms-dynamics-organization"], "crm.test");
    assert_eq!(headers["x-ms-dynamics-entity-name"], "account");
    assert_eq!(headers["x-ms-dynamics-request-name"], "Create");
    assert_eq!(headers["x-ms-correlation-request-id"], body["CorrelationId"].as_str().unwrap());
    assert_eq!((&body["MessageName"], &body["Stage"], &body["Mode"]), (&json!("Create"), &json!(40), &json!(1)));
    assert_eq!(body["PrimaryEntityId"], super::id_in(&account));
    assert_eq!(body["UserId"], crm.get("WhoAmI").await.body["UserId"]);
    assert_eq!(*entry(&body["OutputParameters"], "id"), json!(super::id_in(&account)));
    let target = entry(&body["InputParameters"], "Target");
    assert_eq!(target["__type"], "Entity:http://schemas.microsoft.com/xrm/2011/Contracts");
    assert_eq!(*entry(&target["Attributes"], "name"), json!("A"));
    assert_eq!(
        entry(&target["Attributes"], "revenue")["__type"],
        "Money:http://schemas.microsoft.com/xrm/2011/Contracts"
    );
    assert_eq!(entry(&target["Attributes"], "customertypecode")["Value"], 3);
    assert_eq!(entry(&target["Attributes"], "ownerid")["LogicalName"], "systemuser");
    assert!(entry(&target["Attributes"], "createdon").as_str().unwrap().starts_with("/Date("));
    entry(&body["PostEntityImages"], "AsynchronousStepPrimaryName");
    assert!(crm.get("serviceendpoints").await.rows()[0].get("authvalue").is_none());
}

#[tokio::test]
async fn an_update_calls_only_for_the_columns_asked_for_and_names_what_changed() {
    let crm = Crm::new();
    let mut receiver = Receiver::start(&[]).await;
    let step = register(&crm, &receiver.url, "Update", json!({ "filteringattributes": "name, telephone1" })).await;
    crm.created(
        "sdkmessageprocessingstepimages",
        json!({
            "entityalias": "before", "imagetype": 0, "attributes": "name", "messagepropertyname": "Target",
            "sdkmessageprocessingstepid@odata.bind": format!("/{step}"),
        }),
    )
    .await;
    let account = crm.created("accounts", json!({ "name": "A" })).await;
    crm.patch(&account, json!({ "description": "not asked for" })).await;
    crm.patch(&account, json!({ "name": "B" })).await;
    let (_, _, body) = receiver.arrived.recv().await.unwrap();
    let target = entry(&body["InputParameters"], "Target");
    assert_eq!(*entry(&target["Attributes"], "name"), json!("B"));
    let keys: Vec<&str> =
        target["Attributes"].as_array().unwrap().iter().map(|pair| pair["key"].as_str().unwrap()).collect();
    assert!(!keys.contains(&"description"), "{keys:?}");
    assert_eq!(*entry(&entry(&body["PreEntityImages"], "before")["Attributes"], "name"), json!("A"));
    assert!(receiver.arrived.try_recv().is_err());
}

#[tokio::test]
async fn a_busy_receiver_is_called_once_more_and_a_failing_one_is_not() {
    let crm = Crm::new();
    let mut receiver = Receiver::start(&[503, 503, 500]).await;
    register(&crm, &receiver.url, "Delete", json!({})).await;
    for (name, calls) in [("A", 2), ("B", 1)] {
        let account = crm.created("accounts", json!({ "name": name })).await;
        assert_eq!(crm.send("DELETE", &account, &[], None).await.status, 204);
        for _ in 0..calls {
            let (_, _, body) = receiver.arrived.recv().await.unwrap();
            assert!(
                entry(&body["InputParameters"], "Target")["__type"].as_str().unwrap().starts_with("EntityReference:")
            );
        }
        crm.settled().await;
    }
    assert!(receiver.arrived.try_recv().is_err());
    let jobs = crm.get("asyncoperations?$select=statuscode").await;
    assert_eq!(jobs.rows().iter().map(|row| row["statuscode"].clone()).collect::<Vec<_>>(), [json!(31), json!(31)]);
}

#[tokio::test]
async fn what_the_sandbox_would_not_call_cannot_be_registered() {
    let crm = Crm::new();
    for (body, status) in [
        (json!({ "name": "q", "contract": 2 }), 501),
        (json!({ "name": "h", "contract": 8, "url": "ftp://hooks.test" }), 400),
        (json!({ "name": "h", "contract": 8, "url": "http://hooks.test", "authtype": 4 }), 400),
        (json!({ "name": "h", "contract": 8, "url": "http://hooks.test", "authtype": 2, "authvalue": "x" }), 501),
    ] {
        assert_eq!(crm.post("serviceendpoints", body.clone()).await.status, status, "{body}");
    }
    let message = crm.id("sdkmessages", "name eq 'Create'").await;
    let step =
        json!({ "name": "s", "mode": 0, "stage": 40, "sdkmessageid@odata.bind": format!("/sdkmessages({message})") });
    assert_eq!(crm.post("sdkmessageprocessingsteps", step).await.status, 501);
}

#[tokio::test]
async fn limits_refuse_with_their_codes_and_tell_when_to_come_again() {
    let crm = Crm::new();
    assert_eq!(crm.get("accounts").await.header("x-ms-ratelimit-burst-remaining-xrm-requests"), "5999");
    for (limits, code) in [
        (Limits { requests: 0, ..Limits::default() }, "0x80072322"),
        (Limits { execution_ms: 0, ..Limits::default() }, "0x80072321"),
        (Limits { concurrent: 0, ..Limits::default() }, "0x80072326"),
    ] {
        crm.state.set_limits(limits);
        let reply = crm.get("accounts").await;
        assert_eq!(reply.refusal(), (429, code));
        assert!(reply.header("retry-after").parse::<u64>().unwrap() >= 1);
    }
    crm.state.set_limits(Limits { requests: 1, ..Limits::default() });
    assert_eq!(crm.get("accounts").await.status, 200);
    let refused = crm.get("accounts").await;
    assert_eq!(refused.header("retry-after"), "300");
    assert_eq!(
        refused.body["error"]["message"],
        "Number of requests exceeded the limit of 1 over time window of 300 seconds."
    );
    crm.clock.advance(301);
    assert_eq!(crm.get("accounts").await.status, 200);
}

#[tokio::test]
async fn a_caller_with_the_privilege_writes_in_the_name_of_another() {
    let crm = Crm::new();
    let sam = crm.id("systemusers", "fullname eq 'Sam Ito'").await;
    let refused = crm.send("POST", "accounts", &[("mscrmcallerid", &sam)], Some(json!({ "name": "A" }))).await;
    assert_eq!(refused.refusal(), (403, "0x80040220"));

    let roles = vec!["System Administrator".to_owned()];
    let caller = Caller { name: "app".to_owned(), id: Uuid::from_u128(5), app_only: true, roles, mfa: false };
    let router = crate::dataverse::resources(Arc::clone(&crm.state)).layer(Extension(caller));
    let request = |header: &str, id: &str| {
        let request = Request::builder().method("POST").uri("/api/data/v9.2/accounts").header(header, id);
        request.header("content-type", "application/json").body(Body::from("{\"name\":\"Acme\"}")).unwrap()
    };
    let response = router.clone().oneshot(request("mscrmcallerid", &sam)).await.unwrap();
    assert_eq!(response.status().as_u16(), 204);
    let row = crm.get("accounts?$filter=name eq 'Acme'").await.rows()[0].clone();
    assert_eq!((&row["_createdby_value"], &row["_ownerid_value"]), (&json!(sam), &json!(sam)));
    let nobody = router.oneshot(request("callerobjectid", &Uuid::from_u128(77).to_string())).await.unwrap();
    assert_eq!(nobody.status().as_u16(), 403);
    let body = to_bytes(nobody.into_body(), usize::MAX).await.unwrap();
    assert!(String::from_utf8(body.to_vec()).unwrap().contains("0x80072560"));
}
