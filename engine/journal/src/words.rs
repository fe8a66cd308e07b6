//! Runs by the words of the texts that they began with.
//!
//! A part of a word finds it, and how many runs are found by `re` is as many as have any word that begins so: SQLite puts all
//! of them together before it gives the first. So words stand on shelves, each with the words of so many runs, one behind the
//! other. A page of what is found is put together from the newest shelf on, and is full early where many are found; where few
//! are, a look at each shelf is all it takes.

use std::collections::HashSet;

use cosell_runtime::keep::NotKept;
use jiff::Timestamp;
use rusqlite::types::ToSql;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::Reader;
use crate::read::{Cursor, Filter, Listed, Question, listed};

/// How many runs stand on a shelf. With more, each look into one takes longer; with fewer, there are more to look into.
const SHELF: i64 = if cfg!(test) { 3 } else { 32_768 };

/// How many runs of a key are looked at together, at least.
const AT_ONCE: usize = if cfg!(test) { 1 } else { 50 };

/// How the table of a shelf is made: it tells which runs have a word, and nothing else.
const MAKE: &str = "USING fts5 (text, content = '', contentless_delete = 1, detail = none)";

/// The first number on the shelf where the run of a number stands.
fn shelf_of(connection: &Connection, number: i64) -> rusqlite::Result<Option<i64>> {
    let mut select = connection.prepare_cached("SELECT max(first) FROM shelves WHERE first <= ?1")?;
    select.query_row([number], |row| row.get(0))
}

/// Has the run be found by the texts that it began with, where it is kept and not found by them already.
pub(crate) fn note_words(change: &Transaction<'_>, run: &str) -> rusqlite::Result<()> {
    let new = change
        .prepare_cached("INSERT OR IGNORE INTO searched (run) SELECT run FROM runs WHERE run = ?1")?
        .execute([run])?;
    if new == 0 {
        return Ok(());
    }
    let number = change.last_insert_rowid();
    let shelf = match shelf_of(change, number)?.filter(|first| number - first < SHELF) {
        Some(first) => first,
        None => {
            change.execute_batch(&format!("CREATE VIRTUAL TABLE words_{number} {MAKE}"))?;
            let begin = "INSERT INTO shelves (first, oldest, newest) VALUES (?1, 1 << 62, -(1 << 62))";
            change.execute(begin, [number])?;
            number
        }
    };
    change
        .prepare_cached(
            "UPDATE shelves SET oldest = min(oldest, began), newest = max(newest, began)
             FROM (SELECT began FROM runs WHERE run = ?2) WHERE first = ?1",
        )?
        .execute(params![shelf, run])?;
    let texts = format!(
        "INSERT INTO words_{shelf} (rowid, text) SELECT ?1, substr(
            coalesce(key, '') || ' '
            || coalesce((SELECT group_concat(atom, ' ') FROM json_tree(trigger) WHERE type = 'text'), '') || ' '
            || coalesce((SELECT group_concat(atom, ' ') FROM json_tree(inputs) WHERE type = 'text'), ''), 1, 4000)
        FROM runs WHERE run = ?2"
    );
    change.prepare_cached(&texts)?.execute(params![number, run]).map(drop)
}

