//! A connection to a Dataverse environment: its settings, and the requests that several operations make.

use std::collections::BTreeMap;
use std::sync::Arc;

use cosell_sdk::http::{Address, Client, Request, Response, Transport};
use cosell_sdk::settings::Secret;
use cosell_sdk::sign_in::{EntraSettings, SignIn};
use cosell_sdk::{CallContext, CallError, Connect, JsonSchema};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::foresee;
use crate::metadata::{Head, Said, Table, Tables};

/// Path of the Web API below the environment's address.
pub(crate) const API: &str = "/api/data/v9.2";
const ANNOTATIONS: &str = "odata.include-annotations=\"*\"";

/// Settings of a connection to Dataverse.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Address of the environment, such as `https://org.crm4.dynamics.com`.
    pub address: String,
    /// How to sign in. The application needs an application user with a security role in the environment.
    pub sign_in: EntraSettings,
    /// Authorities whose certificates are trusted for HTTPS beside the system's own (PEM, one or more), such as that of a
    /// proxy in between. Write `{file: PATH}` to keep them in a file.
    #[serde(default)]
    #[schemars(schema_with = "cosell_sdk::settings::text_or_reference")]
    pub https_roots: Option<String>,
    /// How many rows to read at a time, from 1 to 5000.
    #[serde(default = "default_page_size")]
    #[schemars(range(min = 1, max = 5000))]
    pub page_size: u32,
    /// Secret with which Dataverse calls the trigger `row_saved`, in the header `x-cosell-key`; register_webhook gives
    /// it to Dataverse.
    #[serde(default)]
    pub webhook_secret: Option<Secret>,
}

fn default_page_size() -> u32 {
    1000
}

/// A connection to a Dataverse environment.
#[derive(Debug)]
pub struct Dataverse {
    pub(crate) client: Client,
    tables: Tables,
    page_size: u32,
    pub(crate) webhook_secret: Option<Secret>,
}

impl Connect for Dataverse {
    type Settings = Settings;

    const OFFLINE: &'static str = r#"{
        "address": "https://recorded.invalid",
        "sign_in": { "tenant": "recorded", "client_id": "recorded", "client_secret": "recorded" }
    }"#;

    fn connect(settings: Settings) -> Result<Self, CallError> {
        if !(1..=5000).contains(&settings.page_size) {
            return Err(CallError::rejected(
                "invalid_page_size",
                format!("setting `page_size` is {}; expected 1 to 5000", settings.page_size),
            ));
        }
        // The token is for the environment itself, whatever path stands in the setting.
        let origin = Address::new("address", &settings.address)?.origin();
        let transport = Transport::new(settings.https_roots.as_deref())?;
        let sign_in = Arc::new(SignIn::new(&settings.sign_in, &origin, &transport)?);
        let client = Client::new("Dataverse", Address::new("address", &format!("{origin}{API}"))?, sign_in, &transport);
        Ok(Self {
            client,
            tables: Tables::default(),
            page_size: settings.page_size,
            webhook_secret: settings.webhook_secret,
        })
    }

    fn client(&self) -> Option<&Client> {
        Some(&self.client)
    }
}

/// A page of rows, as it came.
#[derive(Debug, Deserialize)]
pub(crate) struct Page {
    #[serde(default)]
    pub(crate) value: Vec<Map<String, Value>>,
    #[serde(rename = "@odata.count", default)]
    pub(crate) count: Option<u64>,
    /// Of an answer to FetchXML.
    #[serde(rename = "@Microsoft.Dynamics.CRM.morerecords", default)]
    pub(crate) more_records: bool,
    #[serde(rename = "@Microsoft.Dynamics.CRM.fetchxmlpagingcookie", default)]
    pub(crate) paging_cookie: Option<String>,
    #[serde(rename = "@odata.nextLink", default)]
    pub(crate) next_link: Option<String>,
    #[serde(rename = "@odata.deltaLink", default)]
    pub(crate) delta_link: Option<String>,
}

/// A row after a write.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) row: Map<String, Value>,
    /// Whether the answer says that the row is new.
    pub(crate) created: bool,
}

impl Dataverse {
    /// All that is to be known of a table, by its logical name or its entity set name.
    pub(crate) async fn table(&self, name: &str, context: &CallContext) -> Result<Arc<Table>, CallError> {
        self.tables.table(&self.client, name, context).await
    }

    /// How long the texts of a table may be, by column, in UTF-16 code units.
    pub(crate) async fn lengths(
        &self,
        head: &Head,
        context: &CallContext,
    ) -> Result<Arc<BTreeMap<String, usize>>, CallError> {
        self.tables.lengths(&self.client, head, context).await
    }

