//! The tables of one organisation: those every organisation has, and those defined through the metadata API.
//!
//! A definition is never changed in place: a change makes a new one and takes it into use. Definitions live as long as the
//! process, so that rows and queries can refer to them by plain references; an organisation defines few.

use super::{Column, Key, Kind, OnDelete, Options, Table, Target, standard};

/// Keeps a value for the life of the process.
pub(in crate::dataverse) fn keep<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

/// Keeps a text for the life of the process.
pub(in crate::dataverse) fn keep_text(text: &str) -> &'static str {
    Box::leak(text.to_owned().into_boxed_str())
}

/// Keeps choices for the life of the process.
pub(in crate::dataverse) fn keep_options(options: Vec<(i64, String)>) -> Options {
    let options: Vec<(i64, &'static str)> =
        options.into_iter().map(|(value, label)| (value, keep_text(&label))).collect();
    Box::leak(options.into_boxed_slice())
}

/// A relationship in which each row of either table may be linked to several of the other.
#[derive(Clone, Debug)]
pub(in crate::dataverse) struct Link {
    /// Schema name of the relationship.
    pub(in crate::dataverse) name: String,
    /// Logical name of the table that joins the two in the database.
    pub(in crate::dataverse) intersect: String,
    /// Logical names of the two tables.
    pub(in crate::dataverse) tables: [&'static str; 2],
    /// The navigation property on each of the two tables.
    pub(in crate::dataverse) navigations: [String; 2],
}

/// Choices that several columns may share.
#[derive(Clone, Debug)]
pub(in crate::dataverse) struct GlobalChoice {
    /// Name in lower case.
    pub(in crate::dataverse) name: String,
    /// What people call it.
    pub(in crate::dataverse) display: String,
    /// The choices.
    pub(in crate::dataverse) options: Options,
}

/// The tables of one organisation.
#[derive(Clone, Debug)]
pub(in crate::dataverse) struct Schema {
    tables: Vec<&'static Table>,
    links: Vec<&'static Link>,
    choices: Vec<&'static GlobalChoice>,
}

impl Default for Schema {
    fn default() -> Schema {
        Schema { tables: standard().iter().collect(), links: Vec::new(), choices: Vec::new() }
    }
}

impl Schema {
    /// All tables.
    pub(in crate::dataverse) fn tables(&self) -> impl Iterator<Item = &'static Table> {
        self.tables.iter().copied()
    }

    /// The table with logical name `name`.
    pub(in crate::dataverse) fn table(&self, name: &str) -> Option<&'static Table> {
        self.tables().find(|table| table.logical == name)
    }

    /// The table whose entity set is `set`; names of sets are case-sensitive.
    pub(in crate::dataverse) fn table_of_set(&self, set: &str) -> Option<&'static Table> {
        self.tables().find(|table| table.set == set)
    }

    /// The table and lookup column behind the collection-valued navigation property `name` of `table`.
    pub(in crate::dataverse) fn collection(
        &self,
        table: &Table,
        name: &str,
    ) -> Option<(&'static Table, &'static Column)> {
        self.lookups_to(table)
            .find_map(|(other, column, target)| (target.collection == Some(name)).then_some((other, column)))
    }

    /// The lookups that may point at rows of `table`, with the target that says so.
    pub(in crate::dataverse) fn lookups_to(
        &self,
        table: &Table,
    ) -> impl Iterator<Item = (&'static Table, &'static Column, &'static Target)> {
        let logical = table.logical.clone();
        self.tables()
            .flat_map(|table| table.columns.iter().map(move |column| (table, column)))
            .flat_map(|(table, column)| column.targets().iter().map(move |target| (table, column, target)))
            .filter(move |(_, _, target)| target.table == logical)
    }

    /// All many-to-many relationships.
    pub(in crate::dataverse) fn links(&self) -> impl Iterator<Item = &'static Link> {
        self.links.iter().copied()
    }

    /// The many-to-many relationship behind navigation property `name` of `table`, and which of its ends that is.
    pub(in crate::dataverse) fn link(&self, table: &Table, name: &str) -> Option<(&'static Link, usize)> {
        self.links().find_map(|link| {
            let end = (0..2).find(|end| link.tables[*end] == table.logical && link.navigations[*end] == name)?;
            Some((link, end))
        })
    }

    /// All choices that columns may share.
    pub(in crate::dataverse) fn choices(&self) -> impl Iterator<Item = &'static GlobalChoice> {
        self.choices.iter().copied()
    }

    /// Takes `table` into use, in place of the one with the same logical name.
    pub(in crate::dataverse) fn put_table(&mut self, table: Table) -> &'static Table {
        let table = keep(table);
        match self.tables.iter_mut().find(|have| have.logical == table.logical) {
            Some(have) => *have = table,
            None => self.tables.push(table),
        }
        table
    }

    /// Removes the table with logical name `name`, the lookups that point only at it, and its many-to-many relationships.
    pub(in crate::dataverse) fn drop_table(&mut self, name: &str) {
        self.tables.retain(|table| table.logical != name);
        self.links.retain(|link| !link.tables.contains(&name));
        for table in self.tables.clone() {
            let gone = |column: &Column| {
                !column.targets().is_empty() && column.targets().iter().all(|target| target.table == name)
            };
            if table.custom() && table.columns.iter().any(gone) {
                let mut table = table.clone();
                table.columns.retain(|column| !gone(column));
                self.put_table(table);
            }
        }
    }

    /// Takes `link` into use.
    pub(in crate::dataverse) fn put_link(&mut self, link: Link) {
        self.links.push(keep(link));
    }

    /// Removes the many-to-many relationship `name`.
    pub(in crate::dataverse) fn drop_link(&mut self, name: &str) {
        self.links.retain(|link| link.name != name);
    }

    /// Takes `choice` into use.
    pub(in crate::dataverse) fn put_choice(&mut self, choice: GlobalChoice) {
        self.drop_choice(&choice.name);
        self.choices.push(keep(choice));
    }

    /// Removes the shared choices `name`.
    pub(in crate::dataverse) fn drop_choice(&mut self, name: &str) {
        self.choices.retain(|choice| choice.name != name);
    }
}

impl Key {
    /// A key of the columns with these logical names.
    pub(in crate::dataverse) fn of(name: &str, display: &str, columns: &[String]) -> Key {
        let columns: Vec<&'static str> = columns.iter().map(|column| keep_text(column)).collect();
        Key { name: keep_text(name), display: display.to_owned(), columns: Box::leak(columns.into_boxed_slice()) }
    }
}

impl Target {
    /// A target of a lookup defined through the metadata API: it is bound by the lookup's schema name, and leads back by
    /// the name of the relationship.
    pub(in crate::dataverse) fn of(
        table: &'static str,
        navigation: &str,
        relationship: &str,
        on_delete: OnDelete,
    ) -> Target {
        Target {
            table,
            navigation: navigation.to_owned(),
            collection: Some(keep_text(relationship)),
            relationship: relationship.to_owned(),
            on_delete,
        }
    }
}

impl Kind {
    /// The choices of a column that has some.
    pub(in crate::dataverse) fn options(&self) -> Option<Options> {
        match self {
            Kind::Choice(options) | Kind::Choices(options) => Some(options),
            _ => None,
        }
    }
}
