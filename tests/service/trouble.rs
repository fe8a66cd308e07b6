//! The journal cannot be written to for a while: what arrives is refused, nothing is lost, and work goes on by itself.

use rusqlite::Connection;
use tokio::time::{Duration, sleep};

use crate::program::{Program, Project};
use crate::{Stage, block_on, edits};

/// What the service answers to a note.
async fn noted(project: &Project) -> u16 {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    http.post(project.entrance("note")).json(&serde_json::json!({})).send().await.unwrap().status().as_u16()
}

/// People work while there is trouble, until it is over.
async fn troubled<T>(name: &str, begin: impl FnOnce(&Project, &Program) -> T, end: impl FnOnce(T, &Program)) {
    let mut stage = Stage::open(name).await;
    let program = stage.project.serve();
    stage.make().await;
    assert_eq!(noted(&stage.project).await, 202);
    let trouble = begin(&stage.project, &program);
    for (deal, edit) in edits(1) {
        stage.people.act(&mut stage.book, deal, &edit).await;
    }
    assert_eq!(noted(&stage.project).await, 503);
    for (deal, edit) in edits(2) {
        stage.people.act(&mut stage.book, deal, &edit).await;
    }
    end(trouble, &program);
    while noted(&stage.project).await != 202 {
        sleep(Duration::from_millis(50)).await;
    }
    stage.rest().await;
    stage.judge().await;
}

#[test]
fn while_the_journal_is_locked_work_waits() {
    let lock = |project: &Project, _: &Program| {
        let other = Connection::open(project.journal()).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        other
    };
    block_on(troubled("service-locked", lock, |other, _| other.execute_batch("ROLLBACK").unwrap()));
}

#[test]
fn while_no_file_can_grow_work_waits() {
    let full = |_: &Project, program: &Program| program.limit_files(Some(1));
    block_on(troubled("service-full", full, |(), program| program.limit_files(None)));
}
