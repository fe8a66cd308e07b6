//! Starting and stopping the sandbox.

use std::{io, sync::Arc};

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
    world::World,
};

/// How to start. The default lets the system choose every port.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Where to listen.
    pub ports: Ports,
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
}

/// A running sandbox. Dropping it stops it as well.
#[derive(Debug)]
pub struct Sandbox {
    addresses: Addresses,
    tasks: JoinSet<()>,
}

impl Sandbox {
    /// Starts all systems; they answer when this returns.
    pub async fn start(options: Options) -> Result<Sandbox, StartError> {
        let ports = options.ports;
        let (entra_listener, entra_origin) = listen("entra", ports.entra).await?;
        let (partner_listener, partner_origin) = listen("partner_center", ports.partner_center).await?;
        let (events_listener, events_origin) = listen("partner_center_events", ports.partner_center_events).await?;
        let (dataverse_listener, dataverse_origin) = listen("dataverse", ports.dataverse).await?;
        let (control_listener, control_origin) = listen("control", ports.control).await?;

        let tokens = Arc::new(Tokens::new().map_err(|error| StartError::Keys(error.into()))?);
        let signer = Signer::new().map_err(|error| StartError::Keys(error.into()))?;
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
        let entra = Arc::new(Entra::new(seed.clone(), &dataverse_origin, Arc::clone(&clock), tokens));
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
            refresh_token: entra.new_refresh_token(),
            organization_id: ORGANIZATION.to_string(),
            root_certificate_pem,
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

        let mut tasks = JoinSet::new();
        tasks.spawn(serve(entra_listener, world.gated("entra", entra::router(entra, &entra_origin))));
        tasks.spawn(serve(partner_listener, world.gated("partner_center", partner_center::router(partner_center))));
        let events_router = events::router(Arc::clone(&events));
        tasks.spawn(serve(events_listener, world.gated("partner_center_events", events_router)));
        tasks.spawn(serve(dataverse_listener, world.gated("dataverse", dataverse::router(dataverse))));
        tasks.spawn(serve(control_listener, control::router(world)));
        tasks.spawn(events::run(events, queue));
        Ok(Sandbox { addresses, tasks })
    }

    /// Where everything is.
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Closes every port and ends every open connection.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
    }
}

async fn listen(system: &'static str, port: u16) -> Result<(TcpListener, String), StartError> {
    let failed = |source| StartError::Listen { system, port, source };
    let listener = bind(port).await.map_err(failed)?;
    let origin = origin(&listener).map_err(failed)?;
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
