//! The program is ended at every commit and at every remote call of each shipped flow, goes on, and in the end both sides
//! agree: nothing is lost, and nothing is done twice.
//!
//! People play a story (`scene`) scene by scene with the two systems, the real connectors and the real journal between
//! them (`world`), all in this process. Each scene's life ends at one point (`power` takes the current away from the journal;
//! the sandbox holds the request), and another takes up what it left. What must come of it is what came of it undisturbed
//! (`census`), and what the rules of the convergence test ask for (`verdict`).

#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs, unreachable_pub)]

#[allow(dead_code)]
#[path = "../convergence/book.rs"]
mod book;
#[allow(dead_code)]
#[path = "../convergence/case.rs"]
mod case;
#[path = "../convergence/edits.rs"]
mod edits;
#[allow(dead_code)]
#[path = "../convergence/people.rs"]
mod people;
#[path = "../convergence/shipped.rs"]
mod shipped;
#[path = "../convergence/verdict.rs"]
mod verdict;
#[allow(dead_code)]
#[path = "../convergence/watch.rs"]
mod watch;

mod census;
#[path = "../../engine/journal/tests/support/power.rs"]
mod power;
mod scene;
mod world;

use std::collections::BTreeSet;

use book::{Book, Deal};
use census::Census;
use scene::Scene;
use serde_json::json;
use verdict::Facts;
use world::{End, World};

/// What came of a scene, and how long its life was.
struct Came {
    census: Census,
    commits: u32,
    calls: u32,
}

/// Plays a story, with the life of each scene ending as `ends` says, and compares what came of it with what should have.
/// Gives what came of each scene, and how many lives were ended.
fn play(world: &World, story: &[Scene], ends: &[End], expected: &[Came]) -> Result<(usize, Vec<Came>), String> {
    world.reset();
    let (mut book, mut all, mut ended) = (Book::default(), Vec::new(), 0);
    for (number, (scene, end)) in story.iter().zip(ends).enumerate() {
        let place = |what: String| format!("{end:?} in scene {number} {scene:?}: {what}");
        let mut news = world.with(async |people| scene.play(number, people, &mut book).await);
        let log = world.with(async |people| people.log(0).await.len());
        let life = world.live(end, &mut news).map_err(place)?;
        let calls = world.with(async |people| people.log(0).await.len()) - log;
        ended += usize::from(life.ended || matches!(end, End::Fault(number, _) if calls >= *number as usize));
        if life.ended {
            world.live(&End::AtRest, &mut news).map_err(place)?;
        }
        book.deals.iter_mut().for_each(Deal::rested);
        let census = world.with(async |people| census::take(people, log as u64).await);
        let mut wrong = world.unsound();
        if let Some(expected) = expected.get(number) {
            wrong.extend(census::differences(&census, &expected.census));
        }
        all.push(Came { census, commits: life.commits, calls: u32::try_from(calls).unwrap() });
        if !wrong.is_empty() {
            return Err(place(format!("\n  {}", wrong.join("\n  "))));
        }
    }
    // Both systems tell of what was written, too; when they have, both sides agree, and nothing is written any more.
    let place = |what: String| format!("{ends:?}, at the end of the story: {what}");
    let mut late = Census::new();
    for again in [false, true] {
        let log = world.with(async |people| people.log(0).await.len() as u64);
        let mut news = world.with(async |people| scene::walk(again, people, &book).await);
        world.live(&End::AtRest, &mut news).map_err(place)?;
        late = world.with(async |people| census::effects(people, log).await);
    }
    let mut wrong = world.with(async |people| Facts::gather(people).await.wrong(&book));
    wrong.extend(late.into_keys().map(|write| format!("still written: {write}")));
    if wrong.is_empty() { Ok((ended, all)) } else { Err(place(format!("\n  {}", wrong.join("\n  ")))) }
}

