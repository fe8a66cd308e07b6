//! Reading outside any run, for commands that must know what to run: as patient as a step is.

use cosell_model::Value;
use cosell_sdk::{CallContext, CallError, Meaning};
use uuid::Uuid;

use crate::core::retry;
use crate::memory::{Engine, unknown_connection};
use crate::record::Observer;

impl Engine {
    /// Calls an operation that only reads, and repeats it as the default for retries says. `observer` learns of each wait.
    ///
    /// # Errors
    /// What the last attempt met; `unknown_connection` where there is none of this name.
    pub async fn read(
        &self,
        connection: &str,
        operation: &str,
        input: Value,
        observer: &dyn Observer,
    ) -> Result<Value, CallError> {
        let Some(gate) = self.gate(connection) else { return Err(unknown_connection(connection)) };
        let id = Uuid::now_v7();
        let name = id.to_string();
        let mut attempt = 1;
        loop {
            let context = CallContext::new(id, false).reading_only();
            let error = match gate.call(operation, input.clone(), context, observer).await {
                Ok(output) => return Ok(output),
                Err(error) => error,
            };
            let asked = match error.meaning {
                Meaning::Retry { after } => after,
                Meaning::OutcomeUnknown => None,
                Meaning::SignIn | Meaning::Conflict | Meaning::Rejected => return Err(error),
            };
            if attempt > self.default_retry().count {
                return Err(error);
            }
            let after = retry::wait(self.default_retry(), attempt, retry::seed(&[&name, operation]), asked);
            attempt += 1;
            observer.retrying(&name, 0, operation, attempt, after, &error.to_string());
            tokio::time::sleep(after).await;
        }
    }
}
