use cosell_sdk::values::guid;
use cosell_sdk::{CallContext, CallError, Change, Effect, JsonSchema, Operation, Prediction, Write};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::connection::Dataverse;
use crate::foresee;
use crate::preview;
use crate::values::assign::{Write as Kind, assignments};

/// State of a lead that is qualified.
const QUALIFIED: i64 = 1;

/// Which lead is qualified, and what comes of it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QualifyLeadInput {
    /// The lead's identifier, a GUID.
    pub id: String,
    /// Whether to create an account.
    #[serde(default = "yes")]
    pub create_account: bool,
    /// Whether to create a contact.
    #[serde(default = "yes")]
    pub create_contact: bool,
    /// Whether to create an opportunity.
    #[serde(default = "yes")]
    pub create_opportunity: bool,
    /// Status reason of the qualified lead; 3 unless the environment has others.
    #[serde(default = "qualified")]
    pub status: u32,
    /// Currency of the opportunity: the identifier of a row of transactioncurrency.
    #[serde(default)]
    pub currency: Option<String>,
    /// Customer of the opportunity: the identifier of a row of account. Without it, the account created or the lead's own.
    #[serde(default)]
    pub customer_account: Option<String>,
    /// Customer of the opportunity, where it is a person: the identifier of a row of contact. Not both.
    #[serde(default)]
    pub customer_contact: Option<String>,
}

fn yes() -> bool {
    true
}

fn qualified() -> u32 {
    3
}

/// What came of the lead: identifiers, null for what was not created.
#[derive(Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct QualifiedLead {
    /// The account.
    pub account: Option<String>,
    /// The contact.
    pub contact: Option<String>,
    /// The opportunity.
    pub opportunity: Option<String>,
}

/// Qualifies a lead.
#[derive(Debug)]
pub struct QualifyLead;

impl Operation for QualifyLead {
    type Connection = Dataverse;
    type Input = QualifyLeadInput;
    type Output = QualifiedLead;

    const NAME: &'static str = "qualify_lead";
    const TITLE: &'static str = "Qualify a lead";
    const DESCRIPTION: &'static str =
        "Qualifies a lead, from which an account, a contact and an opportunity are created, and tells which.";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLE: &'static str = r#"{ "id": "c0a7a7d0-55b0-4c39-9a0e-0f6a1d6c9a10", "create_account": false }"#;

    async fn call(
        dataverse: &Dataverse,
        input: Self::Input,
        context: &CallContext,
    ) -> Result<QualifiedLead, CallError> {
        let (id, body) = action(&input)?;
        if context.may_have_run {
            let lead = read_lead(dataverse, id, context).await?;
            if lead.get("statecode").and_then(Value::as_i64) == Some(QUALIFIED) {
                return outcome_of(dataverse, id, &lead, context).await;
            }
        }
        let request = dataverse.client.post(&[&format!("leads({id})"), "Microsoft.Dynamics.CRM.QualifyLead"]);
        let response = dataverse.send(request.json(body), context).await?;
        let answer: Value = response.json()?;
        let created = |key: &str| {
            let references = answer.get("value").and_then(Value::as_array).into_iter().flatten();
            references.filter_map(|reference| reference.get(key)?.as_str()).map(str::to_owned).next()
        };
        Ok(QualifiedLead {
            account: created("accountid"),
            contact: created("contactid"),
            opportunity: created("opportunityid"),
        })
    }
}

impl Write for QualifyLead {
    const FINDS_OUT: &'static str =
        "The lead is read; where it is qualified, what came of it is read from its columns and its opportunity.";

