//! The sales actions: WinOpportunity and LoseOpportunity close an opportunity, QualifyLead turns a lead into an
//! account, a contact and an opportunity (Web API action reference).

use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::cell::{Cell, Reference};
use super::errors::{Answer, BAD_REQUEST, INVALID_ARGUMENT, Refusal};
use super::payload::{self, Purpose, Values};
use super::schema::Table;
use super::store::{Row, Store};
use super::write::{self, Writer};

/// The two ways to close an opportunity, with the state they lead to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Closing {
    /// `WinOpportunity`
    Won = 1,
    /// `LoseOpportunity`
    Lost = 2,
}

/// `POST /WinOpportunity` and `POST /LoseOpportunity`.
pub(super) fn close(
    store: &mut Store,
    writer: Writer,
    base: &str,
    closing: Closing,
    body: &Map<String, Value>,
) -> Answer<()> {
    let action = if closing == Closing::Won { "WinOpportunity" } else { "LoseOpportunity" };
    parameters(action, body, &["Status", "OpportunityClose"])?;
    let status = number(action, body, "Status")?;
    let Some(Value::Object(close)) = body.get("OpportunityClose") else {
        return Err(missing(action, "OpportunityClose"));
    };
    let (opportunities, activities) = (known(store, "opportunity")?, known(store, "opportunityclose")?);
    let values = payload::read(store, base, activities, close, Purpose::Create)?;
    let given =
        |name: &str| values.iter().find(|(column, _)| column.logical == name).and_then(|(_, value)| value.clone());
    let id = given("opportunityid").as_ref().and_then(Cell::reference).map(|reference| reference.id);
    let id = id.ok_or_else(|| missing(action, "OpportunityClose/opportunityid@odata.bind"))?;
    let mut row = store.get(opportunities, id).cloned().ok_or_else(|| Refusal::missing_row(opportunities, id))?;
    if row.integer("statecode") != Some(0) {
        return Err(write::closed(opportunities, id));
    }
    let state = closing as i64;
    // -1 asks for the state's default status.
    let status = if status == -1 { write::default_status(opportunities, state).unwrap_or(status) } else { status };
    write::check_status(opportunities, id, state, status)?;

    let day = given("actualend").unwrap_or_else(|| Cell::Day(writer.now.to_zoned(TimeZone::UTC).date()));
    let revenue = match (given("actualrevenue"), closing) {
        (Some(revenue), _) => Some(revenue),
        (None, Closing::Won) => row.cells.get("estimatedvalue").cloned(),
        (None, Closing::Lost) => None,
    };
    let activity = write::create(store, writer, activities, values, None)?;
    if let Some(mut activity) = store.get(activities, activity).cloned() {
        activity.set("statecode", Some(Cell::Integer(1)));
        activity.set("statuscode", Some(Cell::Integer(2)));
        activity.set("actualend", Some(day.clone()));
        activity.set("actualrevenue", revenue.clone());
        write::replace(store, writer, activities, activity)?;
    }
    row.set("statecode", Some(Cell::Integer(state)));
    row.set("statuscode", Some(Cell::Integer(status)));
    row.set("actualclosedate", Some(day));
    row.set("actualvalue", revenue);
    write::replace(store, writer, opportunities, row)
}

/// `POST /leads(id)/Microsoft.Dynamics.CRM.QualifyLead`; gives the references it answers with.
pub(super) fn qualify(store: &mut Store, writer: Writer, id: Uuid, body: &Map<String, Value>) -> Answer<Vec<Value>> {
    const ACTION: &str = "QualifyLead";
    parameters(
        ACTION,
        body,
        &[
            "CreateAccount",
            "CreateContact",
            "CreateOpportunity",
            "OpportunityCurrencyId",
            "OpportunityCustomerId",
            "SourceCampaignId",
            "Status",
            "ProcessInstanceId",
            "SuppressDuplicateDetection",
        ],
    )?;
    for name in ["SourceCampaignId", "ProcessInstanceId"] {
        if body.get(name).is_some_and(|value| !value.is_null()) {
            return Err(Refusal::outside(format!("the parameter {name} of {ACTION}")));
        }
    }
    let leads = known(store, "lead")?;
    let mut lead = store.get(leads, id).cloned().ok_or_else(|| Refusal::missing_row(leads, id))?;
    if lead.integer("statecode") != Some(0) {
        return Err(write::closed(leads, id));
    }
    let status = number(ACTION, body, "Status")?;
    write::check_status(leads, id, 1, status)?;
    let currency = reference(store, body, "OpportunityCurrencyId", &["transactioncurrency"])?;
    let chosen = reference(store, body, "OpportunityCustomerId", &["account", "contact"])?;
    let (with_account, with_contact, with_opportunity) = (
        flag(ACTION, body, "CreateAccount")?,
        flag(ACTION, body, "CreateContact")?,
        flag(ACTION, body, "CreateOpportunity")?,
    );

    let mut created = Vec::new();
    let mut account = lead.reference("parentaccountid");
    if with_account {
        let mut values = carried(&lead, known(store, "account")?, ADDRESS);
        put(
            &mut values,
            known(store, "account")?,
            "name",
            lead.cells.get("companyname").or(lead.cells.get("fullname")).cloned(),
        );
        account = Some(make(store, writer, "account", values, &mut created)?);
    }
    let mut contact = lead.reference("parentcontactid");
    if with_contact {
        let table = known(store, "contact")?;
        let mut values = carried(&lead, table, ADDRESS);
        values.extend(carried(&lead, table, &["firstname", "lastname", "jobtitle", "mobilephone"]));
        put(&mut values, table, "parentcustomerid", account.map(Cell::Reference));
        contact = Some(make(store, writer, "contact", values, &mut created)?);
    }
    if with_opportunity {
        let table = known(store, "opportunity")?;
        let same = ["description", "budgetamount", "estimatedclosedate", "budgetstatus", "purchasetimeframe"];
        let mut values = carried(&lead, table, &same);
        put(&mut values, table, "name", lead.cells.get("subject").cloned());
        put(&mut values, table, "estimatedvalue", lead.cells.get("estimatedamount").cloned());
        put(&mut values, table, "emailaddress", lead.cells.get("emailaddress1").cloned());
        put(&mut values, table, "customerid", chosen.or(account).or(contact).map(Cell::Reference));
        put(&mut values, table, "parentaccountid", account.map(Cell::Reference));
        put(&mut values, table, "parentcontactid", contact.map(Cell::Reference));
        put(&mut values, table, "originatingleadid", Some(Cell::Reference(Reference { table: "lead", id })));
        let currency = currency.or(lead.reference("transactioncurrencyid"));
        put(&mut values, table, "transactioncurrencyid", currency.map(Cell::Reference));
        let opportunity = make(store, writer, "opportunity", values, &mut created)?;
        lead.set("qualifyingopportunityid", Some(Cell::Reference(opportunity)));
    }
    lead.set("parentaccountid", account.map(Cell::Reference));
    lead.set("parentcontactid", contact.map(Cell::Reference));
    lead.set("statecode", Some(Cell::Integer(1)));
    lead.set("statuscode", Some(Cell::Integer(status)));
    write::replace(store, writer, leads, lead)?;
    Ok(created)
}

