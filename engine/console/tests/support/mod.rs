//! A console on this machine over flows that a journal keeps, and a browser of sorts: it keeps cookies and follows no redirect.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

pub mod book;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use cosell_compile::configuration::{self, Configuration};
use cosell_compile::source::{Layer, SourceFile, Sources};
use cosell_console::{Console, Facts};
use cosell_journal::Journal;
use cosell_model::flow::Retry;
use cosell_model::{Catalogue, Value};
use cosell_runtime::dispatch::{Dispatcher, Room};
use cosell_runtime::memory::Engine;
use cosell_sdk::settings::Secret;
use cosell_sdk::{Connection, Connector};
use cosell_service::api::Api;
use cosell_service::hooks::{Hooks, Listening};
use cosell_service::watch::Watch;
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder, Response};
use tempfile::TempDir;

/// What is shown at the door.
pub const TOKEN: &str = "open-sesame";

/// A console that is there as long as this is.
pub struct Stand {
    pub api: Arc<Api>,
    pub console: Console,
    pub dispatcher: Dispatcher,
    pub journal: Journal,
    pub watch: Watch,
    pub origin: String,
    _hooks: Hooks,
    _folder: TempDir,
}

/// What a page says behind its menu, a line for each row, item and paragraph; its tags left out.
pub fn text(page: &str) -> String {
    const ENDS: [&str; 11] = ["/tr", "/li", "/p", "/h1", "/h2", "/h3", "/caption", "/div", "/dd", "/text", "/desc"];
    let main = page.split_once("<main").map_or(page, |(_, main)| main);
    let parts = main.split('<').filter_map(|part| part.split_once('>'));
    let said: String =
        parts.map(|(tag, text)| if ENDS.contains(&tag) { format!("\n{text} ") } else { format!("{text} ") }).collect();
    let lines = said.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

/// What a stand is made of; nothing of it needs to be given.
#[derive(Default)]
pub struct Made<'m> {
    /// Paths and texts of the files of flows, mappings and variables. Those below `shipped/` are shipped ones.
    pub files: Vec<(&'m str, &'m str)>,
    /// The connectors, and the connections of their names.
    pub connectors: Vec<Connector>,
    pub connections: BTreeMap<String, Connection>,
    /// The text of cosell.yaml.
    pub configuration: &'m str,
    /// Nobody may look.
    pub closed: bool,
}

impl Made<'_> {
    pub async fn stand(self) -> Stand {
        let files = self.files.iter().map(|(path, text)| {
            let layer = if path.starts_with("shipped/") { Layer::Shipped } else { Layer::Own };
            SourceFile { path: (*path).to_owned(), text: (*text).to_owned(), layer }
        });
        let (configuration, sources) = configured(self.configuration);
        let catalogue = Catalogue::new(self.connectors.iter().map(|connector| connector.description().clone()));
        let values = configuration.variables.iter().map(|(name, set)| (name.clone(), set.value.clone())).collect();
        let compilation = Arc::new(cosell_compile::compile(files.collect(), &catalogue, &values));
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(&folder.path().join("journal.db")).unwrap();
        let keeper = Arc::new(journal.clone());
        let engine = Engine::new(compilation.plans.clone(), self.connections, Retry::NONE).kept_by(
            Arc::clone(&keeper) as _,
            "1".to_owned(),
            Vec::new(),
        );
        let watch = Watch::default();
        let dispatcher = Dispatcher::with_inbox(Arc::new(engine), Arc::new(watch.clone()), keeper, Room::default());
        let token = (!self.closed).then(|| Secret::from(TOKEN.to_owned()));
        let api = Arc::new(Api::new(dispatcher.clone(), &journal, &watch, token).unwrap());
        let console = Console::new(Arc::clone(&api), Facts { compilation, configuration, sources });
        let how = Listening { api: Some(Arc::clone(&api)), pages: console.pages(), ..Listening::default() };
        let hooks = Hooks::listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), dispatcher.clone(), how).await.unwrap();
        let origin = hooks.origin();
        Stand { api, console, dispatcher, journal, watch, origin, _hooks: hooks, _folder: folder }
    }
}

fn configured(text: &str) -> (Arc<Configuration>, Arc<Sources>) {
    let file = SourceFile { path: "cosell.yaml".to_owned(), text: text.to_owned(), layer: Layer::Own };
    let (configuration, findings, sources) = configuration::read(file, None);
    assert!(findings.is_empty(), "{findings:?}");
    (Arc::new(configuration), Arc::new(sources))
}

impl Stand {
    /// Starts a run of `flow`, waits until nothing is under way, and gives the run's id.
    pub async fn run(&self, flow: &str, inputs: Value) -> String {
        let run = self.api.start(flow, Value::Null, inputs).await.unwrap().run;
        self.dispatcher.idle().await;
        self.journal.flushed().await.unwrap();
        run
    }

    /// A browser that nobody has signed in with.
    pub fn stranger(&self) -> Browser {
        let client = Client::builder().redirect(Policy::none()).build().unwrap();
        Browser { client, origin: self.origin.clone(), cookie: None }
    }

    /// A browser of somebody who is signed in.
    pub async fn visitor(&self) -> Browser {
        let mut browser = self.stranger();
        let answer = browser.send(Method::POST, "/console/sign-in", &[("token", TOKEN)]).await;
        assert_eq!(answer.status(), 303);
        let cookie = answer.headers()[SET_COOKIE].to_str().unwrap();
        browser.cookie = Some(cookie.split(';').next().unwrap().to_owned());
        browser
    }
}

pub struct Browser {
    client: Client,
    origin: String,
    pub cookie: Option<String>,
}

impl Browser {
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.origin));
        match &self.cookie {
            Some(cookie) => request.header(COOKIE, cookie),
            None => request,
        }
    }

    pub async fn send(&self, method: Method, path: &str, form: &[(&str, &str)]) -> Response {
        self.request(method, path).form(form).send().await.unwrap()
    }

    /// A page that there is.
    pub async fn page(&self, path: &str) -> String {
        let answer = self.request(Method::GET, path).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        answer.text().await.unwrap()
    }

    /// The status of a page, and its text.
    pub async fn look(&self, path: &str) -> (u16, String) {
        let answer = self.request(Method::GET, path).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// Sends a form as a page of ours would; gives the status, and where it leads or what is said.
    pub async fn act(&self, path: &str, form: &[(&str, &str)]) -> (u16, String) {
        let secret = self.form_secret().await;
        let fields: Vec<(&str, &str)> = form.iter().copied().chain([("form_secret", &*secret)]).collect();
        let answer = self.send(Method::POST, path, &fields).await;
        let status = answer.status().as_u16();
        let to = answer.headers().get(LOCATION).map(|to| to.to_str().unwrap().to_owned());
        let text = answer.text().await.unwrap();
        (status, to.unwrap_or(text))
    }

    /// What this visitor's forms carry.
    pub async fn form_secret(&self) -> String {
        let page = self.page("/console").await;
        page.split("name=\"form_secret\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    }
}
