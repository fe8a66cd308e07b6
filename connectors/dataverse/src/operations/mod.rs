//! What the connector can do, one file each.
//!
//! Reads: [`GetRow`], [`FindRow`], [`ListRows`], [`FetchRows`] (FetchXML), [`ListChanges`], [`GetMetadata`],
//! [`CallFunction`], [`WhoAmI`]. Writes of one row: [`CreateRow`], [`UpdateRow`], [`UpsertRow`], [`DeleteRow`],
//! [`AssociateRows`], [`DisassociateRows`]; of many: `bulk` ([`CreateRows`], [`UpdateRows`], [`UpsertRows`]) and
//! [`RunBatch`]; by actions: [`WinOpportunity`], [`LoseOpportunity`], [`QualifyLead`], [`CallAction`]; and
//! [`RegisterWebhook`].

mod bulk;
mod call;
mod close_opportunity;
mod create_row;
mod delete_row;
mod fetch_rows;
mod find_row;
mod get_metadata;
mod get_row;
mod list_changes;
mod list_rows;
mod qualify_lead;
mod register_webhook;
mod relate;
mod run_batch;
mod update_row;
mod upsert_row;
mod who_am_i;

pub use bulk::{
    CreateRows, CreateRowsInput, RowUpdate, RowUpsert, UpdateRows, UpdateRowsInput, UpsertRows, UpsertRowsInput,
    WrittenRows,
};
pub use call::{Answer, CallAction, CallActionInput, CallFunction, CallFunctionInput};
pub use close_opportunity::{LoseOpportunity, LoseOpportunityInput, WinOpportunity, WinOpportunityInput};
pub use create_row::{CreateRow, CreateRowInput};
pub use delete_row::{DeleteRow, DeleteRowInput, DeletedRow};
pub use fetch_rows::{FetchRows, FetchRowsInput};
pub use find_row::{FindRow, FindRowInput};
pub use get_metadata::{ChoiceMetadata, ColumnMetadata, GetMetadata, GetMetadataInput, TableMetadata};
pub use get_row::{GetRow, GetRowInput};
pub use list_changes::{Changes, ListChanges, ListChangesInput};
pub use list_rows::{ListRows, ListRowsInput, Rows};
pub use qualify_lead::{QualifiedLead, QualifyLead, QualifyLeadInput};
pub use register_webhook::{Message, RegisterWebhook, RegisterWebhookInput, RegisteredWebhook};
pub use relate::{AssociateRows, DisassociateRows, RelateInput, Related};
pub use run_batch::{BatchRun, BatchWrite, RunBatch, RunBatchInput};
pub use update_row::{UpdateRow, UpdateRowInput, UpdatedRow};
pub use upsert_row::{UpsertRow, UpsertRowInput, UpsertedRow};
pub use who_am_i::{WhoAmI, WhoAmIInput, WhoIAm};
