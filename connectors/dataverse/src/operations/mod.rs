//! What the connector can do, one file each. Reads: [`GetRow`], [`FindRow`], [`ListRows`], [`WhoAmI`]; writes:
//! [`CreateRow`], [`UpdateRow`], [`DeleteRow`], and closing an opportunity: [`WinOpportunity`], [`LoseOpportunity`].

mod close_opportunity;
mod create_row;
mod delete_row;
mod find_row;
mod get_row;
mod list_rows;
mod update_row;
mod who_am_i;

pub use close_opportunity::{LoseOpportunity, LoseOpportunityInput, WinOpportunity, WinOpportunityInput};
pub use create_row::{CreateRow, CreateRowInput};
pub use delete_row::{DeleteRow, DeleteRowInput, DeletedRow};
pub use find_row::{FindRow, FindRowInput};
pub use get_row::{GetRow, GetRowInput};
pub use list_rows::{ListRows, ListRowsInput, Rows};
pub use update_row::{UpdateRow, UpdateRowInput, UpdatedRow};
pub use who_am_i::{WhoAmI, WhoAmIInput, WhoIAm};
