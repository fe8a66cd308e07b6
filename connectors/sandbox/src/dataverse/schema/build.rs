//! Short forms that let the tables read like the reference they were taken from.

use super::{Column, Key, Kind, OnDelete, Options, Required, State, Table, Target};

/// Statuses of the tables that know only active and inactive rows.
pub(in crate::dataverse) const ACTIVE_INACTIVE: &[State] = &[
    State { value: 0, label: "Active", statuses: &[(1, "Active")] },
    State { value: 1, label: "Inactive", statuses: &[(2, "Inactive")] },
];

/// The largest amount a money column takes (table reference: ±1,000,000,000,000).
const MONEY_LIMIT: f64 = 1_000_000_000_000.0;

/// A table with the columns every table has, `own` columns, and what those entail: `_base` amounts, the exchange rate
/// and the currency for money, `statecode` and `statuscode` for states.
pub(in crate::dataverse) fn table(
    schema: &'static str,
    set: &'static str,
    primary_name: &'static str,
    type_code: i64,
    states: &'static [State],
    own: Vec<Column>,
) -> Table {
    let logical = schema.to_lowercase();
    let mut columns = vec![column(&format!("{schema}Id"), Kind::PrimaryKey).system().fixed()];
    for own in own {
        if let Kind::Money { min, max, .. } = own.kind {
            let base = column(&format!("{}_Base", own.schema), Kind::Money { min, max, precision: 4 }).computed();
            columns.push(own);
            columns.push(base);
        } else {
            columns.push(own);
        }
    }
    if !states.is_empty() {
        columns.push(Column { create: false, ..column("StateCode", Kind::State).system() });
        columns.push(column("StatusCode", Kind::Status));
    }
    columns.extend([
        column("CreatedOn", Kind::DateTime).computed(),
        column("ModifiedOn", Kind::DateTime).computed(),
        lookup("CreatedBy", &["systemuser"]).computed(),
        lookup("ModifiedBy", &["systemuser"]).computed(),
        column("OverriddenCreatedOn", Kind::DateTime).fixed(),
        column("VersionNumber", Kind::Version).computed(),
    ]);
    let table = Table {
        primary_id: format!("{logical}id"),
        logical,
        schema,
        display: spaced(schema),
        display_plural: spaced(schema) + "s",
        description: String::new(),
        set,
        primary_name,
        type_code,
        states,
        locks_when_closed: false,
        keys: Vec::new(),
        columns,
    };
    if table.has_money() { table.with_currency() } else { table }
}

impl Table {
    /// Rows carry amounts, and so a currency and its rate.
    pub(in crate::dataverse) fn with_currency(mut self) -> Table {
        self.columns.push(currency());
        self.columns.push(
            column("ExchangeRate", Kind::Decimal { min: 1e-10, max: 100_000_000_000.0, precision: 10 }).computed(),
        );
        self
    }

    /// Rows belong to a user.
    pub(in crate::dataverse) fn owned(mut self) -> Table {
        self.columns.push(lookup("OwnerId", &["systemuser"]).system());
        self
    }

    /// Rows outside their first state refuse edits.
    pub(super) fn locks_when_closed(mut self) -> Table {
        self.locks_when_closed = true;
        self
    }

