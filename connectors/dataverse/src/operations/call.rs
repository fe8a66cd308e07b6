use cosell_sdk::values::guid;
use cosell_sdk::{CallContext, CallError, Change, Effect, JsonSchema, Operation, Prediction, Write};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::connection::Dataverse;
use crate::foresee;
use crate::values::filter::quoted;

const NAMESPACE: &str = "Microsoft.Dynamics.CRM.";

/// What an action or a function answered.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer {
    /// The answer as it came; null where there was none.
    pub answer: Value,
}

/// Which function to call.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CallFunctionInput {
    /// The function's name; that of a bound one may be without its namespace.
    pub name: String,
    /// The table, for a function that is bound to a table or a row.
    #[serde(default)]
    pub table: Option<String>,
    /// The row's identifier, for a function that is bound to a row.
    #[serde(default)]
    pub id: Option<String>,
    /// The parameters by name. Texts are sent in quotes, objects and lists as JSON; what is `{ literal: … }` is sent as it
    /// is, as an identifier needs.
    #[serde(default)]
    pub parameters: Map<String, Value>,
}

/// Calls a function: something that only reads (Web API, use functions).
#[derive(Debug)]
pub struct CallFunction;

impl Operation for CallFunction {
    type Connection = Dataverse;
    type Input = CallFunctionInput;
    type Output = Answer;

    const NAME: &'static str = "call_function";
    const TITLE: &'static str = "Call a function";
    const DESCRIPTION: &'static str =
        "Calls a function of the Web API, bound to a table or a row or not. Functions only read.";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLE: &'static str = r#"{
        "name": "RetrievePrincipalAccess", "table": "systemuser", "id": "11111111-2222-4333-8444-555555555555",
        "parameters": { "Target": { "@odata.id": "opportunities(c0a7a7d0-55b0-4c39-9a0e-0f6a1d6c9a10)" } }
    }"#;

    async fn call(dataverse: &Dataverse, input: Self::Input, context: &CallContext) -> Result<Answer, CallError> {
        let mut segments = bound_to(dataverse, input.table.as_deref(), input.id.as_deref(), context).await?;
        let name = full_name(&input.name, !segments.is_empty())?;
        let aliases: Vec<String> = input.parameters.keys().map(|name| format!("{name}=@{name}")).collect();
        segments.push(format!("{name}({})", aliases.join(",")));
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        foresee::all_left_aside("what a function reads is not known here", context);
        let mut request = dataverse.client.get(&segments);
        for (name, value) in &input.parameters {
            request = request.query(&format!("@{name}"), &literal(value));
        }
        let response = dataverse.send(request, context).await?;
        Ok(Answer { answer: if response.is_empty() { Value::Null } else { response.json()? } })
    }
}

/// Which action to call.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CallActionInput {
    /// The action's name; that of a bound one may be without its namespace.
    pub name: String,
    /// The table, for an action that is bound to a table or a row.
    #[serde(default)]
    pub table: Option<String>,
    /// The row's identifier, for an action that is bound to a row.
    #[serde(default)]
    pub id: Option<String>,
    /// The parameters by name, as the Web API takes them.
    #[serde(default)]
    pub parameters: Map<String, Value>,
    /// Whether calling it twice does no more than calling it once, so that it may be repeated after an interruption.
    #[serde(default)]
    pub repeatable: bool,
}

/// Calls an action: something that may write (Web API, use actions).
#[derive(Debug)]
pub struct CallAction;

impl Operation for CallAction {
    type Connection = Dataverse;
    type Input = CallActionInput;
    type Output = Answer;

    const NAME: &'static str = "call_action";
    const TITLE: &'static str = "Call an action";
    const DESCRIPTION: &'static str = "Calls an action of the Web API, bound to a table or a row or not. For closing opportunities and qualifying leads there are operations of their own.";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLE: &'static str = r#"{
        "name": "AddToQueue", "table": "queue", "id": "11111111-2222-4333-8444-555555555555",
        "parameters": {
            "Target": { "@odata.type": "Microsoft.Dynamics.CRM.lead", "leadid": "c0a7a7d0-55b0-4c39-9a0e-0f6a1d6c9a10" }
        }
    }"#;

    async fn call(dataverse: &Dataverse, input: Self::Input, context: &CallContext) -> Result<Answer, CallError> {
        if context.may_have_run && !input.repeatable {
            return Err(CallError::rejected(
                "effect_unknown",
                format!(
                    "an earlier attempt at the action {} was interrupted, and nothing tells whether it took effect; \
                     look in Dataverse, then resume or repeat the step by hand, or give `repeatable: true` where twice \
                     is as good as once",
                    input.name
                ),
            ));
        }
        let mut segments = bound_to(dataverse, input.table.as_deref(), input.id.as_deref(), context).await?;
        segments.push(full_name(&input.name, !segments.is_empty())?);
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let request = dataverse.client.post(&segments).json(Value::Object(input.parameters));
        let response = dataverse.send(request, context).await?;
        Ok(Answer { answer: if response.is_empty() { Value::Null } else { response.json()? } })
    }
}

