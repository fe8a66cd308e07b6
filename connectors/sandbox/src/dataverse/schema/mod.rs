//! The tables as data. Read this file for what a table and a column are, `build` for the short forms that write them,
//! then one file per family: `sales`, `customers`, `system`, `partner_center`.
//!
//! Names, lengths, ranges and choices come from the public table reference of Dataverse and Dynamics 365 Sales; the
//! columns that the Partner Center solution adds carry the names seen in exports of it.

mod build;
mod customers;
mod hooks;
mod organisation;
mod partner_center;
mod sales;
mod system;

use std::sync::LazyLock;

pub(super) use build::{ACTIVE_INACTIVE, column as new_column, table as new_table};
pub(super) use organisation::{GlobalChoice, Link, Schema, keep_options, keep_text};

/// Choice values with their labels.
pub(super) type Options = &'static [(i64, &'static str)];

/// A table of the organisation.
#[derive(Clone, Debug)]
pub(super) struct Table {
    /// Logical name, such as `opportunity`.
    pub(super) logical: String,
    /// Schema name, such as `Opportunity`.
    pub(super) schema: &'static str,
    /// What people call one row, such as `Opportunity`.
    pub(super) display: String,
    /// What people call several rows.
    pub(super) display_plural: String,
    /// What the table is for; may be empty.
    pub(super) description: String,
    /// Name of the entity set in addresses, such as `opportunities`.
    pub(super) set: &'static str,
    /// Column that holds the row's id.
    pub(super) primary_id: String,
    /// Column that names a row to people.
    pub(super) primary_name: &'static str,
    /// `ObjectTypeCode` of the metadata.
    pub(super) type_code: i64,
    /// States with their statuses; the first status of each is its default. Empty for a table without states.
    pub(super) states: &'static [State],
    /// True where a row outside its first state refuses edits.
    pub(super) locks_when_closed: bool,
    /// Alternate keys.
    pub(super) keys: Vec<Key>,
    /// All columns, in the order rows show them.
    pub(super) columns: Vec<Column>,
}

/// A state and the statuses that belong to it.
#[derive(Clone, Debug)]
pub(super) struct State {
    /// Value of `statecode`.
    pub(super) value: i64,
    /// Label of the state.
    pub(super) label: &'static str,
    /// Values and labels of `statuscode`.
    pub(super) statuses: Options,
}

/// An alternate key.
#[derive(Clone, Debug)]
pub(super) struct Key {
    /// Schema name of the key; its logical name is the same in lower case.
    pub(super) name: &'static str,
    /// What people call it.
    pub(super) display: String,
    /// Columns that together name one row.
    pub(super) columns: &'static [&'static str],
}

/// A column of a table.
#[derive(Clone, Debug)]
pub(super) struct Column {
    /// Logical name: the schema name in lower case.
    pub(super) logical: String,
    /// Schema name, such as `EstimatedValue` or `msft_Opportunity`.
    pub(super) schema: String,
    /// What people call it.
    pub(super) display: String,
    /// What it holds.
    pub(super) kind: Kind,
    /// Whether a value must be present.
    pub(super) required: Required,
    /// May be given when a row is created.
    pub(super) create: bool,
    /// May be given when a row is changed.
    pub(super) update: bool,
    /// Shown when a row is read.
    pub(super) read: bool,
}

/// How much a column insists on a value (`RequiredLevel`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Required {
    /// Not at all.
    No,
    /// Forms suggest it.
    Recommended,
    /// Forms insist, the API does not.
    OnForms,
    /// The API refuses a row without it.
    Always,
    /// The platform fills it.
    System,
}

/// The type of a column.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    /// The row's own id.
    PrimaryKey,
    /// One line of text, at most `max` characters; `format` is the `FormatName` of the metadata.
    Text { max: usize, format: &'static str },
    /// Several lines of text, at most `max` characters.
    Memo { max: usize },
    /// A whole number in a range, inclusive.
    Integer { min: i64, max: i64 },
    /// The row version.
    Version,
    /// An amount in the row's currency.
    Money { min: f64, max: f64, precision: u32 },
    /// A fixed-point number.
    Decimal { min: f64, max: f64, precision: u32 },
    /// A floating-point number.
    Double { min: f64, max: f64, precision: u32 },
    /// Yes or no.
    Boolean { default: bool },
    /// One of several values.
    Choice(Options),
    /// Any of several values; on the wire one text of numbers with commas.
    Choices(Options),
    /// `statecode`.
    State,
    /// `statuscode`.
    Status,
    /// A day without a time.
    Date,
    /// An instant.
    DateTime,
    /// An id that names no row of the organisation.
    Guid,
    /// A row of another table.
    Lookup(Vec<Target>),
}

/// One table that a lookup may point at.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// Logical name of the table.
    pub(super) table: &'static str,
    /// Single-valued navigation property of the table that holds the lookup.
    pub(super) navigation: String,
    /// Collection-valued navigation property of the target, where the sandbox serves it.
    pub(super) collection: Option<&'static str>,
    /// Schema name of the relationship.
    pub(super) relationship: String,
    /// What becomes of a row when the one it points at is deleted.
    pub(super) on_delete: OnDelete,
}

