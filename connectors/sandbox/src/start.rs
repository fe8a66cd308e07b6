//! Starting and stopping the sandbox.

use std::{io, path::PathBuf, sync::Arc};

use serde::Serialize;
use tokio::{net::TcpListener, sync::mpsc, task::JoinSet};
use uuid::Uuid;

use crate::{
    control,
    core::{
        clock::Clock,
        faults::Faults,
        log::Log,
        tokens::{Principal, Tokens},
    },
    dataverse::{self, Dataverse},
    entra::{self, Entra, Knobs, Seed},
    events::{self, Events, Signer},
    partner_center::{self, BASE_PATH, Organization, PartnerCenter},
    serve::{bind, origin, serve},
    state_file::StateFile,
    tls::Tls,
    world::World,
};

/// How to start. The default serves plain HTTP on ports that the system chooses.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Where to listen.
    pub ports: Ports,
    /// Serve every system over HTTPS, below a certificate authority made for this run ([`Addresses::ca_certificate_pem`]).
    /// The control API, which is no imitation of anything, stays on plain HTTP.
    pub https: bool,
    /// A file that keeps referrals, the registration for events, the CRM's rows and refresh tokens from one run to the next:
    /// read at the start if it exists, written every few seconds while something changes, and by [`Sandbox::stop`].
    pub state: Option<PathBuf>,
}

/// Ports on the loopback interface; 0 lets the system choose.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ports {
    /// Entra ID.
    pub entra: u16,
    /// Partner Center's Referrals API.
    pub partner_center: u16,
    /// Partner Center's web hook registration.
    pub partner_center_events: u16,
    /// Dataverse.
    pub dataverse: u16,
    /// The control API.
    pub control: u16,
}

impl Ports {
    /// Five consecutive ports from `first` on, in the order of the fields above; none where they would not all exist.
    pub fn from(first: u16) -> Option<Ports> {
        if first == 0 {
            return None;
        }
        first.checked_add(4)?;
        Some(Ports {
            entra: first,
            partner_center: first + 1,
            partner_center_events: first + 2,
            dataverse: first + 3,
            control: first + 4,
        })
    }
}

/// Where everything is, and the secrets to sign in with.
#[derive(Clone, Debug, Serialize)]
pub struct Addresses {
    /// Origin of Entra ID; append `/{tenant}/oauth2/…`.
    pub entra: String,
    /// Base of the Referrals API, including `/v1.0/engagements`.
    pub partner_center: String,
    /// Origin of the web hook registration; append `/webhooks/v1/registration`.
    pub partner_center_events: String,
    /// Origin that serves the certificate of event signatures.
    pub certificates: String,
    /// Origin of Dataverse; append `/api/data/v9.2`. It is also the audience of Dataverse tokens.
    pub dataverse: String,
    /// Origin of the control API.
    pub control: String,
    /// The partner's tenant id.
    pub tenant: String,
    /// Confidential app: client credentials for Dataverse and for events.
    pub client_id: String,
    /// Its secret. It holds characters that must be form-encoded.
    pub client_secret: String,
    /// Refresh token of the integration user, who signed in with a second factor.
    pub refresh_token: String,
    /// The partner's organisation in Partner Center.
    pub organization_id: String,
    /// Trust root of event signatures.
    pub root_certificate_pem: String,
    /// The certificate authority that HTTPS clients must trust; none over plain HTTP.
    pub ca_certificate_pem: Option<String>,
}

