//! Addresses: entity sets, row ids and alternate keys, in paths and in `@odata.bind` values.

use jiff::civil::Date;
use uuid::Uuid;

use super::cell::{Cell, Reference};
use super::errors::{Answer, BAD_REQUEST, Refusal};
use super::schema::{Column, Kind, Schema, Table};
use super::store::Store;

/// One step of a path, such as `accounts(…)`.
#[derive(Debug, PartialEq)]
pub(super) struct Segment {
    /// The name before the parenthesis.
    pub(super) name: String,
    /// What stands in the parentheses, if there are any.
    pub(super) key: Option<Selector>,
}

/// What stands in the parentheses of a segment.
#[derive(Debug, PartialEq)]
pub(super) enum Selector {
    /// Nothing: a call without parameters.
    Empty,
    /// An id without quotes.
    Id(Uuid),
    /// Named values: an alternate key, or parameters.
    Named(Vec<(String, KeyValue)>),
}

/// A value in an alternate key.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum KeyValue {
    /// It stood in quotes.
    Quoted(String),
    /// It did not.
    Bare(String),
    /// A parameter alias with its `@`; its value is in the query.
    Alias(String),
}

/// Reads a path below the service root into segments. Percent encoding is undone per segment, so that an encoded slash
/// stays part of a key.
pub(super) fn path(raw: &str) -> Answer<Vec<Segment>> {
    raw.split('/').filter(|part| !part.is_empty()).map(|part| segment(&decode(part))).collect()
}

