//! Metadata is kept for a while, and read once however many calls want it at the same time.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use cosell_sdk::http::{Client, Request};
use cosell_sdk::{CallContext, CallError};
use serde::Deserialize;
use serde_json::Value;

use super::{Head, Said, Table, load};

/// How long metadata is kept. A column made in the meantime is known after this at the latest.
const KEPT_FOR: Duration = Duration::from_secs(15 * 60);

type Slot<T> = Arc<tokio::sync::Mutex<Option<(Instant, Arc<T>)>>>;

/// The tables of one environment.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    /// By whatever name was used.
    heads: Kept<Head>,
    /// By logical name.
    tables: Kept<Table>,
    /// How long texts may be, by logical name: read only where it is asked for.
    lengths: Kept<BTreeMap<String, usize>>,
    /// What is said of columns to people, likewise.
    said: Kept<BTreeMap<String, Said>>,
    /// By address. What was read of a table stays when another part of it could not be read, so that the next attempt
    /// goes on where this one stopped; a table that is complete leaves nothing here.
    parts: Kept<Vec<Value>>,
}

impl Tables {
    pub(crate) async fn head(
        &self,
        client: &Client,
        name: &str,
        context: &CallContext,
    ) -> Result<Arc<Head>, CallError> {
        self.heads.get(name, load::head(client, name, context)).await
    }

    pub(crate) async fn table(
        &self,
        client: &Client,
        name: &str,
        context: &CallContext,
    ) -> Result<Arc<Table>, CallError> {
        let head = self.head(client, name, context).await?;
        let load = async {
            let part = |address: String, request| self.part(address, request, context);
            let table = load::table(client, &head, part).await?;
            self.parts.forget(|address| address.starts_with(&load::definition(&head)));
            Ok(table)
        };
        self.tables.get(&head.logical_name, load).await
    }

    pub(crate) async fn lengths(
        &self,
        client: &Client,
        head: &Head,
        context: &CallContext,
    ) -> Result<Arc<BTreeMap<String, usize>>, CallError> {
        self.lengths.get(&head.logical_name, load::lengths(client, head, context)).await
    }

    pub(crate) async fn said(
        &self,
        client: &Client,
        head: &Head,
        context: &CallContext,
    ) -> Result<Arc<BTreeMap<String, Said>>, CallError> {
        self.said.get(&head.logical_name, load::said(client, head, context)).await
    }

    async fn part(
        &self,
        address: String,
        request: Request<'_>,
        context: &CallContext,
    ) -> Result<Arc<Vec<Value>>, CallError> {
        let load = async {
            let all: All = request.send(context).await?.json()?;
            Ok(all.value)
        };
        self.parts.get(&address, load).await
    }
}

/// A list, as metadata addresses answer it.
#[derive(Deserialize)]
struct All {
    value: Vec<Value>,
}

#[derive(Debug)]
struct Kept<T>(Mutex<HashMap<String, Slot<T>>>);

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Kept<T> {
    /// What is kept under `name`, or what `load` gives; others who want the same wait for it.
    async fn get(&self, name: &str, load: impl Future<Output = Result<T, CallError>>) -> Result<Arc<T>, CallError> {
        let slot =
            Arc::clone(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(name.to_owned()).or_default());
        let mut slot = slot.lock().await;
        if let Some((at, kept)) = &*slot
            && at.elapsed() < KEPT_FOR
        {
            return Ok(Arc::clone(kept));
        }
        let loaded = Arc::new(load.await?);
        *slot = Some((Instant::now(), Arc::clone(&loaded)));
        Ok(loaded)
    }

    fn forget(&self, which: impl Fn(&str) -> bool) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|name, _| !which(name));
    }
}
