//! What a fresh organisation holds: two currencies, two sellers, two customers with contacts, two solution details,
//! and no opportunities. Ids are fixed, so that tests and examples can name them.

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::errors::{Answer, Refusal};
use super::payload::{self, Purpose};
use super::schema;
use super::store::Store;
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
    store.commit();
    store
}

fn fill(store: &mut Store, now: Timestamp) -> Answer<()> {
    let writer = Writer { user: NOOR, now };
    let mut add = |table: &str, id: Uuid, body: Value| -> Answer<()> {
        let table = schema::table(table).ok_or_else(|| Refusal::outside(format!("the table '{table}'")))?;
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn every_seeded_row_is_taken() {
        let mut store = Store::default();
        fill(&mut store, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(store.rows(schema::table("contact").unwrap()).count(), 2);
        assert_eq!(store.rows(schema::table("opportunity").unwrap()).count(), 0);
    }
}
