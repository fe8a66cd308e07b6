//! `cosell test`: tests of flows, each played by the real flows and connectors against stand-ins of its own.
//!
//! [`files`] finds the tests, `cosell_compile::testcase` reads them. [`stage`] is a sandbox that is used by one test after
//! the other; [`play`] has happen what a test says, and [`recorded`] what was recorded, with [`names`] for records and
//! [`writes`] for what was written; [`judge`] holds it against what is expected. [`people`] and [`junit`] show what was found,
//! [`accept`] writes it down, and [`coverage`] says what no test reaches.

mod accept;
mod coverage;
mod files;
mod judge;
mod junit;
mod names;
mod people;
mod play;
mod recorded;
mod stage;
mod writes;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::Args;
use cosell_compile::Compilation;
use cosell_compile::testcase::{ActKind, Test};
use cosell_model::flow::{Backoff, Retry};
use cosell_model::span::FileId;
use cosell_model::{Span, Value};
use cosell_sdk::Connector;
use serde_json::json;

use crate::project::{Chosen, Project};
use crate::{Ending, Trouble};
use accept::Edit;
use coverage::{Coverage, Of, Point, Watching, percent};
use files::Read;
use judge::Difference;
use names::Mistake;
use play::Playing;
use stage::{Settings, Stage};

/// Which tests, and what to do with what they find.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Only tests with this in their name, or in that of their file; or a file of tests.
    names: Vec<String>,
    /// The tests of the shipped flows as well, with what your own files change in these.
    #[arg(long)]
    shipped: bool,
    /// Write down what was found as what is expected, where that is different or nothing is expected yet.
    #[arg(long)]
    accept: bool,
    /// Show which steps, branches and rows of mappings no test reaches.
    #[arg(long)]
    coverage: bool,
    /// Fail where less than so much is reached.
    #[arg(long, value_name = "PERCENT", requires = "coverage", value_parser = clap::value_parser!(u8).range(0..=100))]
    at_least: Option<u8>,
    /// Write a report as JUnit XML.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Everything that was found, as one JSON object.
    #[arg(long)]
    json: bool,
}

/// A test that was played.
struct Tested {
    file: FileId,
    name: String,
    place: Span,
    took: Duration,
    /// Whether it expects nothing yet.
    open: bool,
    differences: Vec<Difference>,
    /// How the run ended, where something is not as expected.
    story: Vec<String>,
    edit: Option<Edit>,
}

impl Tested {
    fn passed(&self) -> bool {
        !self.open && self.differences.is_empty()
    }
}

/// How many tests are played at once at most: each has a sandbox, and making its keys takes longer than most tests.
const AT_ONCE: usize = 4;

/// How attempts are repeated where neither the step nor the configuration says so. Nothing waits in tests.
const RETRY: Retry = Retry {
    count: 3,
    backoff: Backoff::Fixed,
    interval: Duration::ZERO,
    minimum: Duration::ZERO,
    maximum: Duration::ZERO,
};

/// Plays the tests.
pub(crate) async fn test(chosen: &Chosen, options: &Options, connectors: &[Connector]) -> Result<Ending, Trouble> {
    let began = Instant::now();
    let project = Project::load(chosen, &[], connectors)?;
    if let Some(errors) = project.errors() {
        return Err(Trouble::Findings(errors));
    }
    let read = files::read(&project, options)?;
    let playing = Tests {
        project: &project,
        read: &read,
        connectors,
        accepts: options.accept,
        next: AtomicUsize::new(0),
        compiled: Mutex::default(),
    };
    let at_once = std::thread::available_parallelism().map_or(1, usize::from).clamp(1, AT_ONCE).min(read.tests.len());
    // Each plays in a thread of its own: a test is work, and little of it is waiting.
    let here = tokio::runtime::Handle::current();
    let played: Vec<_> = std::thread::scope(|scope| {
        let players: Vec<_> = (0..at_once).map(|_| scope.spawn(|| here.block_on(playing.play()))).collect();
        players.into_iter().map(std::thread::ScopedJoinHandle::join).collect()
    });
    let mut tested = Vec::new();
    let mut reached = BTreeSet::new();
    for played in played {
        let (some, more) = played.map_err(|_| Trouble::new("a test could not be played to its end"))??;
        tested.extend(some);
        reached.extend(more);
    }
    tested.sort_by_key(|(number, _)| *number);
    let mut tested: Vec<Tested> = tested.into_iter().map(|(_, tested)| tested).collect();
    let took = began.elapsed();

    let coverage = options.coverage.then(|| Coverage::of(&project.compilation, &reached, &read.unreachable));
    if let Some(file) = &options.junit {
        std::fs::write(file, junit::report(&read, &tested, took))
            .map_err(|error| Trouble::new(format!("{} cannot be written: {error}", file.display())))?;
    }
    if options.json {
        anstream::println!("{:#}", as_json(&read, &tested, coverage.as_ref()));
    } else {
        anstream::print!("{}{}", people::page(&read, &tested), people::totals(&tested, took));
        if let Some(coverage) = &coverage {
            anstream::print!("{}", people::coverage(coverage));
        }
    }
    let too_little = coverage.as_ref().zip(options.at_least).is_some_and(|(coverage, least)| {
        let (reached, all) = coverage.totals();
        percent(reached, all) < usize::from(least)
    });
    let failed = tested.iter().any(|test| !test.passed());
    if options.accept {
        let edits: Vec<Edit> = tested.iter_mut().filter_map(|test| test.edit.take()).collect();
        let written = accept::write(&read, edits)?;
        for path in written {
            anstream::eprintln!("{path} now expects what was found; look at the difference before you keep it");
        }
    }
    Ok(if too_little || failed && !options.accept { Ending::Failed } else { Ending::Done })
}