    /// What is said of a table's columns to people.
    pub(crate) async fn said(
        &self,
        head: &Head,
        context: &CallContext,
    ) -> Result<Arc<BTreeMap<String, Said>>, CallError> {
        self.tables.said(&self.client, head, context).await
    }

    /// A table's names alone.
    pub(crate) async fn head(&self, name: &str, context: &CallContext) -> Result<Arc<Head>, CallError> {
        self.tables.head(&self.client, name, context).await
    }

    /// Reads one row by its address; none where it does not exist.
    pub(crate) async fn read_row(
        &self,
        address: &str,
        select: Option<&str>,
        context: &CallContext,
    ) -> Result<Option<Map<String, Value>>, CallError> {
        self.read_row_with(address, [("$select", select)], context).await
    }

    /// The same, with any members of the query.
    pub(crate) async fn read_row_with(
        &self,
        address: &str,
        query: impl IntoIterator<Item = (&'static str, Option<&str>)>,
        context: &CallContext,
    ) -> Result<Option<Map<String, Value>>, CallError> {
        let query: Vec<_> = query.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        let foreseen = match context.foreseen(address) {
            Some(Some(Value::Object(row))) => Some(row),
            Some(_) => return Ok(None),
            None => None,
        };
        // Of a row that was foreseen, only what is read along must be asked for.
        if let (Some(row), false) = (&foreseen, query.iter().any(|(name, _)| *name == "$expand")) {
            let select = query.iter().find(|(name, _)| *name == "$select").map(|(_, select)| *select);
            let id = address.split(['(', ')']).nth(1).unwrap_or_default();
            return Ok(Some(foresee::selected(row, select, id)));
        }
        if query.iter().any(|(name, _)| *name == "$expand") {
            foresee::all_left_aside("rows that are read along come as they are", context);
        }
        let mut request = headed(self.client.get(&[address])).header("prefer", ANNOTATIONS).allow(404);
        for (name, value) in query {
            request = request.query(name, value);
        }
        let response = request.send(context).await?;
        let row = if response.status == 404 { None } else { response.json().map(Some)? };
        Ok(match (row, foreseen) {
            (Some(row), Some(foreseen)) => Some(foresee::over(row, &foreseen)),
            (row, foreseen) => row.or(foreseen),
        })
    }

    /// Reads one row that must exist.
    pub(crate) async fn read_existing_row(
        &self,
        head: &Head,
        address: &str,
        select: Option<&str>,
        context: &CallContext,
    ) -> Result<Map<String, Value>, CallError> {
        self.read_row(address, select, context).await?.ok_or_else(|| missing(&head.logical_name, address))
    }

    /// Sends a write that is to answer with the row; reads the row where the answer has none.
    pub(crate) async fn write_row(
        &self,
        request: Request<'_>,
        head: &Head,
        address: &str,
        context: &CallContext,
    ) -> Result<Written, CallError> {
        let response =
            headed(request).header("prefer", format!("return=representation,{ANNOTATIONS}")).send(context).await?;
        let row = if response.is_empty() {
            self.read_existing_row(head, address, None, context).await.map_err(CallError::after_write)?
        } else {
            response.json()?
        };
        Ok(Written { row, created: response.status == 201 })
    }

    /// Sends a request for one page of rows.
    pub(crate) async fn read_page(
        &self,
        request: Request<'_>,
        paged: bool,
        more: Option<&str>,
        context: &CallContext,
    ) -> Result<Page, CallError> {
        let mut preferences = vec![ANNOTATIONS.to_owned()];
        // `$top` and a page size exclude each other (Web API, query options).
        if paged {
            preferences.push(format!("odata.maxpagesize={}", self.page_size));
        }
        preferences.extend(more.map(str::to_owned));
        headed(request).header("prefer", preferences.join(",")).send(context).await?.json()
    }

    /// Sends any other request.
    pub(crate) async fn send(&self, request: Request<'_>, context: &CallContext) -> Result<Response, CallError> {
        headed(request).send(context).await
    }
}

/// With the headers that every request carries (Web API, compose HTTP requests).
fn headed(request: Request<'_>) -> Request<'_> {
    request.header("accept", "application/json").header("odata-version", "4.0").header("odata-maxversion", "4.0")
}

/// A row that is not there, in Dataverse's own terms: ObjectDoesNotExist.
pub(crate) fn missing(table: &str, address: &str) -> CallError {
    CallError::rejected("0x80040217", format!("the table {table} has no row {address}; it may have been deleted"))
}
