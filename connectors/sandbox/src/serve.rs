//! Serving: the only place that knows how a stand-in reaches its port.
//!
//! The loop is our own rather than `axum::serve`, because a fault rule must be able to close a connection without
//! answering: hyper does that when a service returns an error, below TLS as well as without it.

use std::{io, net::Ipv4Addr, time::Duration};

use axum::{Router, extract::Request, response::Response};
use hyper::{body::Incoming, server::conn::http1, service::Service, service::service_fn};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

use crate::core::gate::Cut;

/// How long a client may take to shake hands.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Binds `port` on the loopback interface; 0 lets the system choose.
pub(crate) async fn bind(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await
}

/// The address of `listener` as the beginning of a URL. HTTPS is addressed by name: Microsoft's clients take an address
/// in digits for a mistake.
pub(crate) fn origin(listener: &TcpListener, https: bool) -> io::Result<String> {
    let address = listener.local_addr()?;
    Ok(if https { format!("https://localhost:{}", address.port()) } else { format!("http://{address}") })
}

/// Serves `router` until the future is dropped, over HTTPS where there is an acceptor; every open connection ends with it.
pub(crate) async fn serve(listener: TcpListener, router: Router, tls: Option<TlsAcceptor>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(greet(stream, router.clone(), tls.clone()));
                }
                Err(error) => tracing::warn!(%error, "a connection could not be accepted"),
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Shakes hands where that is needed, then serves the connection.
async fn greet(stream: TcpStream, router: Router, tls: Option<TlsAcceptor>) {
    // Small answers must not wait for the client's acknowledgement of the last one.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection stays slow");
    }
    let Some(tls) = tls else { return serve_connection(stream, router).await };
    match tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await {
        Ok(Ok(stream)) => serve_connection(stream, router).await,
        Ok(Err(error)) => tracing::debug!(%error, "a client broke off the TLS handshake"),
        Err(_) => tracing::debug!("a client did not finish the TLS handshake in time"),
    }
}

async fn serve_connection(stream: impl AsyncRead + AsyncWrite + Unpin + Send, router: Router) {
    let service = TowerToHyperService::new(router);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let answer = service.call(request.map(axum::body::Body::new) as Request);
        async move {
            let response: Response = answer.await.unwrap_or_else(|never| match never {});
            if response.extensions().get::<Cut>().is_some() {
                return Err(io::Error::other("cut by a fault rule"));
            }
            Ok(response)
        }
    });
    if let Err(error) = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%error, "a connection ended early");
    }
}
