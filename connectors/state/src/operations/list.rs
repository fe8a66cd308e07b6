use std::cmp::Reverse;
use std::collections::HashSet;

use cosell_sdk::{CallContext, CallError, Effect, JsonSchema, Operation};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::read;
use crate::connection::State;
use crate::search::Search;

/// How many values come where it is not said, and at most.
const USUAL: usize = 50;
const MOST: usize = 500;

/// Which values.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListInput {
    /// How their keys begin.
    pub prefix: String,
    /// Words, with spaces between them: only values come in which each occurs, in the key or in a text or number of the
    /// value, in capitals or not.
    #[serde(default)]
    pub text: Option<String>,
    /// `next` of the page before: the key of its last value. Where that was written again since, or removed, the list
    /// begins anew.
    #[serde(default)]
    pub after: Option<String>,
    /// `previous` of the page behind: the key of its first value; not together with `after`. Where that was removed since,
    /// the list begins anew.
    #[serde(default)]
    pub before: Option<String>,
    /// At most so many, up to 500; 50 when not given.
    #[serde(default)]
    #[schemars(range(min = 1, max = 500))]
    pub most: Option<usize>,
}

/// Some values, the most recently written first.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ListOutput {
    /// The values.
    pub values: Vec<Kept>,
    /// What to give as `after` to get those that follow; null where these are the last.
    pub next: Option<String>,
    /// What to give as `before` to get those written later; null where these are the first.
    pub previous: Option<String>,
}

/// A kept value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Kept {
    /// Its key.
    pub key: String,
    /// The value.
    pub value: Value,
}

/// Lists values.
#[derive(Debug)]
pub struct List;

impl Operation for List {
    type Connection = State;
    type Input = ListInput;
    type Output = ListOutput;

    const NAME: &'static str = "list";
    const TITLE: &'static str = "List kept values";
    const DESCRIPTION: &'static str =
        "Lists values by how their keys begin, the most recently written first, in pages.";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLE: &'static str = r#"{ "prefix": "agreed:", "text": "northwind", "most": 25 }"#;

    async fn call(state: &State, input: ListInput, context: &CallContext) -> Result<ListOutput, CallError> {
        let most = input.most.unwrap_or(USUAL);
        if !(1..=MOST).contains(&most) {
            return Err(CallError::rejected("wrong_most", format!("`most` is {most}, and can be 1 to {MOST}")));
        }
        if input.after.is_some() && input.before.is_some() {
            let message = "a page stands either `after` or `before` another: give one of them";
            return Err(CallError::rejected("wrong_page", message));
        }
        // Where the page stood that this one is beside may be gone: the list then begins anew.
        let (after, before) = (still(state, input.after, context).await?, still(state, input.before, context).await?);
        let (behind, ahead) = (after.is_some(), before.is_some());
        // One more tells whether there are others on that side; on the side that a page is asked from there are.
        let search = Search::new(input.prefix, &input.text.unwrap_or_default(), after, most + 1).before(before);
        let mut values = search_foreseeing(state, search, context).await?;
        let more = values.len() > most;
        if more && ahead {
            values.remove(0);
        }
        values.truncate(most);
        let next = values.last().filter(|_| more || ahead).map(|last| last.key.clone());
        let previous = values.first().filter(|_| if ahead { more } else { behind }).map(|first| first.key.clone());
        Ok(ListOutput { values, next, previous })
    }
}

/// What is found, as it is kept.
async fn look(state: &State, search: Search, context: &CallContext) -> Result<Vec<Kept>, CallError> {
    let asked = search.asked();
    let seen = context.outside(&asked, async { Ok(json!(state.list(search).await?)) }).await?;
    serde_json::from_value(seen)
        .map_err(|error| CallError::rejected("wrong_recording", format!("`{asked}` was answered otherwise: {error}")))
}

/// A key, where a value is kept under it.
async fn still(state: &State, key: Option<String>, context: &CallContext) -> Result<Option<String>, CallError> {
    let Some(key) = key else { return Ok(None) };
    Ok(read(state, &key, context).await?.map(|_| key))
}