    /// Rows can be addressed by `columns`.
    pub(super) fn key(mut self, name: &'static str, columns: &'static [&'static str]) -> Table {
        self.keys.push(Key { name, display: name.to_owned(), columns });
        self
    }
}

/// A column by its schema name.
pub(in crate::dataverse) fn column(schema: &str, kind: Kind) -> Column {
    Column {
        logical: schema.to_lowercase(),
        schema: schema.to_owned(),
        display: spaced(schema),
        kind,
        required: Required::No,
        create: true,
        update: true,
        read: true,
    }
}

/// One line of text.
pub(super) fn text(schema: &str, max: usize) -> Column {
    column(schema, Kind::Text { max, format: "Text" })
}

/// One line of text that holds an e-mail address.
pub(super) fn email(schema: &str, max: usize) -> Column {
    column(schema, Kind::Text { max, format: "Email" })
}

/// One line of text that holds a phone number.
pub(super) fn phone(schema: &str, max: usize) -> Column {
    column(schema, Kind::Text { max, format: "Phone" })
}

/// One line of text that holds an address of the web.
pub(super) fn url(schema: &str, max: usize) -> Column {
    column(schema, Kind::Text { max, format: "Url" })
}

/// Several lines of text.
pub(super) fn memo(schema: &str, max: usize) -> Column {
    column(schema, Kind::Memo { max })
}

/// A whole number.
pub(super) fn integer(schema: &str, min: i64, max: i64) -> Column {
    column(schema, Kind::Integer { min, max })
}

/// An amount, positive or negative, with two decimals.
pub(super) fn money(schema: &str) -> Column {
    column(schema, Kind::Money { min: -MONEY_LIMIT, max: MONEY_LIMIT, precision: 2 })
}

/// An amount that cannot be negative, with two decimals.
pub(super) fn positive_money(schema: &str) -> Column {
    column(schema, Kind::Money { min: 0.0, max: MONEY_LIMIT, precision: 2 })
}

/// Yes or no, no unless given.
pub(super) fn boolean(schema: &str) -> Column {
    column(schema, Kind::Boolean { default: false })
}

/// One of several values.
pub(super) fn choice(schema: &str, options: Options) -> Column {
    column(schema, Kind::Choice(options))
}

/// A day.
pub(super) fn date(schema: &str) -> Column {
    column(schema, Kind::Date)
}

/// A lookup. Standard lookups bind by their logical name, or one name per target where there are several; lookups of a
/// solution bind by their schema name (Web API, "Associate and disassociate table rows").
pub(super) fn lookup(schema: &str, targets: &[&'static str]) -> Column {
    let name = if schema.contains('_') { schema.to_owned() } else { schema.to_lowercase() };
    let targets = targets
        .iter()
        .map(|&table| Target {
            table,
            navigation: if targets.len() > 1 { format!("{name}_{table}") } else { name.clone() },
            collection: None,
            relationship: format!("{table}_{name}"),
            on_delete: OnDelete::Clear,
        })
        .collect();
    column(schema, Kind::Lookup(targets))
}

/// The row's currency.
pub(super) fn currency() -> Column {
    lookup("TransactionCurrencyId", &["transactioncurrency"])
}

impl Column {
    /// The API refuses a row without it.
    pub(super) fn required(self) -> Column {
        Column { required: Required::Always, ..self }
    }

    /// Forms suggest it.
    pub(super) fn recommended(self) -> Column {
        Column { required: Required::Recommended, ..self }
    }

    /// Forms insist on it, the API does not.
    pub(super) fn required_on_forms(self) -> Column {
        Column { required: Required::OnForms, ..self }
    }

    /// The platform fills it when it is not given.
    pub(super) fn system(self) -> Column {
        Column { required: Required::System, ..self }
    }

    /// Given when the row is created, never changed.
    pub(super) fn fixed(self) -> Column {
        Column { update: false, ..self }
    }

    /// Never shown.
    pub(super) fn secret(self) -> Column {
        Column { read: false, ..self }
    }

    /// Only the platform writes it.
    pub(in crate::dataverse) fn computed(self) -> Column {
        Column { create: false, update: false, ..self }
    }

    /// Navigation properties from the targets back to this table, in the order of the targets; empty where none is
    /// served.
    pub(super) fn collections(mut self, names: &[&'static str]) -> Column {
        if let Kind::Lookup(targets) = &mut self.kind {
            for (target, name) in targets.iter_mut().zip(names) {
                target.collection = (!name.is_empty()).then_some(*name);
                if !name.is_empty() {
                    (*name).clone_into(&mut target.relationship);
                }
            }
        }
        self
    }

    /// The row is deleted with the one it points at.
    pub(super) fn cascading(mut self) -> Column {
        if let Kind::Lookup(targets) = &mut self.kind {
            for target in targets {
                target.on_delete = OnDelete::Cascade;
            }
        }
        self
    }
}

/// A schema name as people would read it: without the publisher's prefix, words apart. The published labels of standard
/// columns differ here and there ("Est. Revenue"); the sandbox does not carry them.
fn spaced(schema: &str) -> String {
    let name = match schema.split_once('_') {
        Some((prefix, rest)) if prefix.chars().all(char::is_lowercase) => rest,
        _ => schema,
    };
    let mut out = String::new();
    let mut before = ' ';
    for char in name.chars() {
        if char == '_' {
            out.push(' ');
        } else {
            if char.is_uppercase() && before.is_lowercase() {
                out.push(' ');
            }
            out.push(char);
        }
        before = char;
    }
    out
}
