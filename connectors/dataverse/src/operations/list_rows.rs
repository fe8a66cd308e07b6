use cosell_sdk::{CallContext, CallError, Effect, JsonSchema, Operation};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::connection::Dataverse;
use crate::row::Row;
use crate::search::{MOST, Search};
use crate::values::{filter, names};

/// Which rows to read.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListRowsInput {
    /// The table, by logical name or entity set name.
    #[schemars(extend("x-names" = "table"))]
    pub table: String,
    /// The values that columns must have, by logical name.
    #[serde(default)]
    #[schemars(extend("x-names" = "columns"))]
    pub r#where: Map<String, Value>,
    /// An OData filter in the Web API's own words, in addition to `where`, such as `estimatedvalue gt 1000`.
    #[serde(default)]
    pub filter: Option<String>,
    /// The columns to read, by logical name; all when not given.
    #[serde(default)]
    #[schemars(extend("x-names" = "columns"))]
    pub select: Option<Vec<String>>,
    /// The order, such as `createdon desc`.
    #[serde(default)]
    pub order_by: Option<String>,
    /// How many rows at most, up to 5000; all when not given.
    #[serde(default)]
    #[schemars(range(min = 1, max = 5000))]
    pub top: Option<u32>,
    /// Rows to read along, in the Web API's own words, such as `primarycontactid($select=fullname)`.
    #[serde(default)]
    pub expand: Option<String>,
    /// Whether to have the rows that meet the conditions counted. Dataverse counts no further than 5000.
    #[serde(default)]
    pub count: bool,
    /// An aggregation in the Web API's own words, such as `groupby((statecode),aggregate($count as total))`; the rows
    /// are then its groups.
    #[serde(default)]
    pub apply: Option<String>,
}

/// Rows read.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Rows {
    /// The rows.
    pub rows: Vec<Row>,
    /// How many meet the conditions; null where that was not asked for.
    pub count: Option<u64>,
}

/// Reads rows by conditions.
#[derive(Debug)]
pub struct ListRows;

impl Operation for ListRows {
    type Connection = Dataverse;
    type Input = ListRowsInput;
    type Output = Rows;

    const NAME: &'static str = "list_rows";
    const TITLE: &'static str = "List rows";
    const DESCRIPTION: &'static str = "Reads the rows that meet conditions, page by page.";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLE: &'static str = r#"{
        "table": "opportunity", "where": { "statecode": "Open" }, "filter": "estimatedvalue gt 1000",
        "select": ["name", "estimatedvalue"], "order_by": "createdon desc", "top": 50
    }"#;

    async fn call(dataverse: &Dataverse, input: Self::Input, context: &CallContext) -> Result<Rows, CallError> {
        if input.top.is_some_and(|top| !(1..=MOST).contains(&top)) {
            return Err(CallError::rejected(
                "wrong_top",
                "`top` must be from 1 to 5000; leave it out to read all rows",
            ));
        }
        let table = dataverse.table(&input.table, context).await?;
        let Some(equal) = filter::equal(&table, &input.r#where)? else {
            return Ok(Rows { rows: Vec::new(), count: Some(0) });
        };
        let filter = match (equal.is_empty(), input.filter) {
            (true, filter) => filter,
            (false, None) => Some(equal),
            (false, Some(filter)) => Some(format!("({equal}) and ({filter})")),
        };
        let select = names::select(&table, input.select.as_deref())?;
        let order_by = input.order_by.map(|text| names::order_by(&table, &text)).transpose()?;
        let ListRowsInput { apply, top, expand, count, .. } = input;
        let search = Search { apply, filter, select, order_by, top, expand, count };
        let found = dataverse.search(&table, &search, context).await?;
        Ok(Rows { rows: found.rows.iter().map(Row::from_wire).collect(), count: found.count })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use crate::testing::{SET, call, open, script_metadata};
    use cosell_sdk::stub::{Reply, Stub};
    use serde_json::json;

    #[tokio::test]
    async fn pages_are_followed_verbatim() {
        let stub = Stub::start().await;
        script_metadata(&stub);
        let next = format!("{}{SET}?$skiptoken=%3Ccookie%20pagenumber=%222%22%2F%3E", stub.origin());
        stub.on(
            "GET",
            SET,
            [
                Reply::json(200, json!({ "value": [{ "name": "a" }], "@odata.nextLink": next })),
                Reply::json(200, json!({ "value": [{ "name": "b" }] })),
            ],
        );
        let input = json!({
            "table": "opportunity", "where": { "name": "x" }, "filter": "estimatedvalue gt 1 or name eq 'y'",
            "order_by": "createdon desc", "expand": "customerid_account($select=name)"
        });
        let output = call(&open(&stub), "list_rows", input, false).await.unwrap();
        assert_eq!((&output["rows"][0]["name"], &output["rows"][1]["name"]), (&json!("a"), &json!("b")));
        let seen: Vec<_> = stub.requests().into_iter().filter(|seen| seen.target.starts_with(SET)).collect();
        assert!(
            seen[0].target.contains(
                "$filter=%28name%20eq%20%27x%27%29%20and%20%28estimatedvalue%20gt%201%20or%20name%20eq%20%27y%27%29"
            ),
            "{}",
            seen[0].target
        );
        assert_eq!(seen[1].target, format!("{SET}?$skiptoken=%3Ccookie%20pagenumber=%222%22%2F%3E"));
        for seen in seen {
            assert_eq!(seen.header("prefer"), Some("odata.include-annotations=\"*\",odata.maxpagesize=1000"));
        }
    }

    #[tokio::test]
    async fn rows_are_counted_and_grouped() {
        let stub = Stub::start().await;
        script_metadata(&stub);
        stub.on("GET", SET, [Reply::json(200, json!({ "value": [{ "total": 3 }], "@odata.count": 1 }))]);
        let input = json!({ "table": "opportunity", "apply": "aggregate($count as total)", "count": true });
        let output = call(&open(&stub), "list_rows", input, false).await.unwrap();
        assert_eq!((&output["rows"][0]["total"], &output["count"]), (&json!(3), &json!(1)));
        let target = stub.requests().pop().unwrap().target;
        assert_eq!(target, format!("{SET}?$apply=aggregate%28%24count%20as%20total%29&$count=true"));
    }

    #[tokio::test]
    async fn top_goes_without_a_page_size() {
        let stub = Stub::start().await;
        script_metadata(&stub);
        stub.on("GET", SET, [Reply::json(200, json!({ "value": [] }))]);
        let connection = open(&stub);
        call(&connection, "list_rows", json!({ "table": "opportunity", "top": 3 }), false).await.unwrap();
        let seen = stub.requests().pop().unwrap();
        assert_eq!(seen.target, format!("{SET}?$top=3"));
        assert_eq!(seen.header("prefer"), Some("odata.include-annotations=\"*\""));
        let error =
            call(&connection, "list_rows", json!({ "table": "opportunity", "top": 0 }), false).await.unwrap_err();
        assert_eq!(error.code, "wrong_top");
    }
}