/// Has those runs be found that began before the process ended, and after what was noted last.
pub(crate) fn note_missing_words(connection: &mut Connection) -> rusqlite::Result<()> {
    // Runs begin in about the order in which they are noted.
    const MARGIN: i64 = 3_600_000_000;
    let change = connection.transaction()?;
    let missing: Vec<String> = {
        let mut select = change.prepare(
            "SELECT run FROM runs r WHERE run = root AND NOT EXISTS (SELECT 1 FROM searched s WHERE s.run = r.run)
             AND began >= coalesce((SELECT l.began FROM searched s JOIN runs l ON l.run = s.run
                                    ORDER BY s.number DESC LIMIT 1), 0) - ?1 ORDER BY began, run",
        )?;
        select.query_map([MARGIN], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?
    };
    missing.iter().try_for_each(|run| note_words(&change, run))?;
    change.commit()
}

/// Has the run not be found any more.
pub(crate) fn forget_words(change: &Transaction<'_>, run: &str) -> rusqlite::Result<()> {
    let mut delete = change.prepare_cached("DELETE FROM searched WHERE run = ?1 RETURNING number")?;
    let Some(number) = delete.query_row([run], |row| row.get(0)).optional()? else { return Ok(()) };
    let Some(shelf) = shelf_of(change, number)? else { return Ok(()) };
    change.prepare_cached(&format!("DELETE FROM words_{shelf} WHERE rowid = ?1"))?.execute([number]).map(drop)
}

/// Takes away shelves on which nothing stands; new runs come on the last.
pub(crate) fn clear_shelves(change: &Transaction<'_>) -> rusqlite::Result<()> {
    let empty: Vec<i64> = {
        let mut select = change.prepare(
            "SELECT s.first FROM shelves s JOIN shelves n ON n.first = (SELECT min(first) FROM shelves WHERE first > s.first)
             WHERE NOT EXISTS (SELECT 1 FROM searched WHERE number >= s.first AND number < n.first)",
        )?;
        select.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?
    };
    empty.iter().try_for_each(|shelf| {
        change.execute_batch(&format!("DROP TABLE words_{shelf}"))?;
        change.execute("DELETE FROM shelves WHERE first = ?1", [shelf]).map(drop)
    })
}

/// The words of a text, as the index has them: what looks for them must take texts apart as it does.
fn words_of(connection: &Connection, text: &str) -> rusqlite::Result<Vec<String>> {
    connection.execute_batch(
        "CREATE VIRTUAL TABLE IF NOT EXISTS temp.asked USING fts5 (text, detail = none);
         CREATE VIRTUAL TABLE IF NOT EXISTS temp.asked_words USING fts5vocab (temp, asked, row);
         DELETE FROM temp.asked;",
    )?;
    connection.prepare_cached("INSERT INTO temp.asked (text) VALUES (?1)")?.execute([text])?;
    let mut select = connection.prepare_cached("SELECT term FROM temp.asked_words")?;
    select.query_map([], |row| row.get(0))?.collect()
}

/// A word in the language of the index: it begins one of the text's.
fn begins(word: &String) -> String {
    format!("\"{word}\"*")
}

/// What is looked for, in one moment of the journal.
struct Search<'c> {
    connection: &'c Connection,
    /// The one that was missing from a shelf last stands first.
    words: Vec<String>,
}

impl Search<'_> {
    /// What is asked of the index; none where a word is in no text of the shelf. So a look at the rarest word is all that
    /// most shelves take, and those that very many texts have are not put together in vain.
    fn on(&mut self, shelf: i64) -> rusqlite::Result<Option<String>> {
        if self.words.len() > 1 {
            let sql = format!("SELECT 1 FROM words_{shelf} WHERE words_{shelf} MATCH ?1 LIMIT 1");
            let mut look = self.connection.prepare_cached(&sql)?;
            for at in 0..self.words.len() {
                if !look.exists([&self.words[at]])? {
                    self.words[..=at].rotate_right(1);
                    return Ok(None);
                }
            }
        }
        Ok(Some(self.words.join(" AND ")))
    }

    /// Shelf by shelf.
    fn all(&mut self, filter: &Filter) -> rusqlite::Result<Vec<Listed>> {
        let mut shelves = self.connection.prepare_cached(
            "SELECT first FROM shelves WHERE first < coalesce((SELECT number FROM searched WHERE run = ?1), 1 << 62)
             AND first >= coalesce((SELECT max(b.first) FROM shelves b JOIN searched ON b.first <= number WHERE run = ?2), 0)
             AND newest >= ?3 AND oldest < ?4 ORDER BY first DESC",
        )?;
        let [after, before] = [&filter.after, &filter.before].map(|cursor| cursor.as_ref().map(|cursor| &cursor.run));
        let since = filter.since.map_or(i64::MIN, Timestamp::as_microsecond);
        let until = filter.until.map_or(i64::MAX, Timestamp::as_microsecond);
        let shelves = shelves.query_map(params![after, before, since, until], |row| row.get(0))?;
        let mut shelves: Vec<i64> = shelves.collect::<rusqlite::Result<_>>()?;
        if before.is_some() {
            shelves.reverse();
        }
        let mut found = Vec::new();
        for shelf in shelves {
            let missing = filter.most() - found.len();
            if missing == 0 {
                break;
            }
            if let Some(words) = self.on(shelf)? {
                found.extend(rows(self.connection, &filter.question(Some((shelf, &words)), missing))?);
            }
        }
        Ok(found)
    }

    /// Those of a key are few against those with a word: they are gone through in their own order.
    fn of_key(&mut self, filter: &Filter) -> rusqlite::Result<Vec<Listed>> {
        let (mut found, mut from) = (Vec::new(), filter.clone());
        let page = filter.most().max(AT_ONCE);
        loop {
            let some = rows(self.connection, &from.question(None, page))?;
            let are_more = some.len() == page;
            let last = some.last().map(|last| Cursor { began: last.began, run: last.run.clone() });
            *(if filter.before.is_some() { &mut from.before } else { &mut from.after }) = last;
            found.extend(self.those_with_words(some)?);
            if found.len() >= filter.most() || !are_more {
                found.truncate(filter.most());
                return Ok(found);
            }
        }
    }

    fn those_with_words(&mut self, runs: Vec<Listed>) -> rusqlite::Result<Vec<Listed>> {
        let mut number = self.connection.prepare_cached("SELECT number FROM searched WHERE run = ?1")?;
        let numbers = runs.iter().map(|run| number.query_row([&run.run], |row| row.get(0)).optional());
        let numbers: Vec<Option<i64>> = numbers.collect::<rusqlite::Result<_>>()?;
        let mut left: Vec<i64> = numbers.iter().flatten().copied().collect();
        left.sort_unstable();
        let mut have = HashSet::new();
        while let (Some(least), Some(most)) = (left.first().copied(), left.last().copied()) {
            let Some(shelf) = shelf_of(self.connection, most)? else { break };
            if let Some(words) = self.on(shelf)? {
                let sql =
                    format!("SELECT rowid FROM words_{shelf} WHERE words_{shelf} MATCH ?1 AND rowid BETWEEN ?2 AND ?3");
                let mut select = self.connection.prepare_cached(&sql)?;
                let matching = select.query_map(params![words, least.max(shelf), most], |row| row.get::<_, i64>(0))?;
                for matching in matching {
                    have.insert(matching?);
                }
            }
            left.retain(|number| *number < shelf);
        }
        let meant =
            runs.into_iter().zip(numbers).filter(|(_, number)| number.is_some_and(|number| have.contains(&number)));
        Ok(meant.map(|(run, _)| run).collect())
    }
}

