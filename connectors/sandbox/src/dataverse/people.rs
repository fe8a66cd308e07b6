//! People who work in the CRM without the Web API: sellers with its forms, administrators with its designer.

use axum::http::{Method, Request, header};
use bytes::Bytes;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::call::Prefer;
use super::errors::{self, Answer, Refusal};
use super::payload::{self, Purpose};
use super::schema::{Required, Table};
use super::store::Store;
use super::users::user_named;
use super::write::{self, Writer};
use super::{Dataverse, address, query, route, show};
use crate::core::log::Change;

impl Dataverse {
    /// Creates a row of entity set `set` as `user`, by full name, would in the CRM, and gives its id.
    ///
    /// # Errors
    ///
    /// The error body the Web API would answer with.
    pub(crate) fn create_as(&self, user: &str, set: &str, body: Value) -> Result<(Uuid, Vec<Change>), Value> {
        self.work_as(user, set, body, |store, writer, table, body| {
            let values = payload::read(store, &self.base(), table, body, Purpose::Create)?;
            write::create(store, writer, table, values, None)
        })
    }

    /// Changes the row `id` of entity set `set` as `user`, by full name, would in the CRM.
    ///
    /// # Errors
    ///
    /// The error body the Web API would answer with.
    pub(crate) fn update_as(&self, user: &str, set: &str, id: Uuid, body: Value) -> Result<Vec<Change>, Value> {
        let done = self.work_as(user, set, body, |store, writer, table, body| {
            let values = payload::read(store, &self.base(), table, body, Purpose::Update)?;
            write::update(store, writer, table, id, values)
        });
        done.map(|((), changes)| changes)
    }

    /// All rows of entity set `set` with all columns, as the Web API shows them; none where there is no such set.
    pub(crate) fn rows(&self, set: &str) -> Vec<Value> {
        let store = self.lock();
        let Some(table) = store.schema().table_of_set(set) else {
            return Vec::new();
        };
        let (view, prefer) = (query::View::default(), Prefer::default());
        store.rows(table).map(|row| Value::Object(show::row(&store, table, row, &view, &prefer))).collect()
    }

    fn work_as<T>(
        &self,
        user: &str,
        set: &str,
        body: Value,
        work: impl FnOnce(&mut Store, Writer, &'static Table, &Map<String, Value>) -> Answer<T>,
    ) -> Result<(T, Vec<Change>), Value> {
        self.as_person(user, |store, writer| {
            let table = address::table(store.schema(), set)?;
            let Value::Object(body) = &body else {
                return Err(Refusal::bad(errors::BAD_PAYLOAD, "The payload is not a JSON object."));
            };
            work(store, writer, table, body)
        })
    }

    /// Defines what `body` says at `path` of the metadata API, as an administrator would in the designer.
    ///
    /// # Errors
    ///
    /// The error body the Web API would answer with.
    pub(crate) fn define_as(&self, user: &str, path: &str, body: Bytes) -> Result<Vec<Change>, Value> {
        const ROOTS: [&str; 3] = ["EntityDefinitions", "RelationshipDefinitions", "GlobalOptionSetDefinitions"];
        self.as_person(user, |store, writer| {
            if !ROOTS.iter().any(|root| path.starts_with(root)) {
                return Err(Refusal::outside(format!(
                    "'{path}' as a definition; expected one of {}",
                    ROOTS.join(", ")
                )));
            }
            let request = Request::builder().method(Method::POST).uri(format!("/api/data/v9.2/{path}"));
            let request = request.header(header::CONTENT_TYPE, "application/json").body(());
            let (parts, ()) = request.map_err(|_| Refusal::missing_segment(path))?.into_parts();
            let call = self.call(writer.user, writer.now, parts, body)?;
            route::serve(store, &call).map(|_| ())
        })
        .map(|((), changes)| changes)
    }

    /// Refuses rows of table `table`, by logical name, that have no value in `column`, as a plug-in of the organisation
    /// would: what a form insists on, the Web API does not.
    ///
    /// # Errors
    ///
    /// The error body the Web API would answer with.
    pub(crate) fn require(&self, user: &str, table: &str, column: &str) -> Result<Vec<Change>, Value> {
        self.as_person(user, |store, _| {
            let known = store.schema().table(table).ok_or_else(|| Refusal::outside(format!("the table '{table}'")))?;
            let mut changed = known.clone();
            let place = changed.columns.iter_mut().find(|known| known.logical == column);
            place.ok_or_else(|| Refusal::missing_segment(column))?.required = Required::Always;
            store.schema_mut().put_table(changed);
            Ok(())
        })
        .map(|((), changes)| changes)
    }

    fn as_person<T>(
        &self,
        user: &str,
        work: impl FnOnce(&mut Store, Writer) -> Answer<T>,
    ) -> Result<(T, Vec<Change>), Value> {
        let mut store = self.lock();
        let now = self.clock.now();
        let acting = user_named(&mut store, user, now).map(|user| self.acting(user, user, now));
        let acting = acting.map_err(|refusal| refusal.body())?;
        store.commit();
        let outcome = work(&mut store, Writer { user: acting.user, now });
        self.finish(&mut store, outcome, &acting).map_err(|refusal| refusal.body())
    }
}