/// The sandbox could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A port could not be bound.
    #[error("cannot listen on 127.0.0.1:{port} for {system}; choose another port, or 0 for a free one")]
    Listen {
        /// The system that was to listen there.
        system: &'static str,
        /// The port.
        port: u16,
        /// What the operating system said.
        source: io::Error,
    },
    /// Keys or certificates could not be made.
    #[error("the sandbox's keys could not be made")]
    Keys(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The state file cannot be used.
    #[error("the state file {path} cannot be used: {reason}; remove it to start afresh")]
    State {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// A running sandbox. Dropping it stops it as well.
#[derive(Debug)]
pub struct Sandbox {
    addresses: Addresses,
    state: Option<Arc<StateFile>>,
    tasks: JoinSet<()>,
}

impl Sandbox {
    /// Starts all systems; they answer when this returns.
    pub async fn start(options: Options) -> Result<Sandbox, StartError> {
        let Options { ports, https, state } = options;
        let (entra_listener, entra_origin) = listen("entra", ports.entra, https).await?;
        let (partner_listener, partner_origin) = listen("partner_center", ports.partner_center, https).await?;
        let (events_listener, events_origin) =
            listen("partner_center_events", ports.partner_center_events, https).await?;
        let (dataverse_listener, dataverse_origin) = listen("dataverse", ports.dataverse, https).await?;
        let (control_listener, control_origin) = listen("control", ports.control, false).await?;
        let tls = if https { Some(Tls::new().map_err(|error| StartError::Keys(error.into()))?) } else { None };

        let tokens = Arc::new(Tokens::new().map_err(|error| StartError::Keys(error.into()))?);
        let signer = Signer::new(&events_origin).map_err(|error| StartError::Keys(error.into()))?;
        let root_certificate_pem = signer.root().to_owned();
        let clock = Arc::new(Clock::default());
        let seed = seed(&tokens);
        let partner =
            Organization { id: ORGANIZATION, name: "Fabrikam Logistics".to_owned(), mpn_id: "5550123".to_owned() };

        let (sender, queue) = mpsc::unbounded_channel();
        let events =
            Arc::new(Events::new(&events_origin, partner.id, Arc::clone(&clock), Arc::clone(&tokens), signer, sender));
        let base = format!("{partner_origin}{BASE_PATH}");
        let partner_center = Arc::new(PartnerCenter::new(
            base.clone(),
            partner,
            Arc::clone(&clock),
            Arc::clone(&tokens),
            Arc::clone(&events),
        ));
        let dataverse = Arc::new(Dataverse::new(dataverse_origin.clone(), Arc::clone(&clock), Arc::clone(&tokens)));
        let entra = Arc::new(Entra::new(seed.clone(), &entra_origin, &dataverse_origin, Arc::clone(&clock), tokens));
        let addresses = Addresses {
            entra: entra_origin.clone(),
            partner_center: base,
            partner_center_events: events_origin.clone(),
            certificates: events_origin,
            dataverse: dataverse_origin,
            control: control_origin,
            tenant: seed.tenant.to_string(),
            client_id: seed.client_id,
            client_secret: seed.client_secret,
            refresh_token: entra.seed_refresh_token(),
            organization_id: ORGANIZATION.to_string(),
            root_certificate_pem,
            ca_certificate_pem: tls.as_ref().map(|tls| tls.authority_pem.clone()),
        };
        let world = Arc::new(World {
            clock,
            log: Arc::new(Log::default()),
            faults: Arc::new(Faults::default()),
            entra: Arc::clone(&entra),
            partner_center: Arc::clone(&partner_center),
            events: Arc::clone(&events),
            dataverse: Arc::clone(&dataverse),
            addresses: addresses.clone(),
        });

        let state = match state {
            None => None,
            Some(path) => {
                let shown = path.display().to_string();
                let file = StateFile::open(path, Arc::clone(&world));
                Some(Arc::new(file.map_err(|reason| StartError::State { path: shown, reason })?))
            }
        };

        let mut tasks = JoinSet::new();
        tasks.spawn(events::run(Arc::clone(&events), queue));
        if let Some(state) = &state {
            tasks.spawn(Arc::clone(state).keep());
        }
        let events_router = events::router(events);
        for (listener, system, router) in [
            (entra_listener, "entra", entra::router(entra)),
            (partner_listener, "partner_center", partner_center::router(partner_center)),
            (events_listener, "partner_center_events", events_router),
            (dataverse_listener, "dataverse", dataverse::router(dataverse)),
        ] {
            let acceptor = tls.as_ref().map(|tls| tls.acceptor.clone());
            tasks.spawn(serve(listener, world.gated(system, router), acceptor));
        }
        tasks.spawn(serve(control_listener, control::router(world), None));
        Ok(Sandbox { addresses, state, tasks })
    }

    /// Where everything is.
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Writes the state file now, where there is one.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub async fn save(&self) -> io::Result<()> {
        match &self.state {
            Some(state) => state.save().await,
            None => Ok(()),
        }
    }

    /// Closes every port, ends every open connection and writes the state file.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
        if let Err(error) = self.save().await {
            tracing::error!(%error, "the state cannot be written");
        }
    }
}

async fn listen(system: &'static str, port: u16, https: bool) -> Result<(TcpListener, String), StartError> {
    let failed = |source| StartError::Listen { system, port, source };
    let listener = bind(port).await.map_err(failed)?;
    let origin = origin(&listener, https).map_err(failed)?;
    Ok((listener, origin))
}

/// The partner's organisation.
const ORGANIZATION: Uuid = Uuid::from_u128(0x7b3c1f7e_1111_4e2a_8d55_20c8f0a0d001);

/// The app and the integration user; enrols both.
fn seed(tokens: &Tokens) -> Seed {
    let seed = Seed {
        tenant: Uuid::from_u128(0x2f6d1c52_8d6e_4b8e_9f58_2d2a6b0e7001),
        domain: "fabrikam.example",
        client_id: "5c1f0f52-61d4-4c0a-9c6f-0f6a1d6c9a11".to_owned(),
        client_secret: "sandbox~only+secret/&=%".to_owned(),
        app: Uuid::from_u128(0x9a0e7a11_0f6a_4d6c_9a10_c0a7a7d055b1),
        user: Uuid::from_u128(0x9a0e7a11_0f6a_4d6c_9a10_c0a7a7d055b2),
    };
    tokens.enrol(Principal {
        id: seed.app,
        name: "cosell (application)".to_owned(),
        user_name: None,
        roles: vec!["System Administrator".to_owned()],
    });
    tokens.enrol(Principal {
        id: seed.user,
        name: "cosell integration user".to_owned(),
        user_name: Some("cosell@fabrikam.example".to_owned()),
        roles: Knobs::default().user_roles,
    });
    seed
}
