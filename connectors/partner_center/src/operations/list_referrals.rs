use cosell_sdk::{CallContext, CallError, Effect, JsonSchema, Operation};
use serde::{Deserialize, Serialize};

use crate::connection::{ListQuery, PartnerCenter};
use crate::referral::Referral;
use crate::search::Found;

/// Which referrals to read.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListReferralsInput {
    /// OData filter, such as `status eq 'New' and direction eq 'Incoming'`. Not everything can be filtered by:
    /// `externalReferenceId`, for one, cannot.
    #[serde(default)]
    pub filter: Option<String>,
    /// `createdDateTime` or `updatedDateTime`, with `asc` or `desc`.
    #[serde(default)]
    pub order_by: Option<String>,
    /// Members to read, such as `id,status`; the others are then null.
    #[serde(default)]
    pub select: Option<String>,
    /// How many referrals at most.
    #[serde(default)]
    pub top: Option<u32>,
    /// How many referrals to pass over at the beginning.
    #[serde(default)]
    pub skip: Option<u32>,
    /// Members to read in full, in OData's words.
    #[serde(default)]
    pub expand: Option<String>,
    /// Whether to have the referrals that pass the filter counted, however many are read.
    #[serde(default)]
    pub count: bool,
    /// How many pages at most. More referrals than fit are an error rather than a list that is silently short.
    #[serde(default = "default_max_pages")]
    pub max_pages: usize,
}

fn default_max_pages() -> usize {
    50
}

/// Referrals read.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Referrals {
    /// The referrals.
    pub referrals: Vec<Referral>,
    /// How many pass the filter; null where that was not asked for.
    pub count: Option<u64>,
}

/// Reads referrals by a filter.
#[derive(Debug)]
pub struct ListReferrals;

impl Operation for ListReferrals {
    type Connection = PartnerCenter;
    type Input = ListReferralsInput;
    type Output = Referrals;

    const NAME: &'static str = "list_referrals";
    const TITLE: &'static str = "List referrals";
    const DESCRIPTION: &'static str = "Reads the referrals that pass a filter, page by page.";
    const EXAMPLE: &'static str = r#"{
        "filter": "status eq 'New' and direction eq 'Incoming'", "order_by": "updatedDateTime desc", "top": 50
    }"#;
    const EFFECT: Effect = Effect::Read;

    async fn call(
        connection: &PartnerCenter,
        input: Self::Input,
        context: &CallContext,
    ) -> Result<Referrals, CallError> {
        let query = ListQuery {
            filter: input.filter,
            order_by: input.order_by,
            select: input.select,
            expand: input.expand,
            top: input.top,
            skip: input.skip,
            count: input.count,
        };
        let Found { referrals, count } = connection.search(&query, input.max_pages, context).await?;
        Ok(Referrals { referrals, count })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use crate::testing::{BASE, call, connect};
    use cosell_sdk::stub::{Reply, Stub};
    use serde_json::{Value, json};

    fn page(ids: &[&str], next_link: Option<&str>) -> Reply {
        let value: Vec<Value> = ids.iter().map(|id| json!({ "id": id })).collect();
        Reply::json(200, json!({ "value": value, "@odata.nextLink": next_link }))
    }

    #[tokio::test]
    async fn pages_are_followed_by_their_query_alone() {
        let stub = Stub::start().await;
        // As the documentation prints it: another scheme, and a path that is not the API's.
        let next = format!("{}/v1.0/referrals?$skiptoken=abc%3D", stub.origin().replace("http:", "https:"));
        stub.on("GET", &format!("{BASE}/referrals"), [page(&["a", "b"], Some(&next)), page(&["c"], None)]);
        let input = json!({ "filter": "status eq 'New'", "order_by": "createdDateTime desc", "select": "id" });
        let output = call(&connect(&stub), "list_referrals", input, false).await.unwrap();
        let ids: Vec<_> = output["referrals"].as_array().unwrap().iter().map(|referral| &referral["id"]).collect();
        assert_eq!(ids, ["a", "b", "c"]);
        assert_eq!(
            stub.lines(),
            [
                "GET /v1.0/engagements/referrals?$filter=status%20eq%20%27New%27&$orderby=createdDateTime%20desc&$select=id",
                "GET /v1.0/engagements/referrals?$skiptoken=abc%3D",
            ]
        );
    }

    #[tokio::test]
    async fn every_option_is_passed_on_and_the_count_given_back() {
        let stub = Stub::start().await;
        let counted = json!({ "value": [{ "id": "a" }], "@odata.count": 7 });
        stub.on("GET", &format!("{BASE}/referrals"), [Reply::json(200, counted)]);
        let input = json!({ "expand": "team", "top": 1, "skip": 2, "count": true });
        let output = call(&connect(&stub), "list_referrals", input, false).await.unwrap();
        assert_eq!(output["count"], 7);
        assert_eq!(stub.lines(), [format!("GET {BASE}/referrals?$expand=team&$top=1&$skip=2&$count=true")]);
    }

    #[tokio::test]
    async fn more_than_fits_is_an_error_and_top_is_a_limit() {
        let stub = Stub::start().await;
        stub.on(
            "GET",
            &format!("{BASE}/referrals"),
            [page(&["a", "b"], Some("/v1.0/engagements/referrals?$skiptoken=x"))],
        );
        let connection = connect(&stub);
        let error = call(&connection, "list_referrals", json!({ "max_pages": 2 }), false).await.unwrap_err();
        assert_eq!(error.code, "too_many_pages");
        let output = call(&connection, "list_referrals", json!({ "top": 3 }), false).await.unwrap();
        assert_eq!(output["referrals"].as_array().unwrap().len(), 3);
    }

    #[tokio::test]
    async fn a_link_to_another_host_is_not_followed() {
        let stub = Stub::start().await;
        stub.on(
            "GET",
            &format!("{BASE}/referrals"),
            [page(&["a"], Some("https://evil.example/referrals?$skiptoken=x"))],
        );
        assert_eq!(call(&connect(&stub), "list_referrals", json!({}), false).await.unwrap_err().code, "foreign_link");
    }
}
