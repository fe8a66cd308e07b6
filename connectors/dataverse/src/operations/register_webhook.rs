use cosell_sdk::http::Address;
use cosell_sdk::{CallContext, CallError, Change, Effect, JsonSchema, Operation, Prediction, Write};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::connection::Dataverse;
use crate::row_saved::SECRET_HEADER;
use crate::values::assign::bind;
use crate::values::filter::quoted;

/// `contract` of a service endpoint that is a webhook (Web API, serviceendpoint).
const WEBHOOK: u8 = 8;
/// `authtype` by which the secret comes in a header.
const HTTP_HEADER: u8 = 5;
const ENDPOINTS: &str = "serviceendpoints";
const STEPS: &str = "sdkmessageprocessingsteps";

/// What Dataverse is to call about.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
pub enum Message {
    /// A row was created.
    Create,
    /// A row was changed.
    Update,
    /// A row was deleted.
    Delete,
}

/// What to register.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterWebhookInput {
    /// Name of the webhook in the environment. It is found again by it.
    pub name: String,
    /// The address to call, reachable from the internet by https: that of the trigger row_saved.
    pub url: String,
    /// The table, by logical name or entity set name.
    pub table: String,
    /// What to call about; all three when not given.
    #[serde(default = "all")]
    pub messages: Vec<Message>,
    /// Columns of which an update must set at least one, by logical name; any when not given.
    #[serde(default)]
    pub columns: Vec<String>,
}

fn all() -> Vec<Message> {
    vec![Message::Create, Message::Update, Message::Delete]
}

/// What is registered now.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RegisteredWebhook {
    /// The webhook, a row of serviceendpoint.
    pub endpoint: String,
    /// Its steps, rows of sdkmessageprocessingstep: one for each message.
    pub steps: Vec<String>,
    /// Whether anything was written; false where it was registered so already.
    pub changed: bool,
}

/// A row to be written.
struct Task {
    set: &'static str,
    /// Known where the row exists and is changed.
    existing: bool,
    id: Uuid,
    body: Map<String, Value>,
}

/// What is there, and what is to be done.
struct Work {
    endpoint: Uuid,
    steps: Vec<Uuid>,
    tasks: Vec<Task>,
}

/// Has Dataverse call an address.
#[derive(Debug)]
pub struct RegisterWebhook;

impl Operation for RegisterWebhook {
    type Connection = Dataverse;
    type Input = RegisterWebhookInput;
    type Output = RegisteredWebhook;

    const NAME: &'static str = "register_webhook";
    const TITLE: &'static str = "Register a webhook";
    const DESCRIPTION: &'static str = "Has Dataverse call an address after rows of a table are saved or deleted, with the connection's webhook_secret.";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLE: &'static str = r#"{
        "name": "cosell opportunities", "url": "https://sync.fabrikam.example/hooks/dataverse", "table": "opportunity",
        "messages": ["Create", "Update"], "columns": ["name", "estimatedvalue", "statuscode"]
    }"#;

    async fn call(
        dataverse: &Dataverse,
        input: Self::Input,
        context: &CallContext,
    ) -> Result<RegisteredWebhook, CallError> {
        let work = Work::find(dataverse, &input, context).await?;
        for (index, task) in work.tasks.iter().enumerate() {
            let body = Value::Object(task.body.clone());
            let request = if task.existing {
                let address = format!("{}({})", task.set, task.id);
                dataverse.client.patch(&[&address]).header("if-match", "*").json(body)
            } else {
                dataverse.client.post(&[task.set]).json(body)
            };
            let sent = dataverse.send(request, context).await;
            // What was written before stays; the next attempt finds it.
            sent.map_err(|error| if index > 0 { error.after_write() } else { error })?;
        }
        Ok(work.registered())
    }
}

impl Write for RegisterWebhook {
    const FINDS_OUT: &'static str =
        "Every attempt looks for the webhook and its steps by name first, and writes only what is missing or differs.";

    async fn predict(
        dataverse: &Dataverse,
        input: Self::Input,
        context: &CallContext,
    ) -> Result<Prediction<RegisteredWebhook>, CallError> {
        let work = Work::find(dataverse, &input, context).await?;
        let changes = work
            .tasks
            .iter()
            .map(|task| {
                let mut shown = task.body.clone();
                shown.remove("authvalue");
                Change {
                    record: format!("{} {}", task.set, task.id),
                    field: "*".to_owned(),
                    old: Value::Null,
                    new: Value::Object(shown),
                }
            })
            .collect();
        Ok(Prediction { record: work.registered(), changes })
    }
}