    async fn predict(
        dataverse: &Dataverse,
        input: Self::Input,
        context: &CallContext,
    ) -> Result<Prediction<QualifiedLead>, CallError> {
        let (id, _) = action(&input)?;
        let head = dataverse.head("lead", context).await?;
        let lead = dataverse.read_existing_row(&head, &head.row(id), None, context).await?;
        let state = lead.get("statecode").cloned().unwrap_or_default();
        if state.as_i64() != Some(0) {
            return Err(CallError::rejected(
                "lead_not_open",
                format!("the lead {id} is in the state {state}; only an open lead (0) can be qualified"),
            ));
        }
        let mut qualified = lead.clone();
        qualified.insert("statecode".to_owned(), json!(QUALIFIED));
        qualified.insert("statuscode".to_owned(), json!(input.status));
        let mut changes = preview::between(&head, id, &lead, &qualified, context).changes;
        let mut record = QualifiedLead::default();
        for (wanted, table, made) in [
            (input.create_account, "account", &mut record.account),
            (input.create_contact, "contact", &mut record.contact),
        ] {
            if wanted {
                let (head, key) = (dataverse.head(table, context).await?, context.idempotency_key);
                let (record, from) = (format!("new {table}"), json!({ "originatingleadid": id }));
                changes.push(Change { record, field: "*".to_owned(), old: Value::Null, new: from });
                let known = [(head.primary_id.clone(), json!(key)), ("_originatingleadid_value".to_owned(), json!(id))];
                foresee::vague(&head, key, known.into_iter().collect(), context);
                *made = Some(key.to_string());
            }
        }
        if input.create_opportunity {
            let table = dataverse.table("opportunity", context).await?;
            let mut values = carried(&lead, &input, &record, id);
            values.retain(|column, _| table.columns.contains_key(column));
            let assignments = assignments(dataverse, &table, &values, Kind::Create, context).await?;
            changes.extend(preview::creation(&table, context.idempotency_key, &assignments, context).changes);
            record.opportunity = Some(context.idempotency_key.to_string());
        }
        Ok(Prediction { record, changes })
    }
}

/// The lead, and the action's parameters (Web API, QualifyLead).
fn action(input: &QualifyLeadInput) -> Result<(Uuid, Value), CallError> {
    let id = guid("id", &input.id)?;
    let mut body = json!({
        "CreateAccount": input.create_account, "CreateContact": input.create_contact,
        "CreateOpportunity": input.create_opportunity, "Status": input.status
    });
    if input.customer_account.is_some() && input.customer_contact.is_some() {
        return Err(CallError::rejected(
            "two_customers",
            "`customer_account` and `customer_contact` are both given, but an opportunity has one customer; give one",
        ));
    }
    for (given, member, name, table) in [
        (&input.currency, "currency", "OpportunityCurrencyId", "transactioncurrency"),
        (&input.customer_account, "customer_account", "OpportunityCustomerId", "account"),
        (&input.customer_contact, "customer_contact", "OpportunityCustomerId", "contact"),
    ] {
        if let Some(text) = given {
            let (id, key) = (guid(member, text)?, format!("{table}id"));
            body[name] = json!({ "@odata.type": format!("Microsoft.Dynamics.CRM.{table}"), key: id });
        }
    }
    Ok((id, body))
}

/// What an opportunity would have of the lead that it is made of (Dynamics 365 Sales, field mappings to other entities).
fn carried(lead: &Map<String, Value>, input: &QualifyLeadInput, made: &QualifiedLead, id: Uuid) -> Map<String, Value> {
    let of_lead = |name: &str| lead.get(name).filter(|value| !value.is_null());
    let reference = |made: &Option<String>, name: &str| made.clone().map(Value::String).or(of_lead(name).cloned());
    let account = reference(&made.account, "_parentaccountid_value");
    let contact = reference(&made.contact, "_parentcontactid_value");
    let to = |table: &str, id: &Value| json!({ table: id });
    let chosen = (input.customer_account.as_ref().map(|id| json!({ "account": id })))
        .or(input.customer_contact.as_ref().map(|id| json!({ "contact": id })));
    let customer = chosen
        .or(account.as_ref().map(|account| to("account", account)))
        .or(contact.as_ref().map(|contact| to("contact", contact)));
    let currency = input.currency.clone().map(Value::String).or(of_lead("_transactioncurrencyid_value").cloned());
    [
        ("name", of_lead("subject").cloned()),
        ("description", of_lead("description").cloned()),
        ("estimatedvalue", of_lead("estimatedamount").cloned()),
        ("estimatedclosedate", of_lead("estimatedclosedate").cloned()),
        ("budgetamount", of_lead("budgetamount").cloned()),
        ("budgetstatus", of_lead("budgetstatus").cloned()),
        ("purchasetimeframe", of_lead("purchasetimeframe").cloned()),
        ("emailaddress", of_lead("emailaddress1").cloned()),
        ("customerid", customer),
        ("parentaccountid", account),
        ("parentcontactid", contact),
        ("originatingleadid", Some(json!(id))),
        ("transactioncurrencyid", currency),
    ]
    .into_iter()
    .filter_map(|(column, value)| Some((column.to_owned(), value?)))
    .collect()
}

