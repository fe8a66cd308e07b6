//! A connection to the Referrals API: its settings, and the requests that several operations make.

use std::ops::ControlFlow;
use std::sync::Arc;

use cosell_sdk::http::{Address, Client, Request, Transport};
use cosell_sdk::sign_in::{EntraSettings, SignIn};
use cosell_sdk::values::guid;
use cosell_sdk::{CallContext, CallError, Connect, JsonSchema};
use serde::Deserialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::preview;
use crate::referral::Referral;

/// Settings of a connection to Partner Center's referrals.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Base address of the Referrals API.
    #[serde(default = "default_address")]
    pub address: String,
    /// Whom the token is for.
    #[serde(default = "default_audience")]
    pub audience: String,
    /// How to sign in. The Referrals API serves no application by itself: set `person: true`, and have a person with the
    /// role Referrals admin sign in.
    pub sign_in: EntraSettings,
    /// Authorities whose certificates are trusted for HTTPS beside the system's own (PEM, one or more), such as that of a
    /// proxy in between. Write `{file: PATH}` to keep them in a file.
    #[serde(default)]
    #[schemars(schema_with = "cosell_sdk::settings::text_or_reference")]
    pub https_roots: Option<String>,
}

fn default_address() -> String {
    "https://api.partner.microsoft.com/v1.0/engagements".to_owned()
}

fn default_audience() -> String {
    "https://api.partner.microsoft.com".to_owned()
}

/// A connection to the Referrals API.
#[derive(Debug)]
pub struct PartnerCenter {
    client: Client,
}

impl Connect for PartnerCenter {
    type Settings = Settings;

    const OFFLINE: &'static str = r#"{
        "address": "https://recorded.invalid",
        "sign_in": { "tenant": "recorded", "client_id": "recorded", "client_secret": "recorded" }
    }"#;

    fn connect(settings: Settings) -> Result<Self, CallError> {
        let address = Address::new("address", &settings.address)?;
        let transport = Transport::new(settings.https_roots.as_deref())?;
        let sign_in = Arc::new(SignIn::new(&settings.sign_in, &settings.audience, &transport)?);
        Ok(Self { client: Client::new("Partner Center", address, sign_in, &transport) })
    }

    fn client(&self) -> Option<&Client> {
        Some(&self.client)
    }
}

/// What a list is asked for; all of it OData text, as the API takes it.
#[derive(Clone, Debug, Default)]
pub(crate) struct ListQuery {
    pub(crate) filter: Option<String>,
    pub(crate) order_by: Option<String>,
    pub(crate) select: Option<String>,
    pub(crate) expand: Option<String>,
    pub(crate) top: Option<u32>,
    pub(crate) skip: Option<u32>,
    pub(crate) count: bool,
}

/// A page of referrals.
#[derive(Deserialize)]
pub(crate) struct Page {
    pub(crate) value: Vec<Referral>,
    #[serde(rename = "@odata.count", default)]
    count: Option<u64>,
    #[serde(rename = "@odata.nextLink", default)]
    pub(crate) next_link: Option<String>,
}

impl PartnerCenter {
    /// Reads one referral.
    pub(crate) async fn get(&self, id: Uuid, context: &CallContext) -> Result<Referral, CallError> {
        if let Some(Some(foreseen)) = context.foreseen(&preview::foreseen_as(id)) {
            return preview::read(foreseen);
        }
        headed(self.client.get(&["referrals", &id.to_string()])).send(context).await?.json()
    }

    /// Reads one referral as the service sends it, with members that [`Referral`] does not know.
    pub(crate) async fn get_whole(&self, id: Uuid, context: &CallContext) -> Result<Map<String, Value>, CallError> {
        headed(self.client.get(&["referrals", &id.to_string()])).send(context).await?.json()
    }

