//! Being told to end, by an interrupt or by a service manager, and to read the configuration again.

use crate::Trouble;

/// What ends the command: an interrupt, or the signal by which a service manager ends a process.
pub(crate) struct End {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

impl End {
    /// Listens from now on: what is sent before would end the process at once.
    ///
    /// # Errors
    /// Signals cannot be listened for.
    #[cfg(unix)]
    pub(crate) fn new() -> Result<End, Trouble> {
        use tokio::signal::unix::{SignalKind, signal};
        let listen =
            |kind| signal(kind).map_err(|error| Trouble::new(format!("signals cannot be listened for: {error}")));
        Ok(End { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())? })
    }

    #[cfg(not(unix))]
    pub(crate) fn new() -> Result<End, Trouble> {
        Ok(End {})
    }

    /// Waits until the command is told to end; may be asked again for being told once more.
    #[cfg(unix)]
    pub(crate) async fn wait(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    #[cfg(not(unix))]
    pub(crate) async fn wait(&mut self) {
        // Without a way to be told, serving until the process is ended is all there is.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// What has the service read its configuration again: the signal SIGHUP.
pub(crate) struct Reload {
    #[cfg(unix)]
    hangup: tokio::signal::unix::Signal,
}

impl Reload {
    /// Listens from now on.
    ///
    /// # Errors
    /// Signals cannot be listened for.
    #[cfg(unix)]
    pub(crate) fn new() -> Result<Reload, Trouble> {
        use tokio::signal::unix::{SignalKind, signal};
        let hangup = signal(SignalKind::hangup())
            .map_err(|error| Trouble::new(format!("signals cannot be listened for: {error}")))?;
        Ok(Reload { hangup })
    }

    #[cfg(not(unix))]
    pub(crate) fn new() -> Result<Reload, Trouble> {
        Ok(Reload {})
    }

    /// Waits until it is to be read again; for ever where there is no such signal.
    pub(crate) async fn wait(&mut self) {
        #[cfg(unix)]
        if self.hangup.recv().await.is_some() {
            return;
        }
        std::future::pending::<()>().await;
    }
}