/// Plays the story over and over, until each scene has met each of its ends: those that `ends` names for a life of so many
/// commits and calls, or one in `step` of them, where `COSELL_KILLS=all` does not ask for all.
fn meet(name: &str, story: &[Scene], step: usize, ends: impl Fn(&Came) -> Vec<End>) {
    let step = if std::env::var("COSELL_KILLS").is_ok_and(|kills| kills == "all") { 1 } else { step };
    let world = World::start(name);
    let undisturbed = || play(&world, story, &vec![End::Counted; story.len()], &[]).unwrap().1;
    // The first time, connections sign in and learn what tables there are.
    undisturbed();
    let expected = undisturbed();
    // Where only some are met, they are others in each scene.
    let some =
        |(number, came): (usize, &Came)| ends(came).into_iter().skip(number % step).step_by(step).collect::<Vec<_>>();
    let ends: Vec<Vec<End>> = expected.iter().enumerate().map(some).collect();
    let (mut met, mut wrong) = (0, Vec::new());
    for round in 0..ends.iter().map(Vec::len).max().unwrap_or_default() {
        let mut now: Vec<End> = ends.iter().map(|ends| ends.get(round).cloned().unwrap_or(End::AtRest)).collect();
        // Scenes behind the last that has an end left need not be played.
        now.truncate(1 + now.iter().rposition(|end| *end != End::AtRest).unwrap_or_default());
        match play(&world, story, &now, &expected) {
            Ok((ended, _)) => met += ended,
            Err(why) => wrong.push(why),
        }
    }
    eprintln!("{name}: {met} of {} ends met, in {} scenes", ends.iter().map(Vec::len).sum::<usize>(), story.len());
    assert!(wrong.is_empty(), "{} stories went wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(met > 50, "{met}");
}

/// At every commit that somebody waits for, before and after; at every call, before and after its effect.
fn kills(came: &Came) -> Vec<End> {
    let calls = (1..=came.calls).flat_map(|number| [End::Before(number), End::After(number)]);
    (0..came.commits).map(End::Commit).chain(calls).collect()
}

/// At every call everything that can go wrong with it, of which some is a token that has run out, or a clock that is wrong.
fn faults(came: &Came) -> Vec<End> {
    let actions = [
        json!({ "status": 500 }),
        json!({ "status": 502 }),
        json!({ "status": 503 }),
        json!({ "status": 429, "retry_after": 0 }),
        json!({ "status": 401 }),
        json!({ "skew_seconds": 86_400 }),
        json!({ "skew_seconds": -86_400 }),
        json!({ "delay_ms": 30 }),
        json!("reset_before"),
        json!("reset_after"),
        json!("half_body"),
        json!("malformed_json"),
        json!("wrong_content_type"),
    ];
    let at = |number| actions.iter().map(move |action| End::Fault(number, action.clone()));
    (1..=came.calls).flat_map(at).collect()
}

#[test]
fn whatever_goes_wrong_with_a_call_from_partner_center() {
    meet("faults-from-partner-center", &scene::from_partner_center(), 14, faults);
}

#[test]
fn whatever_goes_wrong_with_a_call_from_the_crm() {
    meet("faults-from-the-crm", &scene::from_the_crm(), 14, faults);
}

#[test]
fn nothing_is_lost_or_doubled_from_partner_center() {
    meet("kills-from-partner-center", &scene::from_partner_center(), 5, kills);
}

#[test]
fn nothing_is_lost_or_doubled_from_the_crm() {
    meet("kills-from-the-crm", &scene::from_the_crm(), 5, kills);
}

#[test]
fn the_stories_run_every_shipped_flow() {
    let (mut run, mut flows) = (BTreeSet::new(), BTreeSet::new());
    for (name, story) in [("flows-center", scene::from_partner_center()), ("flows-crm", scene::from_the_crm())] {
        let world = World::start(name);
        play(&world, &story, &vec![End::AtRest; story.len()], &[]).unwrap();
        run.extend(world.flows_run());
        flows = world.flows();
    }
    assert_eq!(run, flows);
}