fn rows(connection: &Connection, question: &Question) -> rusqlite::Result<Vec<Listed>> {
    let bound: Vec<&dyn ToSql> = question.values.iter().map(|value| value as &dyn ToSql).collect();
    connection.prepare_cached(&question.sql)?.query_map(&*bound, listed)?.collect()
}

impl Reader {
    /// Runs that nobody called, the newest first. Every page costs the same, however far down the list it is, and however
    /// many have its words.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn runs(&self, filter: &Filter) -> Result<Vec<Listed>, NotKept> {
        self.ask(|connection| {
            let words = filter.text.as_deref().map_or(Ok(Vec::new()), |text| words_of(connection, text))?;
            // Shelves may come and go meanwhile.
            let moment = connection.unchecked_transaction()?;
            let mut search = Search { connection: &moment, words: words.iter().map(begins).collect() };
            let mut runs = match &filter.key {
                _ if words.is_empty() => rows(&moment, &filter.question(None, filter.most()))?,
                Some(_) => search.of_key(filter)?,
                None => search.all(filter)?,
            };
            if filter.before.is_some() {
                runs.reverse();
            }
            Ok(runs)
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use cosell_model::{FlowId, Value};
    use cosell_runtime::keep::{Began, Keeper};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::{Journal, upkeep};

    const TEXTS: [&str; 5] = ["Fabrikam GmbH", "fabric-7c", "7C", "Grün \"AG\"", ""];
    const ASKED: [&str; 9] = ["f", "FABRI", "fabrikam", "7", "grun", "fab NOT", "a -7c*", "zzz fab", " *\"' "];

    /// A run as it began, in the order in which they were noted.
    #[derive(Clone, Debug)]
    struct Noted {
        run: String,
        key: Option<String>,
        flow: &'static str,
        began: i64,
        text: String,
    }

    impl Noted {
        /// The rule: each word that is asked for begins one of the text's.
        fn has(&self, asked: &str) -> bool {
            let words = |text: &str| -> Vec<String> {
                let text = text.to_lowercase().replace('ü', "u");
                text.split(|letter: char| !letter.is_alphanumeric())
                    .filter(|word| !word.is_empty())
                    .map(str::to_owned)
                    .collect()
            };
            let own = words(&format!("{} {}", self.key.as_deref().unwrap_or_default(), self.text));
            words(asked).iter().all(|asked| own.iter().any(|word| word.starts_with(asked.as_str())))
        }
    }

    fn noted() -> impl Strategy<Value = Vec<Noted>> {
        let texts = prop::collection::vec(prop::sample::select(&TEXTS[..]), 0..3);
        let key = prop::option::of(prop::sample::select(&["fab:0", "fab:1"][..]));
        let one = (key, prop::sample::select(&["f", "g"][..]), 0..6i64, texts, any::<u32>());
        let one = one.prop_map(|(key, flow, began, texts, run)| {
            let key = key.map(str::to_owned);
            Noted { run: run.to_string(), key, flow, began, text: texts.join(", ") }
        });
        prop::collection::vec(one, 0..14).prop_map(|mut runs| {
            runs.iter_mut().enumerate().for_each(|(at, run)| run.run += &format!("-{at}"));
            runs
        })
    }

    async fn note(journal: &Journal, runs: &[Noted]) {
        for run in runs {
            journal.began(Began {
                run: run.run.clone(),
                flow: FlowId::new(run.flow),
                version: "v".to_owned(),
                plan: 0,
                key: run.key.clone(),
                trigger: json!({ "zzz": [run.text] }),
                inputs: Value::Null,
                left_out: 0,
                life: 0,
                skipped: Vec::new(),
                at: Timestamp::from_second(run.began).unwrap(),
            });
        }
        journal.flushed().await.unwrap();
    }

    /// All pages of a list; the page before each is the one that it followed.
    fn paged(journal: &Journal, list: &Filter) -> Vec<String> {
        let page = |after, before| journal.reader().runs(&Filter { after, before, ..list.clone() }).unwrap();
        let cursor = |run: &Listed| Some(Cursor { began: run.began, run: run.run.clone() });
        let (mut all, mut newer, mut after) = (Vec::new(), Vec::new(), None);
        loop {
            let older = page(after, None);
            assert!(older.len() <= list.most());
            after = older.last().and_then(cursor);
            if let Some(first) = older.first() {
                assert_eq!(page(None, cursor(first)), newer);
            }
            all.extend(older.iter().map(|run| run.run.clone()));
            if after.is_none() {
                return all;
            }
            newer = older;
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        /// However runs stand on shelves, of which some are gone, pages show what has the words, in order.
        #[test]
        fn pages_show_what_a_look_at_each_run_would(
            early in noted(), late in noted(), most in 1..4u32, gone in any::<[bool; 14]>(),
            window in prop::option::of((0..6i64, 0..6i64)),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let journal = Journal::open(&folder.path().join("journal.db")).unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(note(&journal, &early));
            let (gone, stay): (Vec<_>, Vec<_>) = early.into_iter().zip(gone).partition(|(_, gone)| *gone);
            runtime.block_on(journal.writer().written(Box::new(move |change| {
                gone.iter().try_for_each(|(run, _)| upkeep::forget(change, &run.run))?;
                clear_shelves(change)
            }))).unwrap();
            let late = late.into_iter().map(|run| Noted { run: format!("late-{}", run.run), ..run });
            let late: Vec<Noted> = late.collect();
            runtime.block_on(note(&journal, &late));
            let runs: Vec<Noted> = stay.into_iter().map(|(run, _)| run).chain(late).collect();
            let [since, until] = [window.map(|(since, _)| since), window.map(|(_, until)| until)];
            let time = |second: i64| Timestamp::from_second(second).unwrap();
            let [from, to] = [since, until].map(|second| second.map(time));
            for asked in ASKED {
                for (key, flow) in [(None, None), (Some("fab:1"), None), (None, Some("g")), (Some("fab:0"), Some("f"))] {
                    let (text, key) = (Some(asked.to_owned()), key.map(str::to_owned));
                    let (of_flow, of_key) = (flow.map(FlowId::new), key.clone());
                    let filter = Filter { text, key: of_key, flow: of_flow, since: from, until: to, most, ..Filter::default() };
                    let is_meant = |run: &&Noted| {
                        let in_time = since.is_none_or(|at| run.began >= at) && until.is_none_or(|at| run.began < at);
                        let is_of = flow.is_none_or(|flow| run.flow == flow) && (key.is_none() || run.key == key);
                        run.has(asked) && in_time && is_of
                    };
                    let mut meant: Vec<&Noted> = runs.iter().rev().filter(is_meant).collect();
                    // Without a word it is the list of all.
                    if key.is_some() || asked == " *\"' " {
                        meant.sort_by(|a, b| (b.began, &b.run).cmp(&(a.began, &a.run)));
                    }
                    let meant: Vec<String> = meant.into_iter().map(|run| run.run.clone()).collect();
                    prop_assert_eq!(paged(&journal, &filter), meant, "{} {:?} {:?}", asked, key, flow);
                }
            }
        }
    }

    #[test]
    fn a_text_is_taken_apart_as_the_index_takes_it() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(&folder.path().join("journal.db")).unwrap();
        let words = |text: &str| journal.reader().ask(|connection| words_of(connection, text)).unwrap();
        assert_eq!(words("Fabrikam  GmbH"), ["fabrikam", "gmbh"]);
        assert_eq!(words("6f1d-7c \" NOT*"), ["6f1d", "7c", "not"]);
        assert_eq!(words(" -*\"' "), [""; 0]);
        // Signs that are part of words, but not to the index.
        let run =
            Noted {
                run: "r".to_owned(), key: None, flow: "f", began: 1, text: "हिन्दी ไทย Ⓐb cafe\u{301}".to_owned()
            };
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(note(&journal, std::slice::from_ref(&run)));
        for text in run.text.split(' ') {
            assert_eq!(paged(&journal, &Filter { text: Some(text.to_owned()), ..Filter::default() }), ["r"], "{text}");
        }
    }
}
