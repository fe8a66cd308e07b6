//! How long the console's pages take with a journal of 1,000,000 runs and 10,000 deals, against one of a hundredth.
//!
//! `cargo bench --bench console` prints a table. `SCALE_RUNS` says how many runs there are; the usual number takes some
//! minutes to fill in, and about two gigabytes of disk. Pages are asked for over HTTP, from the real program, by turns. Nothing
//! here asserts on a clock.

#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, unreachable_pub)]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use cosell_journal::Journal;
use cosell_sandbox::{Addresses, Options, Sandbox};
use filling::{Folder, fill};
use jiff::{SignedDuration, Timestamp};
use reqwest::header::{COOKIE, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

#[allow(dead_code)]
#[path = "../tests/console/browser.rs"]
mod browser;
#[path = "../tests/console/driver.rs"]
mod driver;
#[path = "filling/mod.rs"]
mod filling;

const TOKEN: &str = "token-of-the-benchmark";

const FLOW: &str = "
flow: job
title: Bring a deal to the CRM
trigger: { use: http, with: { path: job } }
key: ${{ trigger.body.key }}
steps:
  deal: { let: { name: \"${{ trigger.body.name }}\", words: \"${{ trigger.body.name|upper }}\" } }
  big: { if: \"${{ trigger.body.value > 10000 }}\", then: { noted: { let: { note: \"${{ steps.deal.words }}\" } } } }
  rounds: { for_each: \"${{ range(20) }}\", do: { round: { let: { n: \"${{ item }}\" } } } }
";

fn main() {
    // `cargo test` builds and runs benchmarks too, with another flag: then a few must do.
    let measures = std::env::args().any(|argument| argument == "--bench");
    let wanted = std::env::var("SCALE_RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(1_000_000);
    let (runs, rounds) = if measures { (wanted, 200) } else { (300, 2) };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let sandbox = runtime.block_on(Sandbox::start(Options::default())).unwrap();
    let sites = [runs / 100, runs].map(|runs| Site::with(&runtime, runs, &sandbox));
    println!("{:<42} {:>9} {:>9} {:>9} {:>7} {:>9}", "page", "p50", "p95", "of few", "ratio", "bytes");
    let pages = sites.each_ref().map(Site::pages);
    for (at, (name, _)) in pages[0].iter().enumerate() {
        let mut times = [Vec::new(), Vec::new()];
        let mut bytes = 0;
        // The first few only warm caches.
        for round in 0..rounds + 5 {
            for turn in [round % 2, 1 - round % 2] {
                let began = Instant::now();
                bytes = runtime.block_on(sites[turn].page(&pages[turn][at].1));
                times[turn].push(began.elapsed().as_secs_f64() * 1e3);
            }
        }
        let [few, many] = times.map(|times| sorted(times.into_iter().skip(5).collect()));
        let (half, most) = (many[many.len() / 2], many[many.len() * 95 / 100]);
        let half_of_few = few[few.len() / 2];
        println!(
            "{name:<42} {half:>6.2} ms {most:>6.2} ms {half_of_few:>6.2} ms {:>6.2}× {bytes:>9}",
            half / half_of_few
        );
    }
    if measures {
        seen(&sites[1]);
    }
}

/// The program over a journal.
struct Site {
    child: Child,
    client: Client,
    origin: String,
    cookie: String,
    /// Behind it is the second half of the list of runs.
    middle: String,
    /// A run that really happened.
    run: String,
    /// A referral that there is.
    deal: String,
    _folder: Folder,
}

impl Site {
    fn with(runtime: &Runtime, runs: usize, sandbox: &Sandbox) -> Self {
        let folder = Folder::new(&format!("console-{runs}"));
        let write = |path: &str, text: &str| std::fs::write(folder.0.join(path), text).unwrap();
        for name in ["flows", ".cosell"] {
            std::fs::create_dir_all(folder.0.join(name)).unwrap();
        }
        write("cosell.yaml", &settings(sandbox.addresses()).to_string());
        write("token", TOKEN);
        write("flows/job.yaml", FLOW);
        write(".cosell/state.jsonl", &(0..runs / 100).map(deal).collect::<String>());
        runtime.block_on(filled(&folder, runs));
        let mut child = Command::new(env!("CARGO_BIN_EXE_cosell"))
            .args(["serve", "--listen", "127.0.0.1:0"])
            .current_dir(&folder.0)
            .env_clear()
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(folder.0.join("log")).unwrap())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = lines.map_while(Result::ok).find(|line| line.starts_with("Ready"));
        let ready = ready.unwrap_or_else(|| panic!("{}", std::fs::read_to_string(folder.0.join("log")).unwrap()));
        let origin = ready.rsplit(' ').next().unwrap().to_owned();
        let client = Client::builder().no_proxy().redirect(Policy::none()).build().unwrap();
        let mut site = Self {
            child,
            deal: runtime.block_on(shared(sandbox.addresses())),
            client,
            origin,
            middle: String::new(),
            cookie: String::new(),
            run: String::new(),
            _folder: folder,
        };
        runtime.block_on(site.begin(runs));
        site
    }

    /// Signs in, and has something happen.
    async fn begin(&mut self, runs: usize) {
        let door = self.client.post(format!("{}/console/sign-in", self.origin)).form(&[("token", TOKEN)]);
        let answer = door.send().await.unwrap();
        self.cookie = answer.headers()[SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
        let middle = Timestamp::now() - SignedDuration::from_secs(i64::try_from(runs / 2).unwrap());
        self.middle = text(&self.told(&format!("/runs?most=1&until={middle}")).await["next"]);
        let event = json!({ "key": "deal:real", "name": "Tailwind stock rooms", "value": 84_000 });
        let sent = self.client.post(format!("{}/in/job", self.origin)).json(&event).send().await.unwrap();
        assert_eq!(sent.status(), 202);
        while self.run.is_empty() {
            let told = self.told("/runs?key=deal:real&outcome=succeeded").await;
            self.run = text(&told["runs"][0]["run"]);
        }
    }

    /// What the API says.
    async fn told(&self, path: &str) -> Value {
        let asked = self.client.get(format!("{}/api/v1{path}", self.origin)).bearer_auth(TOKEN);
        asked.send().await.unwrap().json().await.unwrap()
    }

    fn request(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("{}{path}", self.origin)).header(COOKIE, &self.cookie)
    }

    /// Asks for a page; how large it is.
    async fn page(&self, path: &str) -> usize {
        let answer = self.request(path).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        answer.bytes().await.unwrap().len()
    }

    /// Pages by name.
    fn pages(&self) -> Vec<(&'static str, String)> {
        let runs = |query: &str| format!("/console/runs?{query}");
        vec![
            ("overview", "/console".to_owned()),
            ("runs", "/console/runs".to_owned()),
            ("runs, half way down the list", runs(&format!("after={}", self.middle))),
            ("runs of a flow", runs("flow=job")),
            ("runs of a key", runs("key=deal:1")),
            ("runs with a word that is rare", runs("text=tailwind")),
            ("runs with a word that all have", runs("text=referral")),
            ("runs with a word all have and a rare one", runs("text=referral+tailwind")),
            ("runs of a key with a word that all have", runs("key=deal:1&text=referral")),
            ("runs that failed", runs("outcome=failed")),
            ("runs of a flow that failed", runs("outcome=failed&flow=job")),
            ("a run", format!("/console/runs/{}", self.run)),
            ("deals", "/console/deals".to_owned()),
            ("deals by words", "/console/deals?text=tailwind+7".to_owned()),
            ("deals by a word that none has", "/console/deals?text=contoso".to_owned()),
            ("a deal", format!("/console/deals/{}", self.deal)),
            ("flows", "/console/flows".to_owned()),
            ("a flow", "/console/flows/partner-center-to-dynamics".to_owned()),
            ("settings", "/console/settings".to_owned()),
        ]
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Connections to a sandbox.
fn settings(addresses: &Addresses) -> Value {
    let sign_in = json!({
        "authority": addresses.entra, "tenant": addresses.tenant,
        "client_id": addresses.client_id, "client_secret": addresses.client_secret,
    });
    let mut person = sign_in.clone();
    person["refresh_token"] = json!(addresses.refresh_token);
    json!({
        "flows": ["flows"],
        "connections": {
            "partner_center": { "address": addresses.partner_center, "sign_in": person },
            "partner_center_events": { "address": addresses.partner_center_events, "sign_in": sign_in },
            "dataverse": { "address": addresses.dataverse, "sign_in": sign_in },
        },
        "service": { "token": { "file": "token" } },
    })
}

/// What is kept of a deal, as the flows keep it.
fn deal(n: usize) -> String {
    let agreed = json!({ "name": format!("Stock rooms, phase {n}"), "deal_value": 50_000 });
    let value = json!({
        "opportunity_id": format!("opportunity-{n}"), "agreed": { "referral": agreed, "opportunity": agreed },
        "name": format!("Stock rooms, phase {n}"), "customer": "Tailwind Traders",
    });
    format!("{}\n", json!({ "put": format!("deal/deal:{n}"), "value": value }))
}

/// A deal that Microsoft shares; its referral.
async fn shared(addresses: &Addresses) -> String {
    let share = Client::new().post(format!("{}/seller/referrals", addresses.control)).json(&json!({}));
    let made: Value = share.header("x-user", "Noor Haddad").send().await.unwrap().json().await.unwrap();
    text(&made["id"])
}

/// Fills the journal of a project; the newest run begins about now.
async fn filled(folder: &Folder, runs: usize) {
    let journal = Journal::open(&folder.0.join(".cosell/journal.db")).unwrap();
    fill(&journal, runs, Timestamp::now().as_second() - i64::try_from(runs).unwrap()).await;
    journal.flushed().await.unwrap();
}

/// How long the overview takes in a browser, until it can be used and until all of it is there.
fn seen(site: &Site) {
    let browser = browser::Browser::open(&site.origin).signed_in(TOKEN);
    let times = |name: &str| {
        let script = format!("return performance.getEntriesByType('navigation')[0].{name}");
        let times = (0..20).map(|_| {
            browser.go("/console");
            browser.script(&script, &[]).as_f64().unwrap()
        });
        let times = sorted(times.collect());
        times[times.len() / 2]
    };
    println!(
        "the overview in a browser: {:.0} ms until it can be used, {:.0} ms until all is there",
        times("domInteractive"),
        times("loadEventEnd")
    );
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn sorted(mut figures: Vec<f64>) -> Vec<f64> {
    figures.sort_by(f64::total_cmp);
    figures
}