const ADDRESS: &[&str] = &[
    "emailaddress1",
    "telephone1",
    "address1_line1",
    "address1_line2",
    "address1_line3",
    "address1_city",
    "address1_stateorprovince",
    "address1_postalcode",
    "address1_country",
];

fn known(store: &Store, name: &str) -> Answer<&'static Table> {
    store.schema().table(name).ok_or_else(|| Refusal::outside(format!("the table '{name}'")))
}

/// The named columns of `lead` as values for a row of `table`.
fn carried(lead: &Row, table: &'static Table, names: &[&str]) -> Values {
    names.iter().filter_map(|name| Some((table.column(name)?, Some(lead.cells.get(*name)?.clone())))).collect()
}

fn put(values: &mut Values, table: &'static Table, name: &str, value: Option<Cell>) {
    if let (Some(column), Some(value)) = (table.column(name), value) {
        values.push((column, Some(value)));
    }
}

fn make(
    store: &mut Store,
    writer: Writer,
    name: &'static str,
    values: Values,
    created: &mut Vec<Value>,
) -> Answer<Reference> {
    let table = known(store, name)?;
    let id = write::create(store, writer, table, values, None)?;
    let mut shown = Map::new();
    shown.insert("@odata.type".to_owned(), json!(format!("#Microsoft.Dynamics.CRM.{name}")));
    shown.insert(table.primary_id.clone(), json!(id));
    created.push(Value::Object(shown));
    Ok(Reference { table: name, id })
}

/// A parameter that names a row by its type and primary key.
fn reference(
    store: &Store,
    body: &Map<String, Value>,
    name: &str,
    tables: &[&'static str],
) -> Answer<Option<Reference>> {
    let object = match body.get(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Object(object)) => object,
        Some(_) => return Err(unreadable(name)),
    };
    let given = object.get("@odata.type").and_then(Value::as_str).map(|name| name.trim_start_matches('#'));
    let table = match (given, tables) {
        (None, [only]) => Some(*only),
        (Some(given), _) => {
            tables.iter().copied().find(|table| given.strip_prefix("Microsoft.Dynamics.CRM.") == Some(table))
        }
        _ => None,
    };
    let table = known(store, table.ok_or_else(|| unreadable(name))?)?;
    let id = object.get(&table.primary_id).and_then(Value::as_str).and_then(|id| Uuid::try_parse(id).ok());
    let id = id.ok_or_else(|| unreadable(name))?;
    if store.get(table, id).is_none() {
        return Err(Refusal::missing_row(table, id));
    }
    Ok(Some(Reference { table: &table.logical, id }))
}

fn unreadable(name: &str) -> Refusal {
    let message = format!("The parameter '{name}' is not a row; expected its @odata.type and primary key.");
    Refusal::bad(BAD_REQUEST, message)
}

fn missing(action: &str, name: &str) -> Refusal {
    Refusal::bad(INVALID_ARGUMENT, format!("Required parameter '{name}' of {action} is missing or of the wrong type."))
}

fn parameters(action: &str, body: &Map<String, Value>, known: &[&str]) -> Answer<()> {
    match body.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(Refusal::bad(
            BAD_REQUEST,
            format!(
                "The parameter '{name}' in the request payload is not a valid parameter for the operation '{action}'."
            ),
        )),
        None => Ok(()),
    }
}

fn number(action: &str, body: &Map<String, Value>, name: &str) -> Answer<i64> {
    body.get(name).and_then(Value::as_i64).ok_or_else(|| missing(action, name))
}

fn flag(action: &str, body: &Map<String, Value>, name: &str) -> Answer<bool> {
    body.get(name).and_then(Value::as_bool).ok_or_else(|| missing(action, name))
}