/// `CascadeConfiguration.Delete` of a relationship.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum OnDelete {
    /// The lookup is cleared (`RemoveLink`).
    Clear,
    /// The row is deleted too (`Cascade`).
    Cascade,
    /// The deletion is refused while there is such a row (`Restrict`).
    Restrict,
}

impl Table {
    /// The column with logical name `name`.
    pub(super) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.logical == name)
    }

    /// The column that addresses and bodies call `name`: its logical name, `_x_value` for a lookup.
    pub(super) fn property(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.property() == name)
    }

    /// The lookup column and target behind the single-valued navigation property `name`.
    pub(super) fn navigation(&self, name: &str) -> Option<(&Column, &Target)> {
        self.columns.iter().find_map(|column| {
            let target = column.targets().iter().find(|target| target.navigation == name)?;
            Some((column, target))
        })
    }

    /// The state with value `value`.
    pub(super) fn state(&self, value: i64) -> Option<&State> {
        self.states.iter().find(|state| state.value == value)
    }

    /// True where the columns hold money, so that rows carry an exchange rate.
    pub(super) fn has_money(&self) -> bool {
        self.columns.iter().any(|column| matches!(column.kind, Kind::Money { .. }))
    }

    /// True for a table that a solution added: its names have a publisher's prefix.
    pub(super) fn custom(&self) -> bool {
        self.logical.contains('_')
    }
}

impl Column {
    /// The name of the column in rows, `$select` and `$filter`.
    pub(super) fn property(&self) -> String {
        match self.kind {
            Kind::Lookup(_) => format!("_{}_value", self.logical),
            _ => self.logical.clone(),
        }
    }

    /// Tables a lookup may point at; empty for other columns.
    pub(super) fn targets(&self) -> &[Target] {
        match &self.kind {
            Kind::Lookup(targets) => targets,
            _ => &[],
        }
    }

    /// Name of the Edm type, as the messages of the Web API show it.
    pub(super) fn edm(&self) -> &'static str {
        match self.kind {
            Kind::PrimaryKey | Kind::Guid | Kind::Lookup(_) => "Edm.Guid",
            Kind::Text { .. } | Kind::Memo { .. } | Kind::Choices(_) => "Edm.String",
            Kind::Integer { .. } | Kind::Choice(_) | Kind::State | Kind::Status => "Edm.Int32",
            Kind::Version => "Edm.Int64",
            Kind::Money { .. } | Kind::Decimal { .. } => "Edm.Decimal",
            Kind::Double { .. } => "Edm.Double",
            Kind::Boolean { .. } => "Edm.Boolean",
            Kind::Date => "Edm.Date",
            Kind::DateTime => "Edm.DateTimeOffset",
        }
    }

    /// True for a column of a standard table that a solution added.
    pub(super) fn custom(&self) -> bool {
        self.schema.contains('_') && !self.schema.starts_with("Address1_") && !self.schema.ends_with("_Base")
    }
}

/// The tables that every organisation starts with.
fn standard() -> &'static [Table] {
    static TABLES: LazyLock<Vec<Table>> = LazyLock::new(|| {
        let mut tables = sales::tables();
        tables.extend(customers::tables());
        tables.extend(system::tables());
        tables.extend(hooks::tables());
        tables.extend(partner_center::tables());
        tables
    });
    &TABLES
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_unique_and_every_primary_name_exists() {
        let mut sets = HashSet::new();
        for table in standard() {
            assert!(sets.insert(table.set), "{} is there twice", table.set);
            assert!(table.column(table.primary_name).is_some(), "{} has no {}", table.logical, table.primary_name);
            let mut names = HashSet::new();
            for column in &table.columns {
                assert!(names.insert(&column.logical), "{}.{} is there twice", table.logical, column.logical);
            }
            for key in &table.keys {
                assert!(key.columns.iter().all(|name| table.column(name).is_some()), "{}: {key:?}", table.logical);
            }
        }
    }

    #[test]
    fn standard_lookups_bind_in_lower_case_and_custom_ones_by_schema_name() {
        let schema = Schema::default();
        let opportunity = schema.table("opportunity").unwrap();
        assert!(opportunity.navigation("customerid_account").is_some());
        assert!(opportunity.navigation("customerid").is_none());
        assert!(opportunity.navigation("parentaccountid").is_some());
        let solution = schema.table("msft_partnercentersolution").unwrap();
        assert!(solution.navigation("msft_Opportunity").is_some());
        assert!(solution.navigation("msft_opportunity").is_none());
        assert_eq!(solution.column("msft_opportunity").unwrap().property(), "_msft_opportunity_value");
    }

    #[test]
    fn collections_lead_back_to_the_lookup() {
        let schema = Schema::default();
        let account = schema.table("account").unwrap();
        let (table, column) = schema.collection(account, "contact_customer_accounts").unwrap();
        assert_eq!((table.logical.as_str(), column.logical.as_str()), ("contact", "parentcustomerid"));
    }
}