impl Work {
    async fn find(
        dataverse: &Dataverse,
        input: &RegisterWebhookInput,
        context: &CallContext,
    ) -> Result<Self, CallError> {
        Address::new("url", input.url.split(['?', '#']).next().unwrap_or_default())?;
        let secret = dataverse.webhook_secret.as_ref().ok_or_else(|| {
            CallError::rejected(
                "no_webhook_secret",
                "the connection has no `webhook_secret`, by which calls are known to be genuine; configure one",
            )
        })?;
        if secret.expose().contains(['"', '<', '>', '&']) {
            return Err(CallError::rejected(
                "wrong_webhook_secret",
                "`webhook_secret` holds one of \" < > &, which Dataverse's settings do not take; choose another",
            ));
        }
        let head = dataverse.head(&input.table, context).await?;
        let mut tasks = Vec::new();

        let filter = format!("name eq {} and contract eq {WEBHOOK}", quoted(&input.name));
        let found = first(dataverse, ENDPOINTS, "serviceendpointid,url", &filter, context).await?;
        let endpoint = id_in(found.as_ref(), "serviceendpointid").unwrap_or(context.idempotency_key);
        if found.as_ref().and_then(|row| row.get("url")) != Some(&json!(input.url)) {
            let setting =
                format!("<settings><setting name=\"{SECRET_HEADER}\" value=\"{}\" /></settings>", secret.expose());
            let mut body = members(json!({ "url": input.url, "authtype": HTTP_HEADER, "authvalue": setting }));
            if found.is_none() {
                let more = json!({ "serviceendpointid": endpoint, "name": input.name, "contract": WEBHOOK });
                body.extend(members(more));
            }
            tasks.push(Task { set: ENDPOINTS, existing: found.is_some(), id: endpoint, body });
        }

        let mut steps = Vec::new();
        for message in &input.messages {
            let message = format!("{message:?}");
            let name = format!("{}: {message} of {}", input.name, head.logical_name);
            let filter = format!("name eq {} and _eventhandler_value eq {endpoint}", quoted(&name));
            let columns = if message == "Update" { input.columns.join(",") } else { String::new() };
            let select = "sdkmessageprocessingstepid,filteringattributes";
            let found = first(dataverse, STEPS, select, &filter, context).await?;
            let id = id_in(found.as_ref(), "sdkmessageprocessingstepid")
                .unwrap_or_else(|| Uuid::new_v5(&context.idempotency_key, message.as_bytes()));
            steps.push(id);
            let known = found.as_ref().and_then(|row| row.get("filteringattributes")).and_then(Value::as_str);
            if found.is_some() && known.unwrap_or_default() == columns {
                continue;
            }
            let mut body = members(json!({ "filteringattributes": columns }));
            if found.is_none() {
                let (event, table) = message_of(dataverse, &message, &head.logical_name, context).await?;
                // After the transaction (stage 40) and beside it (mode 1), so that nobody waits for us.
                body.extend(members(json!({
                    "sdkmessageprocessingstepid": id, "name": name, "mode": 1, "stage": 40, "rank": 1,
                    "supporteddeployment": 0, "asyncautodelete": true,
                    "sdkmessageid@odata.bind": bind("sdkmessages", event),
                    "sdkmessagefilterid@odata.bind": bind("sdkmessagefilters", table),
                    "eventhandler_serviceendpoint@odata.bind": bind(ENDPOINTS, endpoint)
                })));
            }
            tasks.push(Task { set: STEPS, existing: found.is_some(), id, body });
        }
        Ok(Self { endpoint, steps, tasks })
    }

    fn registered(&self) -> RegisteredWebhook {
        RegisteredWebhook {
            endpoint: self.endpoint.to_string(),
            steps: self.steps.iter().map(ToString::to_string).collect(),
            changed: !self.tasks.is_empty(),
        }
    }
}

/// The identifiers of a message, and of what it means for a table.
async fn message_of(
    dataverse: &Dataverse,
    message: &str,
    table: &str,
    context: &CallContext,
) -> Result<(Uuid, Uuid), CallError> {
    let unknown =
        || CallError::rejected("no_such_message", format!("Dataverse has no message {message} for the table {table}"));
    let filter = format!("name eq {}", quoted(message));
    let event = first(dataverse, "sdkmessages", "sdkmessageid", &filter, context).await?;
    let event = id_in(event.as_ref(), "sdkmessageid").ok_or_else(unknown)?;
    let filter = format!("_sdkmessageid_value eq {event} and primaryobjecttypecode eq {}", quoted(table));
    let found = first(dataverse, "sdkmessagefilters", "sdkmessagefilterid", &filter, context).await?;
    Ok((event, id_in(found.as_ref(), "sdkmessagefilterid").ok_or_else(unknown)?))
}

