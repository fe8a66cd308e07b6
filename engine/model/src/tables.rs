//! What a remote system says of its tables and columns, as plain data: what `cosell metadata pull` saves, and `cosell check`
//! holds flows and mappings against.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The tables of all connections.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Metadata {
    /// By connection, then by the name that flows use; nothing for a table that the system does not have.
    pub connections: BTreeMap<String, BTreeMap<String, Option<Table>>>,
}

/// A table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// Its logical name.
    pub logical_name: String,
    /// Its columns.
    pub columns: Vec<Column>,
}

/// A column.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// Its logical name.
    pub name: String,
    /// What people read for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// What it holds: `id`, `text`, `number`, `boolean`, `time`, `choice`, `lookup`, or a name of the system's own.
    pub kind: String,
    /// Whether a new row may be given a value.
    pub creatable: bool,
    /// Whether an existing row may.
    pub updatable: bool,
    /// Whether whoever makes a row has to give a value.
    #[serde(default)]
    pub required: bool,
    /// How long a text may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_length: Option<u32>,
    /// The values of a choice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<Choice>,
    /// The tables that a lookup may refer to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<String>,
}

/// A value of a choice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    /// The number stored.
    pub value: i64,
    /// What people read for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

impl Table {
    /// The column of this name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}
