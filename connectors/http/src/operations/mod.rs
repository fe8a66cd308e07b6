//! What the connector can do, one file each. Reads: [`Get`], [`GetAll`]; the write: [`SendRequest`].

mod get;
mod get_all;
mod send_request;

pub use get::{Get, GetInput};
pub use get_all::{GetAll, GetAllInput, Items, NextPage};
pub use send_request::{SendRequest, SendRequestInput, WriteMethod};
