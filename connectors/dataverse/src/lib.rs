//! Dataverse rows: the connector `dataverse`, for Dynamics 365 and whatever else keeps its data in Dataverse.
//!
//! Flows name tables and columns by their logical names and need to know nothing of the Web API's wire names: the
//! connector reads the tables' metadata and turns lookups, choices and filters into what the Web API takes, and back.
//!
//! Read in this order: [`connection`] (settings, and how requests are made), [`metadata`] (what a table is), [`row`]
//! (rows as flows see them), [`values`] (values as the Web API takes them), `search`, [`operations`], and the two triggers:
//! [`row_changed`] asks, [`row_saved`] is called.

pub mod connection;
#[cfg(test)]
mod contract;
mod foresee;
pub mod metadata;
pub mod operations;
mod preview;
pub mod row;
pub mod row_changed;
pub mod row_saved;
mod search;
#[cfg(test)]
mod testing;
pub mod values;

use std::time::Duration;

use cosell_sdk::{Connector, Limits};

pub use connection::{Dataverse, Settings};
pub use row::Row;

/// The connector, with all it offers.
pub fn connector() -> Connector {
    Connector::new::<Dataverse>(
        "dataverse",
        "Dataverse",
        "Microsoft Dataverse, by its Web API: Dynamics 365 Sales and more.",
    )
    // Service protection limits: 6000 requests in five minutes, 52 at once (Dataverse developer guide).
    .limits(Limits::at_once(52).and(6000, Duration::from_secs(300)))
    .operation::<operations::GetRow>()
    .operation::<operations::FindRow>()
    .operation::<operations::ListRows>()
    .operation::<operations::FetchRows>()
    .operation::<operations::ListChanges>()
    .operation::<operations::GetMetadata>()
    .operation::<operations::CallFunction>()
    .operation::<operations::WhoAmI>()
    .write::<operations::CreateRow>()
    .write::<operations::UpdateRow>()
    .write::<operations::UpsertRow>()
    .write::<operations::DeleteRow>()
    .write::<operations::AssociateRows>()
    .write::<operations::DisassociateRows>()
    .write::<operations::CreateRows>()
    .write::<operations::UpdateRows>()
    .write::<operations::UpsertRows>()
    .write::<operations::RunBatch>()
    .write::<operations::WinOpportunity>()
    .write::<operations::LoseOpportunity>()
    .write::<operations::QualifyLead>()
    .write::<operations::CallAction>()
    .write::<operations::RegisterWebhook>()
    .poll::<row_changed::RowChanged>()
    .webhook::<row_saved::RowSaved>()
    .build()
}
