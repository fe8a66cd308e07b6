//! Web hooks: writes that call out ("Use webhooks to create external handlers for server events"). A row of
//! `sdkmessageprocessingstep` says for which message and table, one of `serviceendpoint` where to.
//!
//! To be read in this order: this file (which step a write calls), `context` (what is sent), `deliver` (how). Steps are
//! asynchronous and run after the write; the sandbox does not take others.

mod context;
mod deliver;

use serde_json::Value;
use uuid::Uuid;

pub(super) use self::deliver::{client, deliver};
use super::cell::Cell;
use super::errors::{Answer, INVALID_ARGUMENT, Refusal};
use super::schema::Table;
use super::store::{Row, Store, Touched};

/// Tables whose writes call nothing: they are the machinery itself.
const SILENT: [&str; 6] = [
    "serviceendpoint",
    "sdkmessage",
    "sdkmessagefilter",
    "sdkmessageprocessingstep",
    "sdkmessageprocessingstepimage",
    "asyncoperation",
];

/// Who wrote, for the receiver to tell its own writes from others.
#[derive(Clone, Debug)]
pub(super) struct Acting {
    /// Whose name the write bears.
    pub(super) user: Uuid,
    /// Who called, which differs from `user` under impersonation.
    pub(super) initiating: Uuid,
    /// When.
    pub(super) now: jiff::Timestamp,
    /// Host of the organisation.
    pub(super) host: String,
    /// Id of the organisation.
    pub(super) organisation: Uuid,
    /// Id of its business unit.
    pub(super) business_unit: Uuid,
    /// One for all calls of a request.
    pub(super) correlation: Uuid,
}

/// A call to make.
#[derive(Debug)]
pub(super) struct Job {
    /// The step that asks for it.
    pub(super) step: Uuid,
    /// Name of the step.
    pub(super) name: String,
    /// No row tells of it once it has succeeded.
    pub(super) auto_delete: bool,
    /// Address of the receiver, with the authentication that belongs there.
    pub(super) url: String,
    /// Headers, with the authentication that belongs there.
    pub(super) headers: Vec<(String, String)>,
    /// Logical name of the row's table.
    pub(super) table: String,
    /// Message.
    pub(super) message: &'static str,
    /// What is sent.
    pub(super) body: Value,
}

/// Checks a row of the registration tables before it is written.
pub(super) fn check(table: &Table, row: &Row) -> Answer<()> {
    match table.logical.as_str() {
        "serviceendpoint" => {
            if row.integer("contract") != Some(8) {
                return Err(Refusal::outside("service end points other than web hooks (contract 8)"));
            }
            let url = row.text("url").and_then(|url| url::Url::parse(url).ok());
            if !url.is_some_and(|url| matches!(url.scheme(), "http" | "https")) {
                let message = "A web hook needs an absolute address of http or https in 'url'.";
                return Err(Refusal::bad(INVALID_ARGUMENT, message));
            }
            deliver::authentication(row).map(|_| ())
        }
        "sdkmessageprocessingstep" => {
            if row.integer("mode") != Some(1) || row.integer("stage") != Some(40) {
                return Err(Refusal::outside(
                    "steps other than asynchronous ones after the operation (mode 1, stage 40)",
                ));
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// The calls that the writes of a transaction make, in the order of the writes, then of rank.
pub(super) fn jobs(store: &Store, touched: &[Touched], acting: &Acting) -> Vec<Job> {
    let Some(steps) = store.schema().table("sdkmessageprocessingstep") else {
        return Vec::new();
    };
    if store.rows(steps).next().is_none() {
        return Vec::new();
    }
    let mut enabled: Vec<&Row> = store.rows(steps).filter(|row| row.integer("statecode") == Some(0)).collect();
    enabled.sort_by_key(|row| row.integer("rank"));
    let writes = touched.iter().filter(|touched| !SILENT.contains(&touched.table.logical.as_str()));
    writes.flat_map(|write| enabled.iter().filter_map(|step| job(store, step, write, acting))).collect()
}

fn job(store: &Store, step: &Row, write: &Touched, acting: &Acting) -> Option<Job> {
    let message = match (&write.before, &write.after) {
        (None, Some(_)) => "Create",
        (Some(_), Some(_)) => "Update",
        (Some(_), None) => "Delete",
        (None, None) => return None,
    };
    let text = |column: &str, name: &str| {
        let (_, row) = store.follow(step.reference(column)?)?;
        row.text(name).map(str::to_owned)
    };
    if text("sdkmessageid", "name")? != message {
        return None;
    }
    let table = text("sdkmessagefilterid", "primaryobjecttypecode");
    if table.is_some_and(|table| table != "none" && table != write.table.logical) {
        return None;
    }
    if message == "Update"
        && let Some(filter) = step.text("filteringattributes")
    {
        let changed = changed(write);
        if !filter.split(',').any(|name| changed.contains(&name.trim())) {
            return None;
        }
    }
    let (_, endpoint) = store.follow(step.reference("eventhandler")?)?;
    // What cannot be read now was refused when it was registered.
    let authentication = deliver::authentication(endpoint).ok()?;
    Some(Job {
        step: step.id,
        name: step.text("name").unwrap_or_default().to_owned(),
        auto_delete: step.cells.get("asyncautodelete") == Some(&Cell::Bool(true)),
        url: authentication.address(endpoint.text("url")?),
        headers: authentication.headers(),
        table: write.table.logical.clone(),
        message,
        body: context::body(store, step, write, message, acting),
    })
}

/// The columns that a write changed, apart from those that change with every write.
fn changed(write: &Touched) -> Vec<&'static str> {
    let (Some(before), Some(after)) = (&write.before, &write.after) else {
        return Vec::new();
    };
    let names = before.cells.keys().chain(after.cells.keys().filter(|name| !before.cells.contains_key(*name)));
    names.copied().filter(|name| *name != "versionnumber" && before.cells.get(name) != after.cells.get(name)).collect()
}