fn as_json(read: &Read, tested: &[Tested], coverage: Option<&Coverage>) -> Value {
    let test = |test: &Tested| {
        let differences = test.differences.iter().map(|difference| {
            json!({
                "place": read.place(difference.place), "what": difference.what, "expected": difference.expected,
                "found": difference.found,
            })
        });
        json!({
            "file": read.path(test.file), "name": test.name, "place": read.place(test.place), "passed": test.passed(),
            "open": test.open, "took_seconds": test.took.as_secs_f64(), "differences": differences.collect::<Vec<_>>(),
        })
    };
    let failed = tested.iter().filter(|test| !test.passed()).count();
    json!({
        "tests": tested.iter().map(test).collect::<Vec<_>>(), "passed": tested.len() - failed, "failed": failed,
        "coverage": coverage.map(Coverage::to_json),
    })
}

/// Tests that are being played, by several at once.
struct Tests<'t> {
    project: &'t Project,
    read: &'t Read,
    connectors: &'t [Connector],
    accepts: bool,
    next: AtomicUsize,
    /// The flows by the values of variables that tests give.
    compiled: Mutex<BTreeMap<String, Arc<Compilation>>>,
}

/// What one player found: tests by number, and what was reached.
type Played = (Vec<(usize, Tested)>, BTreeSet<(Of, Point)>);

impl Tests<'_> {
    /// Plays one test after the other, as long as there are any that nobody plays.
    async fn play(&self) -> Result<Played, Trouble> {
        let mut stage = Stage::start(self.project, self.connectors).await?;
        let watching = Watching::default();
        let mut tested = Vec::new();
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(test) = self.read.tests.get(number) else { break };
            tested.push((number, self.one(test, &mut stage, &watching).await));
            // A token of a clock that was moved is not valid yet when it is moved back.
            stage.stale |= test.1.already.iter().chain(&test.1.when).any(|act| matches!(act.kind, ActKind::Waits(_)));
        }
        stage.stop().await;
        Ok((tested, watching.reached()))
    }

    async fn one(&self, in_file: &(FileId, Test), stage: &mut Stage, watching: &Watching) -> Tested {
        let began = Instant::now();
        let (file, test) = in_file;
        let mut tested = Tested {
            file: *file,
            name: test.name.value.clone(),
            place: test.name.span,
            took: Duration::ZERO,
            open: test.then.is_none(),
            differences: Vec::new(),
            story: Vec::new(),
            edit: None,
        };
        match self.played(in_file, stage, watching).await {
            Ok((differences, story, edit)) => {
                (tested.differences, tested.story) = (differences, story);
                tested.edit = edit.filter(|_| !tested.passed());
            }
            Err(mistake) => tested.differences.push(mistake.into()),
        }
        tested.took = began.elapsed();
        tested
    }

    async fn played(
        &self,
        in_file: &(FileId, Test),
        stage: &mut Stage,
        watching: &Watching,
    ) -> Result<(Vec<Difference>, Vec<String>, Option<Edit>), Mistake> {
        let (_, test) = in_file;
        let with_values;
        let compilation = if test.given.variables.is_empty() {
            &self.project.compilation
        } else {
            with_values = self.compiled(test)?;
            &*with_values
        };
        watching.flows(compilation);
        let with = Playing {
            project: self.project,
            compilation,
            retry: self.project.configuration.retry.clone().unwrap_or(RETRY),
            watching,
            connectors: self.connectors,
        };
        let recording = test.given.recorded.as_ref();
        let recording = recording.and_then(|named| Some((self.read.recordings.get(&named.span)?, named.span)));
        let found = match recording {
            Some((recording, place)) => recorded::play(recording, place, test, with).await?,
            None => play::play(stage, test, with).await?,
        };
        let settings = Settings { compilation };
        let differences = match &test.then {
            Some(then) => judge::judge(then, &found, stage, &settings).await,
            None => Vec::new(),
        };
        let story = if differences.is_empty() { Vec::new() } else { vec![judge::story(&found)] };
        let edit = match self.accepts && (test.then.is_none() || !differences.is_empty()) {
            true => Some(accept::edit(in_file, &found, stage, &settings, self.read).await),
            false => None,
        };
        Ok((differences, story, edit))
    }

    /// The flows with the values that the test gives to variables.
    fn compiled(&self, test: &Test) -> Result<Arc<Compilation>, Mistake> {
        let values: BTreeMap<String, Value> =
            test.given.variables.iter().map(|(name, value)| (name.value.clone(), value.clone())).collect();
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        let compilation = compiled
            .entry(json!(values).to_string())
            .or_insert_with(|| Arc::new(self.project.compiled_with(&values, self.connectors)));
        match compilation.settings.first() {
            None => Ok(Arc::clone(compilation)),
            Some(wrong) => {
                let place = test.given.variables.iter().find(|(name, _)| name.value == wrong.name);
                let help = wrong.help.as_ref().map_or(String::new(), |help| format!("; {help}"));
                Err(Mistake::new(
                    place.map_or(test.name.span, |(name, _)| name.span),
                    format!("{}{help}", wrong.message),
                ))
            }
        }
    }
}