    /// Replaces a referral that is still of version `etag`, and gives it as it then is (Referrals API, the older update by
    /// PUT: `links` are left out, and a member that is missing is emptied).
    pub(crate) async fn replace(
        &self,
        id: Uuid,
        whole: Map<String, Value>,
        etag: &str,
        context: &CallContext,
    ) -> Result<Referral, CallError> {
        let request = headed(self.client.put(&["referrals", &id.to_string()])).header("if-match", etag);
        let response = request.json(Value::Object(whole)).send(context).await?;
        if response.is_empty() {
            return self.get(id, context).await.map_err(CallError::after_write);
        }
        response.json()
    }

    /// Creates a referral.
    pub(crate) async fn create(
        &self,
        referral: &Map<String, Value>,
        context: &CallContext,
    ) -> Result<Referral, CallError> {
        headed(self.client.post(&["referrals"])).json(Value::Object(referral.clone())).send(context).await?.json()
    }

    /// Changes a referral by a JSON Patch and gives it as it then is (Referrals API, update by PATCH).
    pub(crate) async fn patch(
        &self,
        id: Uuid,
        patch: Vec<Value>,
        if_match: Option<&str>,
        context: &CallContext,
    ) -> Result<Referral, CallError> {
        let mut request = headed(self.client.patch(&["referrals", &id.to_string()]))
            .header("prefer", "return=representation")
            .json(Value::Array(patch));
        if let Some(etag) = if_match {
            request = request.header("if-match", etag);
        }
        let response = request.send(context).await?;
        // The API is free to ignore the preference.
        if response.is_empty() {
            return self.get(id, context).await.map_err(CallError::after_write);
        }
        response.json()
    }

    /// Reads pages of referrals, each with its number from 1 on, until there are no more or `page` has seen enough.
    /// Gives how many there are in all, if the query asks for it.
    pub(crate) async fn pages(
        &self,
        query: &ListQuery,
        context: &CallContext,
        mut page: impl FnMut(usize, Vec<Referral>) -> Result<ControlFlow<()>, CallError>,
    ) -> Result<Option<u64>, CallError> {
        let mut read = self.page(query, context).await?;
        let count = read.count;
        for number in 1.. {
            if page(number, read.value)?.is_break() {
                break;
            }
            let Some(link) = read.next_link else { break };
            read = self.next_page(&link, context).await?;
        }
        Ok(count)
    }

    /// Reads the first page of referrals.
    pub(crate) async fn page(&self, query: &ListQuery, context: &CallContext) -> Result<Page, CallError> {
        let mut request = self.client.get(&["referrals"]);
        let (top, skip) = (query.top.map(|top| top.to_string()), query.skip.map(|skip| skip.to_string()));
        for (name, value) in [
            ("$filter", &query.filter),
            ("$orderby", &query.order_by),
            ("$select", &query.select),
            ("$expand", &query.expand),
            ("$top", &top),
            ("$skip", &skip),
            ("$count", &query.count.then(|| "true".to_owned())),
        ] {
            if let Some(value) = value {
                request = request.query(name, value);
            }
        }
        headed(request).send(context).await?.json()
    }

    /// Reads a further page.
    ///
    /// Of a next link only the query counts: the documentation prints its path and scheme in ways that cannot be right
    /// (Referrals API, get a list of referrals).
    pub(crate) async fn next_page(&self, link: &str, context: &CallContext) -> Result<Page, CallError> {
        headed(self.client.get(&["referrals"]).query_of(link)?).send(context).await?.json()
    }

    /// All referrals of one engagement.
    pub(crate) async fn related(&self, engagement: &str, context: &CallContext) -> Result<Vec<Referral>, CallError> {
        let engagement = guid("engagement_id", engagement)?;
        let query = ListQuery { filter: Some(format!("engagementId eq '{engagement}'")), ..ListQuery::default() };
        Ok(self.search(&query, usize::MAX, context).await?.referrals)
    }
}

/// With the headers that every request to the API carries (Referrals API, headers; `Content-Type` also on GET).
fn headed(request: Request<'_>) -> Request<'_> {
    request
        .header("accept", "application/json")
        .header("content-type", "application/json")
        .header("client-request-id", Uuid::new_v4().to_string())
}