async fn read_lead(dataverse: &Dataverse, id: Uuid, context: &CallContext) -> Result<Map<String, Value>, CallError> {
    let head = dataverse.head("lead", context).await?;
    let select = "statecode,_parentaccountid_value,_parentcontactid_value";
    dataverse.read_existing_row(&head, &head.row(id), Some(select), context).await
}

/// What an earlier attempt made of a lead.
async fn outcome_of(
    dataverse: &Dataverse,
    id: Uuid,
    lead: &Map<String, Value>,
    context: &CallContext,
) -> Result<QualifiedLead, CallError> {
    let request = dataverse.client.get(&["opportunities"]).query("$select", "opportunityid");
    let request = request.query("$filter", &format!("_originatingleadid_value eq {id}")).query("$top", "1");
    let page = dataverse.read_page(request, false, None, context).await?;
    let text = |row: &Map<String, Value>, name: &str| row.get(name).and_then(Value::as_str).map(str::to_owned);
    Ok(QualifiedLead {
        account: text(lead, "_parentaccountid_value"),
        contact: text(lead, "_parentcontactid_value"),
        opportunity: page.value.first().and_then(|row| text(row, "opportunityid")),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use crate::testing::{API, ID, KEY, SET, call, open, script_metadata, writes};
    use cosell_sdk::Meaning;
    use cosell_sdk::stub::{Reply, Stub};
    use serde_json::{Value, json};

    fn action() -> String {
        format!("{API}/leads({ID})/Microsoft.Dynamics.CRM.QualifyLead")
    }

    #[tokio::test]
    async fn the_references_made_are_told() {
        let stub = Stub::start().await;
        let reference = |table: &str| json!({ "@odata.type": format!("#Microsoft.Dynamics.CRM.{table}"), format!("{table}id"): KEY });
        let made = json!({ "value": [reference("account"), reference("opportunity")] });
        stub.on("POST", &action(), [Reply::json(200, made)]);
        let input = json!({ "id": ID, "create_contact": false, "currency": KEY, "customer_account": KEY });
        let output = call(&open(&stub), "qualify_lead", input, false).await.unwrap();
        assert_eq!(output, json!({ "account": KEY, "contact": null, "opportunity": KEY }));
        assert_eq!(
            writes(&stub)[0].json(),
            json!({
                "CreateAccount": true, "CreateContact": false, "CreateOpportunity": true, "Status": 3,
                "OpportunityCurrencyId": { "@odata.type": "Microsoft.Dynamics.CRM.transactioncurrency", "transactioncurrencyid": KEY },
                "OpportunityCustomerId": { "@odata.type": "Microsoft.Dynamics.CRM.account", "accountid": KEY }
            })
        );
    }

    #[tokio::test]
    async fn the_customer_is_an_account_or_a_contact() {
        let stub = Stub::start().await;
        stub.on("POST", &action(), [Reply::json(200, json!({ "value": [] }))]);
        let connection = open(&stub);
        let mut input = json!({ "id": ID, "customer_contact": KEY });
        call(&connection, "qualify_lead", input.clone(), false).await.unwrap();
        assert_eq!(
            writes(&stub)[0].json()["OpportunityCustomerId"],
            json!({ "@odata.type": "Microsoft.Dynamics.CRM.contact", "contactid": KEY })
        );
        input["customer_account"] = json!(KEY);
        let error = call(&connection, "qualify_lead", input, false).await.unwrap_err();
        assert_eq!((error.meaning, error.code.as_str()), (Meaning::Rejected, "two_customers"));
    }

    #[tokio::test]
    async fn after_a_lost_answer_the_leads_state_decides() {
        let stub = Stub::start().await;
        script_metadata(&stub);
        stub.on("POST", &action(), [Reply::hang_up()]);
        let lead = json!({ "statecode": 1, "_parentaccountid_value": KEY, "_parentcontactid_value": null });
        stub.on("GET", &format!("{API}/leads({ID})"), [Reply::json(200, lead)]);
        stub.on("GET", SET, [Reply::json(200, json!({ "value": [{ "opportunityid": ID }] }))]);
        let connection = open(&stub);
        let input = json!({ "id": ID });
        let error = call(&connection, "qualify_lead", input.clone(), false).await.unwrap_err();
        assert_eq!(error.meaning, Meaning::OutcomeUnknown);
        let output = call(&connection, "qualify_lead", input, true).await.unwrap();
        assert_eq!(output, json!({ "account": KEY, "contact": Value::Null, "opportunity": ID }));
        assert_eq!(writes(&stub).len(), 1);
    }
}
