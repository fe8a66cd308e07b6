//! Where tests are played: a sandbox, connections to it, and the people who work there.
//!
//! A stage is used by one test after the other, and begins anew before each. What people do in the CRM goes through the
//! connector's own operations, which know its tables; what they do in Partner Center, through the sandbox's control API.

use std::collections::BTreeMap;

use cosell_compile::Compilation;
use cosell_compile::testcase::{Fault, Given, Referral, Row};
use cosell_model::node::NodeKind;
use cosell_model::{Node, Value};
use cosell_sandbox::{Entry, Sandbox};
use cosell_sdk::{CallContext, Connection, Connector};
use reqwest::Method;
use serde_json::{Map, json};
use uuid::Uuid;

use super::names::{As, Mistake, Names, REFERRAL};
use crate::Trouble;
use crate::demo::{self, people::People};
use crate::project::Project;

/// A sandbox, and what is needed to play in it.
pub(super) struct Stage {
    sandbox: Sandbox,
    pub(super) people: People,
    /// By name, as the project has them; the one that keeps values is new for each test.
    connections: BTreeMap<String, Connection>,
    /// Whether the connections know what is not so any more.
    pub(super) stale: bool,
}

/// The connector to the CRM, and those beside it that tests stand in for.
const DATAVERSE: &str = "dataverse";
const STATE: &str = "state";

impl Stage {
    /// Starts one.
    ///
    /// # Errors
    /// Where no port can be listened on.
    pub(super) async fn start(project: &Project, connectors: &[Connector]) -> Result<Self, Trouble> {
        let sandbox = demo::sandbox().await?;
        let people = People::new(&sandbox.addresses().control)?;
        let mut stage = Self { sandbox, people, connections: BTreeMap::new(), stale: false };
        stage.connect(project, connectors)?;
        Ok(stage)
    }

    /// Opens connections that know nothing of what was before.
    ///
    /// # Errors
    /// Never, with the sandbox's own settings.
    fn connect(&mut self, project: &Project, connectors: &[Connector]) -> Result<(), Trouble> {
        let standing_in = demo::connections(self.sandbox.addresses());
        let own = project.configuration.connections.iter().map(|(name, entry)| (name.clone(), entry.connector.clone()));
        let usual = standing_in.keys().map(|name| (name.clone(), name.clone()));
        for (name, connector) in usual.chain(own) {
            let settings = standing_in.get(&connector);
            let connector = connectors.iter().find(|known| known.description().name == connector);
            if let (Some(settings), Some(connector)) = (settings, connector) {
                let open = connector.open(settings.clone()).map_err(|error| Trouble::new(error.message))?;
                self.connections.insert(name, open.with_limits(connector.description().limits));
            }
        }
        Ok(())
    }

    /// Closes it.
    pub(super) async fn stop(self) {
        self.sandbox.stop().await;
    }

    /// Begins anew, and puts what a test takes as given in its place.
    ///
    /// # Errors
    /// What cannot be had.
    pub(super) async fn prepare(
        &mut self,
        given: &Given,
        project: &Project,
        compilation: &Compilation,
        connectors: &[Connector],
    ) -> Result<(BTreeMap<String, Connection>, Names), Mistake> {
        let nowhere = given_place(given);
        let broken = |trouble: Trouble| Mistake::new(nowhere, trouble.text());
        self.people.order(Method::POST, "/reset", &json!({})).await.map_err(broken)?;
        for column in &given.columns {
            let path = format!("/crm/metadata/EntityDefinitions(LogicalName='{}')/Attributes", column.table);
            let defined = self.people.order(Method::POST, &path, &column.definition).await;
            defined.map_err(|trouble| Mistake::new(column.name.span, plain(&trouble)))?;
        }
        // What is known of tables is kept by connections for a while.
        if std::mem::replace(&mut self.stale, !given.columns.is_empty()) || self.stale {
            self.connect(project, connectors).map_err(broken)?;
        }
        let mut connections = self.connections.clone();
        if let Some(state) = connectors.iter().find(|known| known.description().name == STATE) {
            let state = state.open(json!({})).map_err(|error| Mistake::new(nowhere, error.message))?;
            connections.insert(STATE.to_owned(), state);
        }
        let mut names = Names::new();
        let settings = Settings { compilation };
        for row in &given.rows {
            self.row(row, &settings, &mut names).await?;
        }
        for referral in &given.referrals {
            self.referral(referral, &mut names).await?;
        }
        for (key, value) in &given.state {
            let place = value.span;
            let input = json!({ "key": key_of(key, value, &names)?, "value": names.resolve(value, As::Id)? });
            call(connections.get(STATE), "put", input).await.map_err(|message| Mistake::new(place, message))?;
        }
        self.order_faults(&given.faults).await.map_err(broken)?;
        Ok((connections, names))
    }

