//! A connection to a Dataverse environment: its settings, and the requests that several operations make.

use std::sync::Arc;

use cosell_sdk::http::{Address, Client, Request, Response};
use cosell_sdk::sign_in::{EntraSettings, SignIn};
use cosell_sdk::{CallContext, CallError, Connect, JsonSchema};
use serde::Deserialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::metadata::{Head, Table, Tables};

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
    /// How many rows to read at a time, from 1 to 5000.
    #[serde(default = "default_page_size")]
    #[schemars(range(min = 1, max = 5000))]
    pub page_size: u32,
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
}

impl Connect for Dataverse {
    type Settings = Settings;

    fn connect(settings: Settings) -> Result<Self, CallError> {
        if !(1..=5000).contains(&settings.page_size) {
            return Err(CallError::rejected(
                "invalid_page_size",
                format!("setting `page_size` is {}; expected 1 to 5000", settings.page_size),
            ));
        }
        // The token is for the environment itself, whatever path stands in the setting.
        let origin = Address::new("address", &settings.address)?.origin();
        let sign_in = Arc::new(SignIn::new(&settings.sign_in, &origin)?);
        let client = Client::new("Dataverse", Address::new("address", &format!("{origin}{API}"))?, sign_in)?;
        Ok(Self { client, tables: Tables::default(), page_size: settings.page_size })
    }
}

/// A page of rows, as it came.
#[derive(Debug, Deserialize)]
pub(crate) struct Page {
    #[serde(default)]
    pub(crate) value: Vec<Map<String, Value>>,
    #[serde(rename = "@odata.nextLink", default)]
    pub(crate) next_link: Option<String>,
    #[serde(rename = "@odata.deltaLink", default)]
    pub(crate) delta_link: Option<String>,
}

impl Dataverse {
    /// All that is to be known of a table, by its logical name or its entity set name.
    pub(crate) async fn table(&self, name: &str, context: &CallContext) -> Result<Arc<Table>, CallError> {
        self.tables.table(&self.client, name, context).await
    }

    /// A table's names alone.
    pub(crate) async fn head(&self, name: &str, context: &CallContext) -> Result<Arc<Head>, CallError> {
        self.tables.head(&self.client, name, context).await
    }

    /// Reads one row; none where it does not exist.
    pub(crate) async fn read_row(
        &self,
        set: &str,
        id: Uuid,
        select: Option<&str>,
        context: &CallContext,
    ) -> Result<Option<Map<String, Value>>, CallError> {
        let mut request = headed(self.client.get(&[&format!("{set}({id})")])).header("prefer", ANNOTATIONS).allow(404);
        if let Some(select) = select {
            request = request.query("$select", select);
        }
        let response = request.send(context).await?;
        if response.status == 404 { Ok(None) } else { response.json().map(Some) }
    }

    /// Reads one row that must exist.
    pub(crate) async fn read_existing_row(
        &self,
        head: &Head,
        id: Uuid,
        select: Option<&str>,
        context: &CallContext,
    ) -> Result<Map<String, Value>, CallError> {
        self.read_row(&head.set_name, id, select, context).await?.ok_or_else(|| missing(&head.logical_name, id))
    }

    /// Sends a write that is to answer with the row; reads the row where the answer has none.
    pub(crate) async fn write_row(
        &self,
        request: Request<'_>,
        head: &Head,
        id: Uuid,
        context: &CallContext,
    ) -> Result<Map<String, Value>, CallError> {
        let response =
            headed(request).header("prefer", format!("return=representation,{ANNOTATIONS}")).send(context).await?;
        if response.is_empty() {
            return self.read_existing_row(head, id, None, context).await.map_err(CallError::after_write);
        }
        response.json()
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
pub(crate) fn missing(table: &str, id: Uuid) -> CallError {
    CallError::rejected(
        "0x80040217",
        format!("the table {table} has no row with the id {id}; it may have been deleted"),
    )
}
