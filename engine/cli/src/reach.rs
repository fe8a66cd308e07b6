//! The running service as commands reach it, and its journal where it does not run.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use clap::Args;
use cosell_compile::configuration::service::LOOPBACK;
use cosell_journal::Reader;
use cosell_model::Value;
use cosell_sdk::Connector;
use cosell_sdk::settings::Secret;
use cosell_service::api::Problem;
use reqwest::{Client, Method, RequestBuilder, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Trouble;
use crate::journal::FILE;
use crate::project::{Chosen, Project};

/// How long the service may take to answer; it looks into its journal at most.
const PATIENCE: Duration = Duration::from_secs(30);

/// Which service.
#[derive(Args, Debug)]
pub(crate) struct Reach {
    /// The address of the service, where it is not on this machine as the configuration says.
    #[arg(long, value_name = "URL", env = "COSELL_SERVICE")]
    service: Option<String>,
}

/// The service, as it is asked.
pub(crate) struct Service {
    client: Client,
    origin: String,
    token: Option<Secret>,
}

/// Where runs can be seen.
pub(crate) enum Source {
    /// In the service, which runs.
    Service(Service),
    /// In its journal: the service does not run, or has no token by which it could be asked.
    Journal(Reader),
}

impl Reach {
    /// The service, whether it runs or not.
    ///
    /// # Errors
    /// The configuration cannot be read.
    pub(crate) fn service(&self, chosen: &Chosen, connectors: &[Connector]) -> Result<Service, Trouble> {
        self.of(&Project::load(chosen, &[], connectors)?)
    }

    fn of(&self, project: &Project) -> Result<Service, Trouble> {
        let origin = match &self.service {
            Some(given) => given.trim_end_matches('/').to_owned(),
            None => origin(project),
        };
        let client = Client::builder().connect_timeout(PATIENCE).build();
        let client = client.map_err(|error| Trouble::new(format!("the service cannot be asked: {error}")))?;
        Ok(Service { client, origin, token: project.token()? })
    }

    /// The service where it runs and can be asked, else its journal.
    ///
    /// # Errors
    /// Neither is there.
    pub(crate) async fn source(&self, chosen: &Chosen, connectors: &[Connector]) -> Result<Source, Trouble> {
        self.source_of(&Project::load(chosen, &[], connectors)?).await
    }

    /// The same, for a project that is loaded already.
    ///
    /// # Errors
    /// Neither is there.
    pub(crate) async fn source_of(&self, project: &Project) -> Result<Source, Trouble> {
        let service = self.of(project)?;
        let may_ask = service.token.is_some() || self.service.is_some();
        if may_ask && (self.service.is_some() || service.lives().await) {
            return Ok(Source::Service(service));
        }
        Ok(Source::Journal(Reader::open(&project.kept(FILE))?))
    }
}

/// Where the service is reached from this machine, as the configuration has it.
fn origin(project: &Project) -> String {
    let service = &project.configuration.service;
    // A certificate is for the name that the service has outside.
    if let (Some(_), Some(public)) = (&service.tls, &service.public_url) {
        return public.clone();
    }
    let mut listen = service.listen.unwrap_or(LOOPBACK);
    if listen.ip().is_unspecified() {
        listen = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), listen.port());
    }
    format!("{}://{listen}", if service.tls.is_some() { "https" } else { "http" })
}

impl Service {
    /// Whether there is one that answers.
    pub(crate) async fn lives(&self) -> bool {
        let asked = self.client.get(format!("{}/health", self.origin)).timeout(PATIENCE).send().await;
        asked.is_ok_and(|answer| answer.status().is_success())
    }

    /// Asks something.
    ///
    /// # Errors
    /// There is no service, or it does not do what was asked.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str, query: &impl Serialize) -> Result<T, Trouble> {
        let request = self.request(Method::GET, path).query(query).timeout(PATIENCE);
        self.read(self.send(request).await?).await
    }

    /// Has something done.
    ///
    /// # Errors
    /// As for [`get`](Self::get).
    pub(crate) async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Trouble> {
        let request = self.request(Method::POST, path).json(body).timeout(PATIENCE);
        self.read(self.send(request).await?).await
    }

    /// Asks for what goes on until it ends.
    ///
    /// # Errors
    /// As for [`get`](Self::get).
    pub(crate) async fn open(&self, path: &str) -> Result<Response, Trouble> {
        self.send(self.request(Method::GET, path)).await
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}/api/v1{path}", self.origin));
        match &self.token {
            Some(token) => request.bearer_auth(token.expose()),
            None => request,
        }
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, Trouble> {
        let answer = request.send().await.map_err(|error| {
            let why = if error.is_connect() {
                "nobody answers there; start it by `cosell serve`".to_owned()
            } else {
                error.to_string()
            };
            Trouble::new(format!("the service at {} cannot be reached: {why}", self.origin))
        })?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let status = answer.status();
        let told: Value = answer.json().await.unwrap_or_default();
        let problem = serde_json::from_value::<Problem>(told);
        Err(Trouble::new(problem.map_or_else(
            |_| format!("{} answers {status}: is it cosell's address?", self.origin),
            |problem| problem.detail,
        )))
    }

    async fn read<T: DeserializeOwned>(&self, answer: Response) -> Result<T, Trouble> {
        let other = |error: reqwest::Error| {
            Trouble::new(format!("{} answers something else ({error}): is it of this version?", self.origin))
        };
        answer.json().await.map_err(other)
    }
}