/// Undoes percent encoding; a sequence that is none stays.
pub(super) fn decode(raw: &str) -> String {
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let hex = tail.get(..2).and_then(|pair| std::str::from_utf8(pair).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) if first == b'%' => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads one decoded segment.
fn segment(text: &str) -> Answer<Segment> {
    let Some((name, rest)) = text.split_once('(') else {
        return Ok(Segment { name: text.to_owned(), key: None });
    };
    let inner = rest.strip_suffix(')').ok_or_else(|| syntax(text))?;
    let key = if inner.trim().is_empty() {
        Selector::Empty
    } else if let Ok(id) = Uuid::try_parse(inner) {
        Selector::Id(id)
    } else if let Some(parts) = split_outside_quotes(inner, ',') {
        Selector::Named(parts.into_iter().map(|part| key_value(part, text)).collect::<Answer<_>>()?)
    } else {
        return Err(syntax(text));
    };
    Ok(Segment { name: name.to_owned(), key: Some(key) })
}

fn key_value(part: &str, whole: &str) -> Answer<(String, KeyValue)> {
    let (name, value) = part.split_once('=').ok_or_else(|| syntax(whole))?;
    let (name, value) = (name.trim(), value.trim());
    let value = match value.strip_prefix('\'') {
        Some(quoted) => KeyValue::Quoted(quoted.strip_suffix('\'').ok_or_else(|| syntax(whole))?.replace("''", "'")),
        None if value.starts_with('@') => KeyValue::Alias(value.to_owned()),
        None => KeyValue::Bare(value.to_owned()),
    };
    Ok((name.to_owned(), value))
}

fn syntax(text: &str) -> Refusal {
    Refusal::bad(BAD_REQUEST, format!("Bad Request - Error in query syntax. Cannot read the key in '{text}'."))
}

/// Splits at `separator` outside of quotes and parentheses; none where those do not close.
pub(super) fn split_outside_quotes(text: &str, separator: char) -> Option<Vec<&str>> {
    let (mut parts, mut start, mut depth, mut quoted) = (Vec::new(), 0, 0_usize, false);
    for (at, char) in text.char_indices() {
        match char {
            '\'' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth = depth.checked_sub(1)?,
            _ if char == separator && !quoted && depth == 0 => {
                parts.push(&text[start..at]);
                start = at + char.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    (!quoted && depth == 0).then_some(parts)
}

/// The table that an entity set names. A name the real service would not know either is 404; other sets may well exist
/// there, so they are told to be outside the sandbox.
pub(super) fn table(schema: &Schema, set: &str) -> Answer<&'static Table> {
    if let Some(table) = schema.table_of_set(set) {
        return Ok(table);
    }
    let known = schema.tables().any(|table| table.set.eq_ignore_ascii_case(set) || table.logical == set);
    if known { Err(Refusal::missing_segment(set)) } else { Err(Refusal::outside(format!("the entity set '{set}'"))) }
}

/// The row that a selector names, if it exists, and the key columns it gives.
#[derive(Debug)]
pub(super) struct Located {
    /// The id of the row, or the id that a row created here would have.
    pub(super) id: Option<Uuid>,
    /// True where the row exists.
    pub(super) exists: bool,
    /// Columns of the alternate key with their values.
    pub(super) columns: Vec<(&'static Column, Cell)>,
}

/// Finds the row of `table` that `selector` names.
pub(super) fn locate(store: &Store, table: &'static Table, selector: &Selector) -> Answer<Located> {
    let named = match selector {
        Selector::Id(id) => {
            return Ok(Located { id: Some(*id), exists: store.get(table, *id).is_some(), columns: Vec::new() });
        }
        Selector::Empty => {
            return Err(Refusal::bad(BAD_REQUEST, "Bad Request - Error in query syntax. The key is empty."));
        }
        Selector::Named(named) => named,
    };
    if let [(name, KeyValue::Bare(value))] = named.as_slice()
        && *name == table.primary_id
        && let Ok(id) = Uuid::try_parse(value)
    {
        return Ok(Located { id: Some(id), exists: store.get(table, id).is_some(), columns: Vec::new() });
    }
    let mut columns = Vec::new();
    for (name, value) in named {
        let column = table.property(name).ok_or_else(|| Refusal::unknown_property(table, name))?;
        if matches!(value, KeyValue::Alias(_)) {
            return Err(Refusal::outside("parameter aliases in a row's key"));
        }
        columns.push((column, key_cell(column, value).ok_or_else(|| wrong_key(table))?));
    }
    let is_key = table.keys.iter().any(|key| {
        key.columns.len() == columns.len()
            && columns.iter().all(|(column, _)| key.columns.contains(&column.logical.as_str()))
    });
    if !is_key {
        return Err(wrong_key(table));
    }
    let found = store.rows(table).find(|row| {
        columns.iter().all(|(column, cell)| row.get(column).is_some_and(|have| have.sort_key() == cell.sort_key()))
    });
    Ok(Located { id: found.map(|row| row.id), exists: found.is_some(), columns })
}

fn wrong_key(table: &Table) -> Refusal {
    Refusal::bad(BAD_REQUEST, format!("The specified key properties are not a key of '{}'.", table.logical))
}

fn key_cell(column: &Column, value: &KeyValue) -> Option<Cell> {
    match (&column.kind, value) {
        (Kind::Text { .. } | Kind::Memo { .. }, KeyValue::Quoted(text)) => Some(Cell::Text(text.clone())),
        (Kind::Integer { .. } | Kind::Choice(_), KeyValue::Bare(text)) => text.parse().ok().map(Cell::Integer),
        (Kind::Decimal { .. }, KeyValue::Bare(text)) => text.parse().ok().map(Cell::Number),
        (Kind::Date, KeyValue::Bare(text)) => text.parse::<Date>().ok().map(Cell::Day),
        (Kind::Guid | Kind::Lookup(_), KeyValue::Bare(text)) => Uuid::try_parse(text).ok().map(Cell::Id),
        _ => None,
    }
}

/// Finds the row that the value of an `@odata.bind` or `@odata.id` names: `/accounts(…)`, without the slash, or as a
/// full URL below `base`.
pub(super) fn reference(store: &Store, base: &str, value: &str) -> Answer<Reference> {
    let unreadable = || Refusal::bad(BAD_REQUEST, format!("Invalid resource address '{value}'; expected '/set(id)'."));
    let mut relative = value;
    if value.contains("://") {
        let root = base.rsplit_once("/v").map_or(base, |(root, _)| root);
        let below = value.strip_prefix(root).and_then(|rest| rest.strip_prefix('/')).ok_or_else(unreadable)?;
        relative = below.split_once('/').ok_or_else(unreadable)?.1;
    }
    let segments = path(relative)?;
    let [Segment { name, key: Some(key) }] = segments.as_slice() else {
        return Err(unreadable());
    };
    let table = table(store.schema(), name)?;
    let located = locate(store, table, key)?;
    match located.id {
        Some(id) if located.exists => Ok(Reference { table: &table.logical, id }),
        Some(id) => Err(Refusal::missing_row(table, id)),
        None => Err(Refusal::missing_key(table)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn ids_and_keys_are_told_apart() {
        let id = Uuid::from_u128(7);
        assert_eq!(path(&format!("accounts({id})")).unwrap()[0].key, Some(Selector::Id(id)));
        let segments = path("msft_solutiondetails(msft_solutionid='a%2Fb''c',n=5)/x").unwrap();
        assert_eq!(
            segments[0].key,
            Some(Selector::Named(vec![
                ("msft_solutionid".into(), KeyValue::Quoted("a/b'c".into())),
                ("n".into(), KeyValue::Bare("5".into()))
            ]))
        );
        assert_eq!(segments[1], Segment { name: "x".into(), key: None });
        assert!(path("accounts('00000000-0000-0000-0000-000000000001')").is_err());
    }

    #[test]
    fn a_known_table_in_the_wrong_form_is_not_found_and_an_unknown_one_is_outside() {
        for (name, status) in [("account", 404), ("Accounts", 404), ("quotes", 501)] {
            assert_eq!(table(&Schema::default(), name).unwrap_err().status.as_u16(), status, "{name}");
        }
    }

    #[test]
    fn a_bind_may_be_relative_or_absolute_but_not_elsewhere() {
        let base = "http://crm.test/api/data/v9.2";
        let id = Uuid::from_u128(9);
        let account = Schema::default().table("account").unwrap();
        let mut store = Store::default();
        store.put(account, super::super::store::Row::new(id));
        for value in [
            format!("/accounts({id})"),
            format!("accounts({id})"),
            format!("{base}/accounts({id})"),
            format!("http://crm.test/api/data/v9.0/accounts({id})"),
        ] {
            assert_eq!(reference(&store, base, &value).unwrap().id, id, "{value}");
        }
        for value in [format!("http://other.test/api/data/v9.2/accounts({id})"), "/accounts".into(), id.to_string()] {
            assert!(reference(&store, base, &value).is_err(), "{value}");
        }
        let missing = reference(&store, base, &format!("/accounts({})", Uuid::from_u128(1))).unwrap_err();
        assert_eq!((missing.status.as_u16(), missing.code), (404, "0x80040217"));
    }
}
