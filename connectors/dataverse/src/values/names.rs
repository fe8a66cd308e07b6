//! What to read, and in which order: from logical names to the Web API's.

use cosell_sdk::CallError;

use crate::metadata::Table;

/// `$select` for these columns; none for all.
///
/// # Errors
/// Columns that do not exist.
pub fn select(table: &Table, columns: Option<&[String]>) -> Result<Option<String>, CallError> {
    let Some(columns) = columns else { return Ok(None) };
    let names: Vec<String> =
        columns.iter().map(|name| table.column(name).map(|column| column.wire_name())).collect::<Result<_, _>>()?;
    // An empty list of columns would mean all of them; the identifier always comes.
    Ok(Some(if names.is_empty() { table.head.primary_id.clone() } else { names.join(",") }))
}

/// `$orderby` for a text such as `createdon desc, name`.
///
/// # Errors
/// Columns that do not exist, and directions that are none.
pub fn order_by(table: &Table, text: &str) -> Result<String, CallError> {
    let terms: Vec<String> = text
        .split(',')
        .map(|term| {
            let mut words = term.split_whitespace();
            let column = table.column(words.next().unwrap_or_default())?.wire_name();
            match (words.next(), words.next()) {
                (None, _) => Ok(column),
                (Some(direction @ ("asc" | "desc")), None) => Ok(format!("{column} {direction}")),
                _ => Err(CallError::rejected(
                    "wrong_order",
                    format!("`order_by` holds `{}`; expected a column, then asc or desc", term.trim()),
                )),
            }
        })
        .collect::<Result<_, _>>()?;
    Ok(terms.join(","))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::testing::table;

    #[test]
    fn logical_names_become_wire_names() {
        let table = table();
        let columns = ["name".to_owned(), "customerid".to_owned()];
        assert_eq!(select(&table, Some(&columns)).unwrap().unwrap(), "name,_customerid_value");
        assert_eq!(select(&table, Some(&[])).unwrap().unwrap(), "opportunityid");
        assert_eq!(select(&table, None).unwrap(), None);
        assert_eq!(
            order_by(&table, "createdon desc, customerid,name asc").unwrap(),
            "createdon desc,_customerid_value,name asc"
        );
        for (text, code) in [
            ("x", "unknown_column"),
            ("name down", "wrong_order"),
            ("name asc x", "wrong_order"),
            ("", "unknown_column"),
        ] {
            assert_eq!(order_by(&table, text).unwrap_err().code, code, "{text}");
        }
    }
}