    /// From now on this goes wrong, and nothing else.
    pub(super) async fn order_faults(&self, faults: &[Fault]) -> Result<(), Trouble> {
        let rules: Vec<&Value> = faults.iter().map(|fault| &fault.rule).collect();
        self.people.order(Method::PUT, "/faults", &json!(rules)).await.map(drop)
    }

    /// Calls an operation of the CRM.
    pub(super) async fn crm(&self, operation: &str, input: Value) -> Result<Value, String> {
        call(self.connections.get(DATAVERSE), operation, input).await
    }

    /// A row of the CRM; none where it is not there.
    pub(super) async fn found(&self, table: &str, id: &str) -> Result<Option<Value>, String> {
        /// Dataverse's code for that (Web API, error codes: ObjectDoesNotExist).
        const NOT_THERE: &str = "0x80040217";
        let Some(connection) = self.connections.get(DATAVERSE) else { return Ok(None) };
        let context = CallContext::new(Uuid::now_v7(), false);
        match connection.call("get_row", json!({ "table": table, "id": id }), context).await {
            Ok(row) => Ok(Some(row)),
            Err(error) if error.code == NOT_THERE => Ok(None),
            Err(error) => Err(error.message),
        }
    }

    /// The requests that reached the sandbox after number `after`.
    pub(super) async fn log(&self, after: u64) -> Result<Vec<Entry>, Trouble> {
        self.people.log(after).await
    }

    async fn referral(&self, referral: &Referral, names: &mut Names) -> Result<(), Mistake> {
        let (place, members) = (referral.name.span, referral.members.as_ref());
        let members = members.map_or(Ok(json!({})), |members| names.resolve(members, As::Id))?;
        let (path, usual) = match referral.by_partner {
            true => ("/partner/referrals", portal_deal()),
            false => ("/seller/referrals", json!({ "details": { "closingDateTime": "2027-02-26T00:00:00Z" } })),
        };
        let made = self.people.order(Method::POST, path, &laid_over(usual, members)).await;
        let made = made.map_err(|trouble| Mistake::new(place, plain(&trouble)))?;
        names.add(&referral.name.value, REFERRAL, made["id"].as_str().unwrap_or_default());
        Ok(())
    }

    async fn row(&self, row: &Row, settings: &Settings<'_>, names: &mut Names) -> Result<(), Mistake> {
        let columns = row.columns.as_ref().map_or(Ok(json!({})), |columns| names.resolve(columns, As::Lookup))?;
        let is_opportunity = row.table == "opportunity";
        let columns = if is_opportunity { laid_beside(usual_opportunity(settings, names)?, columns) } else { columns };
        let input = json!({ "table": row.table, "values": without_nothing(columns) });
        let made = self.crm("create_row", input).await.map_err(|message| Mistake::new(row.name.span, message))?;
        let id = made[format!("{}id", row.table)].as_str().unwrap_or_default().to_owned();
        names.add(&row.name.value, &row.table, &id);
        let usual = || vec!["ColdTrack".to_owned()];
        let solutions = match &row.solutions {
            Some(solutions) => solutions.iter().map(|solution| solution.value.clone()).collect(),
            None if is_opportunity => usual(),
            None => Vec::new(),
        };
        for solution in solutions {
            let added = self.add_solution(&solution, (&row.name.value, &id), settings, names).await;
            added.map_err(|message| Mistake::new(row.name.span, message))?;
        }
        Ok(())
    }

    /// Adds a row of Microsoft Partner Center Solutions to an opportunity, which has a name and an identifier; the row.
    pub(super) async fn add_solution(
        &self,
        solution: &str,
        (opportunity, id): (&str, &str),
        settings: &Settings<'_>,
        names: &mut Names,
    ) -> Result<(String, String), String> {
        let table = settings.text("solutions_table", "msft_partnercentersolution");
        let column = |name: &str, usual: &str| settings.text(name, usual);
        let values = Map::from_iter([
            (column("solution_id_column", "msft_solutionid"), json!(solution_id(solution))),
            (column("solution_name_column", "msft_name"), json!(solution)),
            (column("solution_type_column", "msft_type"), json!("Name")),
            (column("solutions_opportunity_column", "msft_opportunity"), json!({ "opportunity": id })),
        ]);
        let made = self.crm("create_row", json!({ "table": table, "values": values })).await?;
        let row = made[format!("{table}id")].as_str().unwrap_or_default().to_owned();
        let letters: String = solution.to_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
        names.add(&names.free(&format!("{opportunity}_{letters}")), &table, &row);
        Ok((table, row))
    }
}

/// What the flows' variables say of the CRM.
pub(super) struct Settings<'c> {
    pub(super) compilation: &'c Compilation,
}

