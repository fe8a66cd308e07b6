//! Change tracking that has forgotten what it was asked before.

use std::time::Duration;

use cosell_service::polls::Polls;
use serde_json::json;

use crate::world::{World, flow};

const WATCH: &str = "
flow: watch
trigger: { use: dataverse.row_changed, with: { table: account, select: [name] } }
steps: {}
output: ${{ trigger.row.name }}
";

const EIGHT_DAYS: u32 = 8 * 24 * 3600;

#[tokio::test]
async fn after_a_long_absence_what_changed_is_told_and_nothing_else() {
    let world = World::start().await;
    let program = world.serve(flow(WATCH)).await;
    // It is asked only when the test says so.
    let polls = Polls::begin(&program.dispatcher, Duration::from_secs(3600));
    polls.ready().await;
    let early = world.row("accounts", json!({ "name": "early" })).await;
    polls.answered().await;
    polls.answered().await;
    assert_eq!(program.runs.await_of("watch", 1).await, ["early"]);

    world.row("accounts", json!({ "name": "meanwhile" })).await;
    world.control("POST", "/clock", json!({ "advance_seconds": EIGHT_DAYS })).await;
    polls.answered().await;
    program.dispatcher.idle().await;
    assert_eq!(program.runs.of("watch"), ["early", "meanwhile"]);

    world.control("PATCH", &format!("/crm/rows/accounts/{early}"), json!({ "name": "later" })).await;
    polls.answered().await;
    program.dispatcher.idle().await;
    assert_eq!(program.runs.of("watch"), ["early", "meanwhile", "later"], "and from then on as before");
}
