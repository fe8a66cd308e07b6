//! What a fresh organisation holds: two currencies, two sellers, two customers with contacts, two solution details,
//! and no opportunities. Ids are fixed, so that tests and examples can name them.

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::cell::{Cell, Reference};
use super::errors::{Answer, Refusal};
use super::payload::{self, Purpose};
use super::schema::Table;
use super::store::{Row, Store};
use super::write::{self, Writer};

/// The user that everything seeded belongs to.
const NOOR: Uuid = id(1, 1);

/// Fixed ids: a family and a number in it.
const fn id(family: u128, number: u128) -> Uuid {
    Uuid::from_u128((0xc05e_1100_0000_4000_8000_0000_0000_0000) | (family << 32) | number)
}

/// A fresh organisation.
pub(super) fn store(now: Timestamp) -> Store {
    let mut store = Store::default();
    // The rows are data of this file, and a test holds that each of them is taken.
    let outcome = fill(&mut store, now);
    debug_assert!(outcome.is_ok(), "the seed is refused: {outcome:?}");
    messages(&mut store);
    store.commit();
    store
}

fn fill(store: &mut Store, now: Timestamp) -> Answer<()> {
    let writer = Writer { user: NOOR, now };
    let mut add = |table: &str, id: Uuid, body: Value| -> Answer<()> {
        let table = store.schema().table(table).ok_or_else(|| Refusal::outside(format!("the table '{table}'")))?;
        let body: Map<String, Value> = match body {
            Value::Object(body) => body,
            _ => Map::new(),
        };
        let values = payload::read(store, "", table, &body, Purpose::Create)?;
        write::create(store, writer, table, values, Some(id)).map(|_| ())
    };
    add(
        "transactioncurrency",
        id(2, 1),
        json!({ "currencyname": "US Dollar", "isocurrencycode": "USD", "currencysymbol": "$", "currencyprecision": 2,
            "exchangerate": 1.0 }),
    )?;
    add(
        "transactioncurrency",
        id(2, 2),
        json!({ "currencyname": "Euro", "isocurrencycode": "EUR", "currencysymbol": "€", "currencyprecision": 2,
            "exchangerate": 0.92 }),
    )?;
    for (number, first, last, address) in
        [(1, "Noor", "Haddad", "noor@fabrikam.example"), (2, "Sam", "Ito", "sam@fabrikam.example")]
    {
        add(
            "systemuser",
            id(1, number),
            json!({ "firstname": first, "lastname": last, "domainname": address, "internalemailaddress": address,
                "accessmode": 0 }),
        )?;
    }
    add(
        "account",
        id(3, 1),
        json!({ "name": "Northwind Cold Storage BV", "address1_line1": "Maashaven Zuidzijde 12",
            "address1_city": "Rotterdam", "address1_postalcode": "3011 AA", "address1_country": "NL",
            "telephone1": "+31 10 555 0100" }),
    )?;
    add(
        "contact",
        id(4, 1),
        json!({ "firstname": "Iris", "lastname": "de Wit", "emailaddress1": "iris.dewit@northwind.example",
            "telephone1": "+31 10 555 0101", "parentcustomerid_account@odata.bind": format!("/accounts({})", id(3, 1)) }),
    )?;
    add("account", id(3, 2), json!({ "name": "Lakeshore Dental Group", "address1_city": "Madison" }))?;
    add(
        "contact",
        id(4, 2),
        json!({ "firstname": "Tom", "lastname": "Alvarez", "emailaddress1": "tom@lakeshore.example",
            "parentcustomerid_account@odata.bind": format!("/accounts({})", id(3, 2)) }),
    )?;
    for (number, solution, name) in [(1, "SOL-48120-KQP", "ColdTrack"), (2, "SOL-50377-TRX", "DockPlan")] {
        add(
            "msft_solutiondetail",
            id(5, number),
            json!({ "msft_solutionid": solution, "msft_name": name, "msft_type": "Name" }),
        )?;
    }
    Ok(())
}

/// The messages that steps can be registered for.
const MESSAGES: [&str; 3] = ["Create", "Update", "Delete"];

/// A row of the platform's own, under an id that follows from its name.
fn platform_row(store: &mut Store, table: &str, name: &str, cells: Vec<(&'static str, Cell)>) -> Uuid {
    let id = platform_id(table, name);
    if let Some(table) = store.schema().table(table) {
        let mut row = Row::new(id);
        for (column, cell) in cells {
            row.set(column, Some(cell));
        }
        store.put(table, row);
    }
    id
}

fn platform_id(table: &str, name: &str) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("{table}/{name}").as_bytes())
}

/// The rows that steps refer to: one `sdkmessage` a message, and one `sdkmessagefilter` a message and table.
fn messages(store: &mut Store) {
    for name in MESSAGES {
        platform_row(store, "sdkmessage", name, vec![("name", Cell::Text(name.to_owned()))]);
    }
    for table in store.schema().tables().collect::<Vec<_>>() {
        message_filters(store, table);
    }
}

/// Makes `table` a table that steps can be registered for.
pub(super) fn message_filters(store: &mut Store, table: &'static Table) {
    for name in MESSAGES {
        let message = Cell::Reference(Reference { table: "sdkmessage", id: platform_id("sdkmessage", name) });
        let cells = vec![
            ("sdkmessageid", message),
            ("primaryobjecttypecode", Cell::Text(table.logical.clone())),
            ("secondaryobjecttypecode", Cell::Text("none".to_owned())),
            ("iscustomprocessingstepallowed", Cell::Bool(true)),
        ];
        platform_row(store, "sdkmessagefilter", &format!("{name}/{}", table.logical), cells);
    }
}

/// Undoes `message_filters`.
pub(super) fn drop_message_filters(store: &mut Store, table: &Table) {
    for name in MESSAGES {
        if let Some(filters) = store.schema().table("sdkmessagefilter") {
            store.remove(filters, platform_id("sdkmessagefilter", &format!("{name}/{}", table.logical)));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn every_seeded_row_is_taken() {
        let mut store = Store::default();
        fill(&mut store, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(store.rows(store.schema().table("contact").unwrap()).count(), 2);
        assert_eq!(store.rows(store.schema().table("opportunity").unwrap()).count(), 0);
    }
}