impl Write for CallAction {
    const FINDS_OUT: &'static str = "It cannot: what an action does is not known here. The step is refused as `effect_unknown`, unless the action is said to be `repeatable`.";

    async fn predict(
        dataverse: &Dataverse,
        input: Self::Input,
        context: &CallContext,
    ) -> Result<Prediction<Answer>, CallError> {
        let segments = bound_to(dataverse, input.table.as_deref(), input.id.as_deref(), context).await?;
        let field = full_name(&input.name, !segments.is_empty())?;
        let record = segments.into_iter().next().unwrap_or_else(|| "the environment".to_owned());
        let change = Change { record, field, old: Value::Null, new: Value::Object(input.parameters) };
        Ok(Prediction { record: Answer { answer: Value::Null }, changes: vec![change] })
    }
}

/// The address of what an action or a function is bound to, if it is.
async fn bound_to(
    dataverse: &Dataverse,
    table: Option<&str>,
    id: Option<&str>,
    context: &CallContext,
) -> Result<Vec<String>, CallError> {
    let id = id.map(|id| guid("id", id)).transpose()?;
    match (table, id) {
        (Some(table), Some(id)) => Ok(vec![dataverse.head(table, context).await?.row(id)]),
        (Some(table), None) => Ok(vec![dataverse.head(table, context).await?.set_name.clone()]),
        (None, Some(_)) => Err(CallError::rejected("table_required", "`id` is given without `table`; give both")),
        (None, None) => Ok(Vec::new()),
    }
}

fn full_name(name: &str, bound: bool) -> Result<String, CallError> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    if name.is_empty() || !name.chars().all(is_name) {
        return Err(CallError::rejected("wrong_name", format!("`{name}` is no name of an action or a function")));
    }
    // A bound one without its namespace is refused with "unresolved parameters".
    Ok(if bound && !name.contains('.') { format!("{NAMESPACE}{name}") } else { name.to_owned() })
}

fn literal(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Object(members) => match members.get("literal") {
            Some(Value::String(text)) if members.len() == 1 => text.clone(),
            _ => value.to_string(),
        },
        _ => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use crate::testing::{API, ID, KEY, call, open, path, script_metadata, writes};
    use cosell_sdk::stub::{Reply, Stub};
    use serde_json::json;

    #[tokio::test]
    async fn functions_take_their_parameters_by_alias() {
        let stub = Stub::start().await;
        script_metadata(&stub);
        stub.on("GET", &format!("{API}/Find(Text=@Text,Id=@Id,Top=@Top)"), [Reply::json(200, json!({ "value": 1 }))]);
        stub.on("GET", &format!("{}/Microsoft.Dynamics.CRM.Bound()", path(ID)), [Reply::empty(204)]);
        let connection = open(&stub);
        let parameters = json!({ "Text": "O'Neill", "Id": { "literal": ID }, "Top": 3 });
        let input = json!({ "name": "Find", "parameters": parameters });
        assert_eq!(call(&connection, "call_function", input, false).await.unwrap()["answer"]["value"], 1);
        let asked = stub.lines().pop().unwrap();
        assert!(asked.ends_with(&format!("?@Text=%27O%27%27Neill%27&@Id={ID}&@Top=3")), "{asked}");
        let input = json!({ "name": "Bound", "table": "opportunity", "id": ID });
        assert_eq!(call(&connection, "call_function", input, false).await.unwrap()["answer"], json!(null));
    }

    #[tokio::test]
    async fn an_interrupted_action_is_repeated_only_where_that_is_harmless() {
        let stub = Stub::start().await;
        script_metadata(&stub);
        stub.on("POST", &format!("{}/Microsoft.Dynamics.CRM.Do", path(ID)), [Reply::empty(204)]);
        let connection = open(&stub);
        let mut input = json!({ "name": "Do", "table": "opportunity", "id": ID, "parameters": { "A": KEY } });
        call(&connection, "call_action", input.clone(), false).await.unwrap();
        assert_eq!(writes(&stub)[0].json(), json!({ "A": KEY }));
        let error = call(&connection, "call_action", input.clone(), true).await.unwrap_err();
        assert_eq!((error.code.as_str(), writes(&stub).len()), ("effect_unknown", 1));
        input["repeatable"] = json!(true);
        call(&connection, "call_action", input, true).await.unwrap();
        assert_eq!(writes(&stub).len(), 2);
    }

    #[tokio::test]
    async fn what_is_no_name_is_refused() {
        let stub = Stub::start().await;
        let connection = open(&stub);
        for (input, code) in
            [(json!({ "name": "a/b" }), "wrong_name"), (json!({ "name": "Do", "id": ID }), "table_required")]
        {
            for operation in ["call_action", "call_function"] {
                assert_eq!(call(&connection, operation, input.clone(), false).await.unwrap_err().code, code);
            }
        }
        assert!(stub.requests().is_empty());
    }
}
