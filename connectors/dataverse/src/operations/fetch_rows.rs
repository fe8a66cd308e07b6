use cosell_sdk::{CallContext, CallError, Effect, JsonSchema, Operation};
use serde::Deserialize;

use super::Rows;
use crate::connection::Dataverse;
use crate::foresee;
use crate::row::Row;

/// Longest query sent in an address, in bytes (Web API, maximum length of a GET request).
const LONGEST: usize = 30_000;

/// What to fetch.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FetchRowsInput {
    /// The table that the query is about, by logical name or entity set name.
    #[schemars(extend("x-names" = "table"))]
    pub table: String,
    /// The query in FetchXML, one `fetch` element. Its `page` and `paging-cookie` are set here.
    pub xml: String,
    /// How many pages at most. More rows than fit are an error rather than a list that is silently short.
    #[serde(default = "default_max_pages")]
    pub max_pages: u32,
}

fn default_max_pages() -> u32 {
    50
}

/// Reads rows by FetchXML.
#[derive(Debug)]
pub struct FetchRows;

impl Operation for FetchRows {
    type Connection = Dataverse;
    type Input = FetchRowsInput;
    type Output = Rows;

    const NAME: &'static str = "fetch_rows";
    const TITLE: &'static str = "Fetch rows by FetchXML";
    const DESCRIPTION: &'static str = "Reads rows by a query in FetchXML, page by page.";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLE: &'static str = r#"{
        "table": "opportunity",
        "xml": "<fetch count='50'><entity name='opportunity'><attribute name='name'/></entity></fetch>"
    }"#;

    async fn call(dataverse: &Dataverse, input: Self::Input, context: &CallContext) -> Result<Rows, CallError> {
        let (before, after) = split(&input.xml)?;
        let head = dataverse.head(&input.table, context).await?;
        foresee::all_left_aside("FetchXML is not judged here", context);
        let (mut rows, mut xml) = (Vec::new(), input.xml.clone());
        for number in 1..=input.max_pages {
            if xml.len() > LONGEST {
                return Err(CallError::rejected(
                    "query_too_long",
                    format!("`xml` has {} bytes, but an address takes no more than {LONGEST}; shorten it", xml.len()),
                ));
            }
            let request = dataverse.client.get(&[&head.set_name]).query("fetchXml", &xml);
            let page = dataverse.read_page(request, false, None, context).await?;
            rows.extend(page.value.iter().map(Row::from_wire));
            // A query with a `top` has no pages.
            if !page.more_records {
                return Ok(Rows { rows, count: None });
            }
            let cookie = page.paging_cookie.as_deref().and_then(cookie).unwrap_or_default();
            xml = format!("{before} page=\"{}\"{cookie}{after}", number + 1);
        }
        Err(CallError::rejected(
            "too_many_pages",
            format!(
                "there are more rows than fit in {} pages; narrow the query, or raise `max_pages`",
                input.max_pages
            ),
        ))
    }
}

/// The query before and after the place where attributes can be added to its `fetch` element.
fn split(xml: &str) -> Result<(&str, &str), CallError> {
    let wrong = |what: &str| {
        CallError::rejected("wrong_query", format!("`xml` {what}; expected one fetch element, as in <fetch>…</fetch>"))
    };
    let start = xml.find("<fetch").ok_or_else(|| wrong("has no fetch element"))? + "<fetch".len();
    let end = start + xml[start..].find('>').ok_or_else(|| wrong("does not end its fetch element"))?;
    let attributes = &xml[start..end];
    if attributes.contains(" page=") || attributes.contains(" paging-cookie=") {
        return Err(wrong("has a page or a paging cookie of its own"));
    }
    Ok(xml.split_at(start))
}

/// The attribute for the next page. The cookie comes inside an XML element, encoded twice for addresses (Web API, page
/// results using FetchXML).
fn cookie(annotation: &str) -> Option<String> {
    let start = annotation.find("pagingcookie=\"")? + "pagingcookie=\"".len();
    let encoded = annotation[start..].split('"').next()?;
    let decode = |text: &str| -> String {
        // A form's decoding takes a plus for a space, which a cookie's is not.
        let text = text.replace('+', "%2B");
        url::form_urlencoded::parse(text.replace('&', "%26").replace('=', "%3D").as_bytes())
            .map(|(name, _)| name.into_owned())
            .collect()
    };
    let cookie = decode(&decode(encoded));
    let escaped = cookie.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    Some(format!(" paging-cookie=\"{escaped}\""))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::testing::{SET, call, open, script_metadata};
    use cosell_sdk::stub::{Reply, Stub};
    use serde_json::json;

    #[tokio::test]
    async fn pages_go_on_with_the_cookie() {
        let stub = Stub::start().await;
        script_metadata(&stub);
        let cookie = "<cookie pagenumber=\"2\" pagingcookie=\"%253ccookie%2520page%253d%25221%2522%253e%253c%252fcookie%253e\" istracking=\"False\" />";
        let first = json!({ "value": [{ "name": "a" }], "@Microsoft.Dynamics.CRM.morerecords": true,
            "@Microsoft.Dynamics.CRM.fetchxmlpagingcookie": cookie });
        let second = json!({ "value": [{ "name": "b" }], "@Microsoft.Dynamics.CRM.morerecords": false });
        stub.on("GET", SET, [Reply::json(200, first), Reply::json(200, second)]);
        let input = json!({ "table": "opportunity", "xml": "<fetch count='1'><entity name='opportunity'/></fetch>" });
        let output = call(&open(&stub), "fetch_rows", input, false).await.unwrap();
        assert_eq!((&output["rows"][0]["name"], &output["rows"][1]["name"]), (&json!("a"), &json!("b")));
        let asked = stub.requests().pop().unwrap().target;
        let query =
            url::form_urlencoded::parse(asked.split_once('?').unwrap().1.as_bytes()).next().unwrap().1.into_owned();
        assert_eq!(
            query,
            "<fetch page=\"2\" paging-cookie=\"&lt;cookie page=&quot;1&quot;&gt;&lt;/cookie&gt;\" count='1'><entity name='opportunity'/></fetch>"
        );
    }

    #[tokio::test]
    async fn unusable_queries_and_endless_pages_are_errors() {
        let stub = Stub::start().await;
        script_metadata(&stub);
        let more = json!({ "value": [], "@Microsoft.Dynamics.CRM.morerecords": true });
        stub.on("GET", SET, [Reply::json(200, more)]);
        let connection = open(&stub);
        for (xml, code) in [
            ("<entity/>".to_owned(), "wrong_query"),
            ("<fetch".to_owned(), "wrong_query"),
            ("<fetch page='2'></fetch>".to_owned(), "wrong_query"),
            (format!("<fetch>{}</fetch>", "x".repeat(LONGEST)), "query_too_long"),
            ("<fetch></fetch>".to_owned(), "too_many_pages"),
        ] {
            let input = json!({ "table": "opportunity", "xml": xml, "max_pages": 2 });
            assert_eq!(call(&connection, "fetch_rows", input, false).await.unwrap_err().code, code);
        }
    }
}