/// What is found, as a dry run has made it so far: what it would have written comes before all that was written before it.
async fn search_foreseeing(state: &State, mut search: Search, context: &CallContext) -> Result<Vec<Kept>, CallError> {
    let mut foreseen = context.foreseen_among(&search.prefix);
    if foreseen.is_empty() {
        return look(state, search, context).await;
    }
    foreseen.sort_unstable_by_key(|record| Reverse(record.written));
    let keys: HashSet<String> = foreseen.iter().map(|record| record.name.clone()).collect();
    let is_foreseen = |key: &Option<String>| key.as_ref().is_some_and(|key| keys.contains(key));
    let is_ahead = search.before.is_some();
    // What is foreseen is all later than what is kept.
    let has_foreseen = search.after.is_none() || is_foreseen(&search.after);
    let has_kept = !is_foreseen(&search.before);
    let place = |key: &Option<String>| foreseen.iter().position(|record| Some(&record.name) == key.as_ref());
    let (from, to) = (place(&search.after).map_or(0, |place| place + 1), place(&search.before).unwrap_or(keys.len()));
    let mut values = Vec::new();
    if has_foreseen {
        let records = foreseen.drain(from..to);
        let kept = records.filter_map(|record| Some(Kept { key: record.name, value: record.value? }));
        values.extend(kept.filter(|kept| search.means(&kept.key, &kept.value)));
    }
    let most = search.most;
    if has_kept {
        search.after = search.after.filter(|_| !has_foreseen);
        search.most += keys.len();
        values.extend(look(state, search, context).await?.into_iter().filter(|kept| !keys.contains(&kept.key)));
    }
    if is_ahead {
        values.drain(..values.len().saturating_sub(most));
    }
    values.truncate(most);
    Ok(values)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use cosell_sdk::{Connect, Connection, Foreseen, Tape};
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::connection::Settings;
    use crate::log::tests::Folder;

    fn both(folder: &Folder) -> [State; 2] {
        [None, Some(folder.file())].map(|file| State::connect(Settings { file }).unwrap())
    }

    async fn listed(state: &State, input: Value) -> Result<ListOutput, CallError> {
        let context = CallContext::new(uuid::Uuid::nil(), false);
        List::call(state, serde_json::from_value(input).unwrap(), &context).await
    }

    async fn keys(state: &State, input: Value) -> Vec<String> {
        listed(state, input).await.unwrap().values.into_iter().map(|kept| kept.key).collect()
    }

    #[tokio::test]
    async fn values_come_by_how_their_keys_begin_and_the_last_written_first() {
        let folder = Folder::new();
        for state in both(&folder) {
            for (key, value) in [("deal/1", "Fabrikam"), ("other/1", "Fabrikam"), ("deal/2", "Grün AG")] {
                state.set(key.to_owned(), Some(json!({ "customer": value, "\"odd\"": null }))).await.unwrap();
            }
            assert_eq!(keys(&state, json!({ "prefix": "deal/" })).await, ["deal/2", "deal/1"]);
            assert_eq!(keys(&state, json!({ "prefix": "deal/", "text": "FABRI 1" })).await, ["deal/1"]);
            assert_eq!(keys(&state, json!({ "prefix": "deal/", "text": "GRÜN ag" })).await, ["deal/2"]);
            assert!(keys(&state, json!({ "prefix": "deal/", "text": "customer" })).await.is_empty(), "a member's name");
            state.set("deal/1".to_owned(), Some(json!("written again"))).await.unwrap();
            state.set("deal/2".to_owned(), Some(json!({ "customer": "Grün AG", "\"odd\"": null }))).await.unwrap();
            assert_eq!(
                keys(&state, json!({ "prefix": "deal/" })).await,
                ["deal/1", "deal/2"],
                "equal values move nothing"
            );
            state.set("deal/1".to_owned(), None).await.unwrap();
            assert_eq!(keys(&state, json!({ "prefix": "" })).await, ["deal/2", "other/1"]);
        }
    }

    #[tokio::test]
    async fn a_page_beside_one_that_is_gone_is_the_first() {
        let folder = Folder::new();
        for state in both(&folder) {
            for key in ["a", "b", "c"] {
                state.set(key.to_owned(), Some(json!(1))).await.unwrap();
            }
            let first = listed(&state, json!({ "prefix": "", "most": 2 })).await.unwrap();
            for side in ["after", "before"] {
                let page = listed(&state, json!({ "prefix": "", "most": 2, side: "gone" })).await.unwrap();
                assert_eq!(json!(page), json!(first), "{side}");
            }
        }
    }

    #[tokio::test]
    async fn what_was_listed_is_played_without_the_values() {
        let open = || crate::connector().open(json!({})).unwrap();
        let context =
            |tape: &Tape| CallContext::new(Uuid::nil(), false).foreseeing(Foreseen::default()).taped(tape.clone());
        let (there, kept) = (open(), Tape::keeping());
        there.call("put", json!({ "key": "deal/1", "value": 5 }), context(&kept)).await.unwrap();
        let input = json!({ "prefix": "deal/" });
        let seen = there.call("list", input.clone(), context(&kept)).await.unwrap();
        let played = Tape::playing(kept.answers());
        assert_eq!(open().call("list", input, context(&played)).await.unwrap(), seen);
        assert_eq!(seen["values"][0]["value"], 5);
        let other = open().call("list", json!({ "prefix": "x" }), context(&played)).await;
        assert_eq!(other.unwrap_err().code, cosell_sdk::NOT_RECORDED);
    }

    #[tokio::test]
    async fn a_page_of_no_size_and_no_place_is_refused() {
        let folder = Folder::new();
        for state in both(&folder) {
            for most in [0, 501] {
                let error = listed(&state, json!({ "prefix": "", "most": most })).await.unwrap_err();
                assert_eq!(error.code, "wrong_most");
            }
            let error = listed(&state, json!({ "prefix": "", "after": "a", "before": "b" })).await.unwrap_err();
            assert_eq!(error.code, "wrong_page");
        }
    }

    /// Pages there and back again, each as it came.
    async fn paged(connection: &Connection, most: usize, context: impl Fn() -> CallContext) -> Vec<Value> {
        let (mut all, mut side, mut from) = (Vec::new(), "after", Value::Null);
        loop {
            let input = json!({ "prefix": "k", "most": most, side: from, "text": "1" });
            let page = connection.call("list", input, context()).await.unwrap();
            (side, from) = match (side, &page["next"]) {
                ("after", next @ Value::String(_)) => ("after", next.clone()),
                _ => ("before", page["previous"].clone()),
            };
            all.push(page);
            if from.is_null() {
                return all;
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

        /// What a dry run lists is what the run lists that has written the same.
        #[test]
        fn a_dry_run_lists_what_it_would_have_kept(
            written in prop::collection::vec((0..8u8, prop::option::weighted(0.8, 0..3u8)), 0..20), split in 0..20usize,
            most in 1..5usize,
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                let open = || crate::connector().open(json!({})).unwrap();
                let (dry, done, foreseen) = (open(), open(), Foreseen::default());
                let plain = || CallContext::new(Uuid::nil(), false);
                let foreseeing = || plain().foreseeing(foreseen.clone());
                for (number, (key, value)) in written.into_iter().enumerate() {
                    let (operation, input) = match value {
                        Some(value) => ("put", json!({ "key": format!("k{key}"), "value": { "v": value } })),
                        None => ("remove", json!({ "key": format!("k{key}") })),
                    };
                    done.call(operation, input.clone(), plain()).await.unwrap();
                    if number < split {
                        dry.call(operation, input, plain()).await.unwrap();
                    } else {
                        dry.predict(operation, input, foreseeing()).await.unwrap();
                    }
                }
                assert_eq!(paged(&dry, most, foreseeing).await, paged(&done, most, plain).await);
            });
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 30, failure_persistence: None, ..ProptestConfig::default() })]

        /// However long the pages are, each value comes once, in the order of writing, from either store.
        #[test]
        fn pages_give_each_value_once_in_order(
            written in prop::collection::vec((0..12u8, prop::option::weighted(0.8, 0..3u8)), 0..40), most in 1..5usize,
            text in prop::option::of(0..3u8),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                let folder = Folder::new();
                let mut expected: Vec<(String, u8)> = Vec::new();
                let states = both(&folder);
                for (key, value) in written {
                    let key = format!("k{key}");
                    let is_same = expected.iter().any(|(kept, old)| *kept == key && Some(*old) == value);
                    for state in &states {
                        state.set(key.clone(), value.map(|value| json!({ "v": value }))).await.unwrap();
                    }
                    if !is_same {
                        expected.retain(|(kept, _)| *kept != key);
                        expected.extend(value.map(|value| (key, value)));
                    }
                }
                // A digit may stand in the key as well.
                let word = text.map(|text| text.to_string()).unwrap_or_default();
                let is_meant = |(key, value): &&(String, u8)| key.contains(&word) || value.to_string() == word;
                let expected: Vec<String> =
                    expected.iter().rev().filter(is_meant).map(|(key, _)| key.clone()).collect();
                for state in &states {
                    let (mut pages, mut after) = (Vec::new(), None);
                    loop {
                        let input = json!({ "prefix": "k", "most": most, "after": after, "text": word });
                        let page = listed(state, input).await.unwrap();
                        assert!(page.values.len() <= most);
                        after = page.next.clone();
                        pages.push(page);
                        if after.is_none() { break }
                    }
                    let all = pages.iter().flat_map(|page| &page.values).map(|kept| &kept.key);
                    assert!(all.eq(&expected), "{pages:?}");
                    // And back.
                    assert_eq!(pages[0].previous, None);
                    for both in pages.windows(2) {
                        let input = json!({ "prefix": "k", "most": most, "before": both[1].previous, "text": word });
                        let newer = listed(state, input).await.unwrap();
                        assert_eq!(newer.values, both[0].values);
                        assert_eq!((newer.next, newer.previous), (both[0].next.clone(), both[0].previous.clone()));
                    }
                }
            });
        }
    }
}