impl Settings<'_> {
    /// A text that a variable holds, or what is usual where there is no such variable.
    pub(super) fn text(&self, variable: &str, usual: &str) -> String {
        let variable = self.compilation.variables.get(variable).and_then(|variable| variable.current.as_str());
        variable.unwrap_or(usual).to_owned()
    }
}

async fn call(connection: Option<&Connection>, operation: &str, input: Value) -> Result<Value, String> {
    let connection = connection.ok_or("there is no such connection")?;
    let context = CallContext::new(Uuid::now_v7(), false);
    connection.call(operation, input, context).await.map_err(|error| error.message)
}

/// What a trouble says, without the word before it.
pub(super) fn plain(trouble: &Trouble) -> String {
    match trouble {
        Trouble::Message(text) | Trouble::Findings(text) => text.clone(),
    }
}

/// Some place in what is given, for what has none of its own.
fn given_place(given: &Given) -> cosell_model::Span {
    let names = given.rows.iter().map(|row| row.name.span);
    let names = names.chain(given.referrals.iter().map(|referral| referral.name.span));
    names.min().unwrap_or(cosell_model::Span::new(cosell_model::span::FileId(0), 0, 0))
}

/// A key of what is kept, with identifiers in the place of names.
fn key_of(key: &str, value: &Node, names: &Names) -> Result<Value, Mistake> {
    names.resolve(&Node { kind: NodeKind::Text(key.to_owned()), span: value.span }, As::Id)
}

/// The solutions that the sandbox's catalogue has; others have their name for an identifier.
fn solution_id(name: &str) -> &str {
    match name {
        "ColdTrack" => "SOL-48120-KQP",
        "DockPlan" => "SOL-50377-TRX",
        other => other,
    }
}

/// An opportunity that can be sent.
fn usual_opportunity(settings: &Settings<'_>, names: &Names) -> Result<Value, Mistake> {
    let seeded = |name: &str| {
        let place = cosell_model::Span::new(cosell_model::span::FileId(0), 0, 0);
        names.find(name, place).map(|record| json!({ &record.kind: record.id }))
    };
    let mut columns = json!({
        "name": "Northwind warehouse rollout", "estimatedvalue": 84_000, "estimatedclosedate": "2027-01-29",
        "description": "Wants ColdTrack in three cold stores.",
        "customerid": seeded("northwind")?, "parentaccountid": seeded("northwind")?, "parentcontactid": seeded("iris")?,
        "transactioncurrencyid": seeded("euro")?, "ownerid": seeded("noor")?,
    });
    columns[settings.text("sync_column", "msft_microsoftpartnercenterreferralsync")] = json!(true);
    Ok(columns)
}

/// A deal that somebody of the partner makes in Partner Center's portal.
fn portal_deal() -> Value {
    json!({
        "name": "Tailwind cold rooms", "type": "Independent", "qualification": "SalesQualified",
        "customerProfile": {
            "name": "Tailwind Traders",
            "address": { "addressLine1": "1 Harbour Road", "city": "Seattle", "state": "WA", "postalCode": "98101", "country": "US" },
            "team": [{ "firstName": "Ana", "lastName": "Lopez", "phoneNumber": "+12065550142", "email": "ana@tailwind.example" }],
        },
        "consent": {
            "consentToToShareInfoWithOthers": true, "consentToContact": true,
            "consentToShareReferralWithMicrosoftSellers": false,
        },
        "details": {
            "notes": "Asked for ColdTrack at the fair.", "dealValue": 50_000, "currency": "USD",
            "closingDateTime": "2027-02-26T00:00:00Z",
            "requirements": {
                "solutions": [{ "id": "SOL-48120-KQP", "name": "ColdTrack", "type": "Name" }],
                "additionalRequirements": { "attributes": [{ "type": "CustomerMarketplaceIntent", "id": "HaveNotDecided" }] },
            },
        },
    })
}

/// `members` over `usual`, maps member by member.
fn laid_over(usual: Value, members: Value) -> Value {
    match (usual, members) {
        (Value::Object(mut usual), Value::Object(members)) => {
            for (name, value) in members {
                let before = usual.get(&name).cloned().unwrap_or_default();
                usual.insert(name, laid_over(before, value));
            }
            Value::Object(usual)
        }
        (_, members) => members,
    }
}

/// Columns in the place of usual ones; a lookup is one value.
fn laid_beside(usual: Value, columns: Value) -> Value {
    match (usual, columns) {
        (Value::Object(mut usual), Value::Object(columns)) => {
            usual.extend(columns);
            Value::Object(usual)
        }
        (usual, _) => usual,
    }
}

/// A new row is not told of columns without a value.
fn without_nothing(columns: Value) -> Value {
    match columns {
        Value::Object(columns) => columns.into_iter().filter(|(_, value)| !value.is_null()).collect(),
        other => other,
    }
}
