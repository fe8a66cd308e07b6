#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::fs;

use proptest::prelude::*;
use serde_json::json;

use super::*;

/// A folder of a test's own, gone with it.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        let path = std::env::temp_dir().join(format!("cosell-state-{}", uuid::Uuid::new_v4()));
        Self(path)
    }

    /// A file in a folder below that is not there yet.
    pub(crate) fn file(&self) -> PathBuf {
        self.0.join("kept").join("state.jsonl")
    }

    fn log(&self) -> Log {
        Log::new(self.file())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn what_is_kept_is_there_for_everybody_at_once_and_after_a_restart() {
    let folder = Folder::new();
    let (mut one, mut other) = (folder.log(), folder.log());
    assert_eq!(one.get("a"), Ok(None));
    assert_eq!(one.set("a", Some(&json!({ "deal": [1.5, null, "ä\n"] }))), Ok(true));
    assert_eq!(other.get("a"), Ok(Some(json!({ "deal": [1.5, null, "ä\n"] }))));
    assert_eq!(other.set("a", Some(&json!({ "deal": [1.5, null, "ä\n"] }))), Ok(false), "the same value again");
    assert_eq!(other.set("b", Some(&json!(null))), Ok(true));
    assert_eq!((one.get("b"), one.set("a", None), one.set("a", None)), (Ok(Some(json!(null))), Ok(true), Ok(false)));
    let mut later = folder.log();
    assert_eq!((later.get("a"), later.get("b")), (Ok(None), Ok(Some(json!(null)))));
    let text = fs::read_to_string(folder.file()).unwrap();
    assert_eq!(text.lines().count(), 3, "a line a change, and none for what changes nothing: {text}");
}

#[test]
fn what_a_crash_left_of_a_line_is_ignored_and_written_over() {
    let folder = Folder::new();
    let mut log = folder.log();
    log.set("a", Some(&json!(1))).unwrap();
    let whole = fs::read_to_string(folder.file()).unwrap();
    for torn in ["{\"put\":\"a\",\"val", "{\"put\":\"a\",\"value\":2}", "\0\0\0\0"] {
        fs::write(folder.file(), format!("{whole}{torn}")).unwrap();
        assert_eq!((log.get("a"), folder.log().get("a")), (Ok(Some(json!(1))), Ok(Some(json!(1)))), "{torn}");
    }
    log.set("b", Some(&json!(2))).unwrap();
    assert_eq!(fs::read_to_string(folder.file()).unwrap(), format!("{whole}{{\"put\":\"b\",\"value\":2}}\n"));
}

#[test]
fn any_other_broken_line_is_named() {
    let folder = Folder::new();
    folder.log().set("a", Some(&json!(1))).unwrap();
    let whole = fs::read_to_string(folder.file()).unwrap();
    for broken in ["rubbish", "{\"put\":\"a\",\"remove\":\"a\"}", "{}", "{\"put\":1}", ""] {
        fs::write(folder.file(), format!("{whole}{broken}\n{whole}")).unwrap();
        let error = folder.log().get("a").unwrap_err();
        assert_eq!((error.meaning, error.code.as_str()), (Meaning::Rejected, "broken_state"), "{broken}");
        assert!(error.message.starts_with(&format!("{}:2: ", folder.file().display())), "{error}");
    }
    let mut log = folder.log();
    assert!(log.set("b", Some(&json!(1))).is_err(), "nothing is written behind it");
    fs::write(folder.file(), whole).unwrap();
    assert_eq!(log.get("a"), Ok(Some(json!(1))), "once repaired, all is well again");
}

#[test]
fn a_log_of_many_changes_is_made_compact_when_it_is_opened_and_nobody_is_left_behind() {
    let folder = Folder::new();
    let mut early = folder.log();
    for number in 0..=MANY_LINES {
        early.set("a", Some(&json!(number))).unwrap();
    }
    early.set("b", Some(&json!("x"))).unwrap();
    let lines = || fs::read_to_string(folder.file()).unwrap().lines().count();
    assert_eq!(lines() as u64, MANY_LINES + 2);
    let mut late = folder.log();
    assert_eq!(late.get("a"), Ok(Some(json!(MANY_LINES))));
    assert_eq!(lines(), 2);
    early.set("c", Some(&json!(1))).unwrap();
    assert_eq!((late.get("b"), late.get("c"), lines()), (Ok(Some(json!("x"))), Ok(Some(json!(1))), 3));
}

#[test]
fn a_file_that_cannot_be_used_is_named() {
    let folder = Folder::new();
    fs::create_dir_all(folder.file()).unwrap();
    let error = folder.log().get("a").unwrap_err();
    assert_eq!((error.meaning, error.code.as_str()), (Meaning::Rejected, "state_file"));
    assert!(error.message.contains(&format!("`{}` cannot be opened", folder.file().display())), "{error}");
}

#[test]
fn writers_side_by_side_lose_nothing() {
    let folder = Folder::new();
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let mut log = folder.log();
            scope.spawn(move || {
                for number in 0..25 {
                    log.set(&format!("{writer}.{number}"), Some(&json!(number))).unwrap();
                }
            });
        }
    });
    let mut log = folder.log();
    for writer in 0..4 {
        for number in 0..25 {
            assert_eq!(log.get(&format!("{writer}.{number}")), Ok(Some(json!(number))));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is done by whichever of two processes, restarts among it, it is as if one map had held everything.
    #[test]
    fn it_is_a_map(done in prop::collection::vec((0..2usize, 0..3u8, prop::option::of(0..4u8), any::<bool>()), 1..25)) {
        let folder = Folder::new();
        let mut processes = [folder.log(), folder.log()];
        let mut map = HashMap::new();
        for (process, key, value, restart) in done {
            if restart {
                processes[process] = folder.log();
            }
            let (log, key, value) = (&mut processes[process], key.to_string(), value.map(|value| json!(value)));
            let before = match value.clone() {
                Some(value) => map.insert(key.clone(), value),
                None => map.remove(&key),
            };
            prop_assert_eq!(log.set(&key, value.as_ref()).unwrap(), before != value);
            for log in &mut processes {
                prop_assert_eq!(&log.get(&key).unwrap(), &value);
            }
        }
    }
}