async fn first(
    dataverse: &Dataverse,
    set: &str,
    select: &str,
    filter: &str,
    context: &CallContext,
) -> Result<Option<Map<String, Value>>, CallError> {
    let request = dataverse.client.get(&[set]).query("$select", select).query("$filter", filter).query("$top", "1");
    Ok(dataverse.read_page(request, false, None, context).await?.value.into_iter().next())
}

fn id_in(row: Option<&Map<String, Value>>, column: &str) -> Option<Uuid> {
    row?.get(column)?.as_str()?.parse().ok()
}

fn members(value: Value) -> Map<String, Value> {
    if let Value::Object(members) = value { members } else { Map::new() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::testing::{API, ID, KEY, call, open, script_metadata, writes};
    use cosell_sdk::stub::{Reply, Stub};

    fn input() -> Value {
        let mut input: Value = serde_json::from_str(RegisterWebhook::EXAMPLE).unwrap();
        input["messages"] = json!(["Update"]);
        input
    }

    async fn stub(endpoint: Vec<Value>, step: Vec<Value>) -> Stub {
        let stub = Stub::start().await;
        script_metadata(&stub);
        let rows = |rows: Vec<Value>| [Reply::json(200, json!({ "value": rows }))];
        stub.on("GET", &format!("{API}/serviceendpoints"), rows(endpoint));
        stub.on("GET", &format!("{API}/sdkmessageprocessingsteps"), rows(step));
        stub.on("GET", &format!("{API}/sdkmessages"), rows(vec![json!({ "sdkmessageid": ID })]));
        stub.on("GET", &format!("{API}/sdkmessagefilters"), rows(vec![json!({ "sdkmessagefilterid": ID })]));
        for set in [ENDPOINTS, STEPS] {
            stub.on("POST", &format!("{API}/{set}"), [Reply::empty(204)]);
        }
        stub.on("PATCH", &format!("{API}/serviceendpoints({ID})"), [Reply::empty(204)]);
        stub
    }

    #[tokio::test]
    async fn a_webhook_with_its_secret_and_a_step() {
        let stub = stub(vec![], vec![]).await;
        let output = call(&open(&stub), "register_webhook", input(), false).await.unwrap();
        assert_eq!((&output["endpoint"], &output["changed"]), (&json!(KEY), &json!(true)));
        let [endpoint, step] = [0, 1].map(|index| writes(&stub)[index].json());
        assert_eq!((&endpoint["contract"], &endpoint["authtype"]), (&json!(8), &json!(5)));
        assert_eq!(
            endpoint["authvalue"],
            "<settings><setting name=\"x-cosell-key\" value=\"hook-secret\" /></settings>"
        );
        assert_eq!(step["filteringattributes"], "name,estimatedvalue,statuscode");
        assert_eq!(step["eventhandler_serviceendpoint@odata.bind"], format!("/serviceendpoints({KEY})"));
        assert_eq!(step["sdkmessageid@odata.bind"], format!("/sdkmessages({ID})"));
    }

    #[tokio::test]
    async fn only_what_differs_is_written() {
        let url = &input()["url"];
        let step = json!({ "sdkmessageprocessingstepid": ID, "filteringattributes": "name,estimatedvalue,statuscode" });
        let found = stub(vec![json!({ "serviceendpointid": ID, "url": url })], vec![step.clone()]).await;
        let output = call(&open(&found), "register_webhook", input(), true).await.unwrap();
        assert_eq!(output, json!({ "endpoint": ID, "steps": [ID], "changed": false }));
        assert!(writes(&found).is_empty());

        let moved = stub(vec![json!({ "serviceendpointid": ID, "url": "https://old.example/" })], vec![step]).await;
        call(&open(&moved), "register_webhook", input(), false).await.unwrap();
        assert_eq!(moved.lines().last().unwrap(), &format!("PATCH {API}/serviceendpoints({ID})"));
        assert_eq!(writes(&moved)[0].json()["url"], *url);
    }

    #[tokio::test]
    async fn a_preview_hides_the_secret() {
        let stub = stub(vec![], vec![]).await;
        let context = CallContext::new(KEY.parse().unwrap(), false);
        let prediction = open(&stub).predict("register_webhook", input(), context).await.unwrap();
        assert_eq!(prediction.changes.len(), 2);
        assert!(!json!(prediction).to_string().contains("hook-secret"));
    }
}
