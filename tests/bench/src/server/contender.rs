//! Who is measured with the same task and the same client.

use anyhow::Result;

use super::{Dialect, Host, Peer, Place, Process};

/// The host comes first: the others are held against it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Contender {
    Taskyard,
    BareLoop,
    RustFramework,
    PythonMemory,
    PythonSqlite,
    Fasta2a,
    Restate,
}

impl Contender {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Taskyard => "Taskyard",
            Self::BareLoop => "bare loop (no log, no queue)",
            Self::RustFramework => "a2a-server-lf (memory)",
            Self::PythonMemory => "a2a-sdk for Python (memory)",
            Self::PythonSqlite => "a2a-sdk for Python (SQLite)",
            Self::Fasta2a => "fasta2a (memory)",
            Self::Restate => "Restate (disk)",
        }
    }

    /// Whether it is a part of this build; the others are installed first.
    pub(crate) fn is_at_hand(self) -> bool {
        matches!(self, Self::Taskyard | Self::BareLoop)
    }

    fn dialect(self) -> Dialect {
        match self {
            Self::Fasta2a => Dialect::A2aStreaming,
            Self::Restate => Dialect::Handlers,
            _ => Dialect::A2a,
        }
    }

    /// Starts it; the host with a component and the agent of that name.
    pub(crate) async fn start(self, component: &str) -> Result<Running> {
        let server = match self {
            Self::Taskyard => return Running::host(component).await,
            Self::BareLoop => Peer::bare().await?,
            Self::RustFramework => Peer::installed("rust-framework", &[]).await?,
            Self::PythonMemory => Peer::installed("python-sdk", &["memory"]).await?,
            Self::PythonSqlite => Peer::installed("python-sdk", &["sqlite"]).await?,
            Self::Fasta2a => Peer::installed("fasta2a", &[]).await?,
            Self::Restate => Peer::installed("restate", &[]).await?,
        };
        let place = server.place(self.dialect());
        let server = Server::Peer(server);
        Ok(Running { place, server })
    }
}

/// A server that has started, and where it is.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) place: Place,
    server: Server,
}

#[derive(Debug)]
enum Server {
    Host(Host),
    Peer(Peer),
}

impl Running {
    async fn host(component: &str) -> Result<Self> {
        let host = Host::with(&[component]).await?;
        let agent = component.rsplit('/').next().unwrap_or(component);
        let place = host.place(agent);
        let server = Server::Host(host);
        Ok(Self { place, server })
    }

    pub(crate) fn process(&self) -> &Process {
        match &self.server {
            Server::Host(host) => &host.process,
            Server::Peer(peer) => &peer.process,
        }
    }
}
