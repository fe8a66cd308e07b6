//! Refusals, with the codes and texts of the Web API ("Compose HTTP requests and handle errors", and the table of
//! web service error codes).

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use uuid::Uuid;

use super::schema::{Column, Table};

/// The request as a whole does not read as OData.
pub(super) const BAD_REQUEST: &str = "0x80060888";
/// The payload does not fit the model.
pub(super) const BAD_PAYLOAD: &str = "0x80048d19";
/// InvalidArgument.
pub(super) const INVALID_ARGUMENT: &str = "0x80040203";

/// Why a request is not done.
#[derive(Debug)]
pub(super) struct Refusal {
    /// HTTP status.
    pub(super) status: StatusCode,
    /// Code in hexadecimal, as bodies carry it.
    pub(super) code: &'static str,
    /// Text for people.
    pub(super) message: String,
}

/// What a part of the stand-in gives, or why it refuses.
pub(super) type Answer<T> = Result<T, Refusal>;

impl Refusal {
    /// A refusal with status 400.
    pub(super) fn bad(code: &'static str, message: impl Into<String>) -> Refusal {
        Refusal { status: StatusCode::BAD_REQUEST, code, message: message.into() }
    }

    /// The real service can do this, the sandbox cannot: said plainly rather than answered wrongly.
    pub(super) fn outside(what: impl std::fmt::Display) -> Refusal {
        let message = format!("Not in the sandbox: {what}");
        Refusal { status: StatusCode::NOT_IMPLEMENTED, code: BAD_REQUEST, message }
    }

    /// ObjectDoesNotExist.
    pub(super) fn missing_row(table: &Table, id: Uuid) -> Refusal {
        let message = format!("{} With Id = {id} Does Not Exist", table.logical);
        Refusal { status: StatusCode::NOT_FOUND, code: "0x80040217", message }
    }

    /// RecordNotFoundByEntityKey.
    pub(super) fn missing_key(table: &Table) -> Refusal {
        let message = format!("A record with the specified key values does not exist in {} entity", table.logical);
        Refusal { status: StatusCode::NOT_FOUND, code: "0x80060891", message }
    }

    /// The address names nothing.
    pub(super) fn missing_segment(segment: &str) -> Refusal {
        let message = format!("Resource not found for the segment '{segment}'.");
        Refusal { status: StatusCode::NOT_FOUND, code: "0x8006088a", message }
    }

    /// DuplicateRecord.
    pub(super) fn duplicate() -> Refusal {
        let message = "A record with matching key values already exists.".to_owned();
        Refusal { status: StatusCode::PRECONDITION_FAILED, code: "0x80040237", message }
    }

    /// DuplicateRecordEntityKey.
    pub(super) fn duplicate_key(key: &str) -> Refusal {
        let message = format!(
            "Entity Key {key} violated. A record with the same value for the key already exists. A duplicate record cannot \
             be created. Select one or more unique values and try again."
        );
        Refusal { status: StatusCode::PRECONDITION_FAILED, code: "0x80060892", message }
    }

    /// ConcurrencyVersionMismatch.
    pub(super) fn stale() -> Refusal {
        let message = "The version of the existing record doesn't match the RowVersion property provided.".to_owned();
        Refusal { status: StatusCode::PRECONDITION_FAILED, code: "0x80060882", message }
    }

    /// The relationship restricts the deletion.
    pub(super) fn restricted(table: &Table, other: &Table) -> Refusal {
        let message = format!(
            "The {} cannot be deleted because rows of {} refer to it; delete those first.",
            table.logical, other.logical
        );
        Refusal::bad("0x80040227", message)
    }

    /// A method that the addressed resource does not have.
    pub(super) fn method() -> Refusal {
        let message = "The requested resource does not support http method.".to_owned();
        Refusal { status: StatusCode::METHOD_NOT_ALLOWED, code: "0x0", message }
    }

    /// A payload that the OData reader turns down, wrapped as the Web API wraps it.
    pub(super) fn payload(table: &Table, inner: impl std::fmt::Display) -> Refusal {
        Refusal::bad(
            BAD_PAYLOAD,
            format!(
                "Error identified in Payload provided by the user for Entity :'{}', For more information on this error please \
                 follow this help link https://go.microsoft.com/fwlink/?linkid=2195293  ---->  InnerException : {inner}",
                table.set
            ),
        )
    }

    /// A name in a query that the table does not have.
    pub(super) fn unknown_property(table: &Table, name: &str) -> Refusal {
        let message =
            format!("Could not find a property named '{name}' on type 'Microsoft.Dynamics.CRM.{}'.", table.logical);
        Refusal::bad(BAD_REQUEST, message)
    }

    /// A value outside the range of a number column; `low` tells which end.
    pub(super) fn out_of_range(table: &Table, column: &Column, low: bool, limits: (f64, f64)) -> Refusal {
        Refusal::bad(
            if low { "0x80044330" } else { "0x8004432f" },
            format!(
                "A validation error occurred. The value of '{}' on record of type '{}' is outside the valid range. Accepted \
                 values: {} to {}.",
                column.logical, table.logical, limits.0, limits.1
            ),
        )
    }

    /// The body of the answer.
    pub(super) fn body(&self) -> Value {
        json!({ "error": { "code": self.code, "message": self.message } })
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, Json(self.body())).into_response()
    }
}
