//! Scopes with keys: their bodies never overlap with those of other scopes that have a key in common, in any run.
//!
//! The core only says which keys a scope asks for and when it needs them no more; who gets them is up to the driver, which
//! knows all runs.

use cosell_compile::expr::template::Template;
use cosell_compile::plan::{Action, BlockIx};
use cosell_model::{Failure, Value};

use super::advance::Turn;
use super::event::{Address, Command};
use super::state::Status;

impl Turn<'_> {
    /// Begins a scope: at once, or when it has its keys.
    pub(crate) fn begin_scope(&mut self, at: Address, key: Option<&Template>, body: BlockIx) -> Result<(), Failure> {
        let keys = match key {
            Some(key) => keys(self.render(key, at)?)?,
            None => Vec::new(),
        };
        if keys.is_empty() {
            self.begin_block(at, body);
            return Ok(());
        }
        let slot = self.state.slot_mut(self.plan, at);
        slot.status = Status::Acquiring;
        slot.keyed = true;
        self.out.commands.push(Command::Acquire { step: at, keys });
        Ok(())
    }

    /// A scope has its keys, unless it ended while it waited for them.
    pub(crate) fn acquired(&mut self, at: Address) {
        let waits = self.state.live_slot(self.plan, at).is_some_and(|slot| slot.status == Status::Acquiring);
        if let (true, Action::Scope { body, .. }) = (waits, &self.plan.step(at.step).action) {
            self.state.slot_mut(self.plan, at).status = Status::Running;
            self.begin_block(at, *body);
        }
    }
}

/// The keys that a value names, sorted, each once: one key, or a list in which null stands for none.
fn keys(value: Value) -> Result<Vec<String>, Failure> {
    let named = match value {
        Value::Array(items) => items,
        one => vec![one],
    };
    let mut keys = Vec::new();
    for value in named {
        match value {
            Value::Null => {}
            Value::String(text) => keys.push(text),
            Value::Number(number) => keys.push(match number.as_f64().filter(|_| number.is_f64()) {
                // As text is written everywhere else: 5.0 is the key `5`.
                Some(broken) => broken.to_string(),
                None => number.to_string(),
            }),
            other => {
                let message =
                    format!("a key of a scope is text or a number, and this is {other}; null stands for none");
                return Err(Failure::new("not_a_key", message));
            }
        }
    }
    keys.sort_unstable();
    keys.dedup();
    Ok(keys)
}
