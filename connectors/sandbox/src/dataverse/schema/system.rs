//! Currencies, users and notes (Dataverse table reference).

use super::build::{ACTIVE_INACTIVE, boolean, choice, column, integer, lookup, memo, table, text};
use super::{Kind, Table};

/// The tables of this family.
pub(super) fn tables() -> Vec<Table> {
    vec![currency(), user(), annotation()]
}

fn currency() -> Table {
    let columns = vec![
        text("CurrencyName", 100).required(),
        text("ISOCurrencyCode", 5).required(),
        text("CurrencySymbol", 10).required(),
        integer("CurrencyPrecision", 0, 4).required(),
        column("ExchangeRate", Kind::Decimal { min: 1e-10, max: 100_000_000_000.0, precision: 10 }).required(),
    ];
    table("TransactionCurrency", "transactioncurrencies", "currencyname", 9105, ACTIVE_INACTIVE, columns)
}

fn user() -> Table {
    let columns = vec![
        text("DomainName", 1024).required(),
        text("InternalEMailAddress", 100),
        text("FirstName", 64),
        text("LastName", 64),
        text("FullName", 200).computed(),
        text("Address1_Telephone1", 64),
        boolean("IsDisabled"),
        column("AzureActiveDirectoryObjectId", Kind::Guid),
        choice(
            "AccessMode",
            &[
                (0, "Read-Write"),
                (1, "Administrative"),
                (2, "Read"),
                (3, "Support User"),
                (4, "Non-interactive"),
                (5, "Delegated Admin"),
            ],
        ),
    ];
    table("SystemUser", "systemusers", "fullname", 8, &[], columns)
}

fn annotation() -> Table {
    let columns = vec![
        text("Subject", 500),
        memo("NoteText", 100_000),
        lookup("ObjectId", &["account", "contact", "lead", "opportunity"])
            .collections(&["Account_Annotation", "Contact_Annotation", "Lead_Annotation", "Opportunity_Annotation"])
            .cascading(),
    ];
    table("Annotation", "annotations", "subject", 5, &[], columns).owned()
}
