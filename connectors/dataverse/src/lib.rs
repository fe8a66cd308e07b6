//! Dataverse rows: the connector `dataverse`, for Dynamics 365 and whatever else keeps its data in Dataverse.
//!
//! Flows name tables and columns by their logical names and need to know nothing of the Web API's wire names: the
//! connector reads the tables' metadata and turns lookups, choices and filters into what the Web API takes, and back.
//!
//! Read in this order: [`connection`] (settings, and how requests are made), [`metadata`] (what a table is), [`row`]
//! (rows as flows see them), [`values`] (values as the Web API takes them), [`operations`], [`row_changed`] (the
//! trigger).

pub mod connection;
pub mod metadata;
pub mod operations;
pub mod row;
pub mod row_changed;
#[cfg(test)]
mod testing;
pub mod values;

use cosell_sdk::Connector;

pub use connection::{Dataverse, Settings};
pub use row::Row;

/// The connector, with all it offers.
pub fn connector() -> Connector {
    Connector::new::<Dataverse>(
        "dataverse",
        "Dataverse",
        "Microsoft Dataverse, by its Web API: Dynamics 365 Sales and more.",
    )
    .operation::<operations::GetRow>()
    .operation::<operations::FindRow>()
    .operation::<operations::ListRows>()
    .operation::<operations::CreateRow>()
    .operation::<operations::UpdateRow>()
    .operation::<operations::DeleteRow>()
    .operation::<operations::WinOpportunity>()
    .operation::<operations::LoseOpportunity>()
    .operation::<operations::WhoAmI>()
    .poll::<row_changed::RowChanged>()
    .build()
}
