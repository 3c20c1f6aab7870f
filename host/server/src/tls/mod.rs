//! TLS in front of the doors: handshakes with the certificate that the files hold now.
//!
//! A new certificate is used by the connections that come after it; those that there are go on with the
//! one that they began with. Certificates are not looked up in revocation lists.

mod expiry;
mod keys;
mod peer;
mod pem;
#[cfg(test)]
mod tests;
mod trust;
mod watch;

use std::io;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::ServerConfig;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::config::TlsConfig;
use keys::Keys;

pub(crate) use peer::peer_certificate;
pub(crate) use trust::client_config;
pub(crate) use watch::Watch;

/// How long a handshake may take, waiting for its turn included. The slowest honest client needs three
/// round trips.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Handshakes at once at each door; further ones wait for their turn. Each holds some buffers and computes a
/// signature, and clients that say nothing hold one until their time is over.
const MAX_HANDSHAKES: usize = 1_000;

/// The certificate of this host and whom it believes. Cheap to clone; clones change together.
#[derive(Debug, Clone)]
pub(crate) struct Tls(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    config: TlsConfig,
    keys: RwLock<Keys>,
    turns: Turns,
    patience: Duration,
}

/// Each door has its own, or else silent clients would keep the operators out.
#[derive(Debug)]
struct Turns {
    clients: Semaphore,
    operators: Semaphore,
}

/// Who comes through a door.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Audience {
    /// Clients, who may have certificates.
    Clients,
    /// Operators, who have a token.
    Operators,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// For the operator: which file cannot be used, and why.
    pub(crate) fn read(config: &TlsConfig) -> anyhow::Result<Self> {
        Ok(Self(Arc::new(Shared {
            config: config.clone(),
            keys: RwLock::new(Keys::read(config)?),
            turns: Turns::new(),
            patience: HANDSHAKE_TIMEOUT,
        })))
    }

    /// Makes an encrypted connection of a plain one.
    ///
    /// # Errors
    /// If the client speaks something else, takes too long, or does not show what it must.
    pub(crate) async fn shake_hands(
        &self,
        audience: Audience,
        stream: TcpStream,
    ) -> io::Result<TlsStream<TcpStream>> {
        let shaken = timeout(self.0.patience, async {
            let turns = self.0.turns.of(audience);
            let _turn = turns.acquire().await.map_err(io::Error::other)?;
            TlsAcceptor::from(self.offer(audience)).accept(stream).await
        });
        shaken
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    fn offer(&self, audience: Audience) -> Arc<ServerConfig> {
        self.keys().offer(audience)
    }

    fn keys(&self) -> Keys {
        // Keys are replaced as a whole, so a panic cannot leave half of them.
        let keys = self.0.keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.clone()
    }

    fn replace(&self, keys: Keys) {
        *self.0.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
    }
}

impl Turns {
    fn new() -> Self {
        Self {
            clients: Semaphore::new(MAX_HANDSHAKES),
            operators: Semaphore::new(MAX_HANDSHAKES),
        }
    }

    fn of(&self, audience: Audience) -> &Semaphore {
        match audience {
            Audience::Clients => &self.clients,
            Audience::Operators => &self.operators,
        }
    }
}
