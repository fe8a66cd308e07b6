//! A door before the web hooks: while it is shut, events wait outside.

use std::net::Ipv4Addr;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A door. Nobody comes through any more when it is dropped.
pub struct Door {
    url: String,
    shut: watch::Sender<bool>,
    keeping: JoinHandle<()>,
}

impl Door {
    /// An open door before `url`.
    pub async fn before(url: &str) -> Self {
        let (host, path) = url.trim_start_matches("http://").split_once('/').unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let (shut, seen) = watch::channel(false);
        let door = format!("http://{}/{path}", listener.local_addr().unwrap());
        Self { url: door, shut, keeping: tokio::spawn(keep(listener, host.to_owned(), seen)) }
    }

    /// Where events are to be sent.
    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn shut(&self) {
        self.shut.send_replace(true);
    }

    pub fn open(&self) {
        self.shut.send_replace(false);
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.keeping.abort();
    }
}

async fn keep(listener: TcpListener, inside: String, shut: watch::Receiver<bool>) {
    while let Ok((mut outside, _)) = listener.accept().await {
        let (mut shut, inside) = (shut.clone(), inside.clone());
        tokio::spawn(async move {
            let _ = shut.wait_for(|shut| !shut).await;
            let Ok(mut inside) = TcpStream::connect(inside).await else { return };
            tokio::select! {
                _ = tokio::io::copy_bidirectional(&mut outside, &mut inside) => {}
                // Whoever stands in the door is sent away, and comes again.
                _ = shut.wait_for(|shut| *shut) => {}
            }
        });
    }
}
