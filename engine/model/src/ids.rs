//! Names, each a type of its own, so that a flow's name is never taken for a step's.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Defines a cheap-to-clone name.
macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes `text` as it stands; reading a file checks its form first.
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

name! {
    /// A flow's name: lower-case words joined by hyphens, such as `partner-center-to-dynamics`.
    FlowId
}

name! {
    /// A step's name, unique in its flow: a lower-case identifier, such as `new_opportunity`.
    StepId
}

name! {
    /// The name of what starts a flow, unique in its flow: `dataverse.row_changed`.
    SourceName
}

/// `connector.operation`, or `connector.trigger`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OperationName {
    /// The connector's name.
    pub connector: Arc<str>,
    /// The operation's name within it.
    pub operation: Arc<str>,
}

impl OperationName {
    /// Splits `text` at its only dot; `None` where there is not exactly one, or nothing beside it.
    pub fn parse(text: &str) -> Option<Self> {
        let (connector, operation) = text.split_once('.')?;
        (is_identifier(connector) && is_identifier(operation))
            .then(|| Self { connector: connector.into(), operation: operation.into() })
    }
}

impl fmt::Display for OperationName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.connector, self.operation)
    }
}

/// Whether `text` can be a step, variable, input or connector name: a lower-case letter, then letters, digits and `_`.
pub fn is_identifier(text: &str) -> bool {
    is_name(text, '_')
}

/// Whether `text` can be a flow or mapping name: a lower-case letter, then letters, digits and `-`.
pub fn is_kebab(text: &str) -> bool {
    is_name(text, '-')
}

fn is_name(text: &str, joint: char) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == joint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_name_has_exactly_one_dot_between_two_identifiers() {
        assert_eq!(
            OperationName::parse("dataverse.get_row").map(|n| n.to_string()).as_deref(),
            Some("dataverse.get_row")
        );
        for wrong in ["dataverse", "dataverse.", ".get", "a.b.c", "A.b", "a b.c", ""] {
            assert_eq!(OperationName::parse(wrong), None, "{wrong}");
        }
    }
}
