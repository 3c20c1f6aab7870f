//! What people would use instead, each in its folder below `tests/bench/peers`.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use tempfile::TempDir;
use tokio::process::Command;

use super::{Dialect, Place, Process};

/// Servers may use this many ports from their own on.
const PORTS: u16 = 10;

#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) process: Process,
    address: SocketAddr,
    /// Removed with the server.
    _folder: TempDir,
}

impl Peer {
    /// The bare loop, which is a part of this program.
    pub(crate) async fn bare() -> Result<Self> {
        Self::start(bare()?, &[]).await
    }

    /// The bare loop with a shared library that is loaded first.
    pub(crate) async fn bare_preloading(library: &Path) -> Result<Self> {
        let mut command = bare()?;
        command.env("LD_PRELOAD", library).env("SLOW_SYNC_MS", "10");
        Self::start(command, &[]).await
    }

    /// The server in a folder of peers; installs it first if need be.
    pub(crate) async fn installed(name: &str, arguments: &[&str]) -> Result<Self> {
        let folder = PathBuf::from("tests/bench/peers").join(name);
        let setup = Command::new(folder.join("setup")).status().await?;
        if !setup.success() {
            bail!("{name} cannot be installed");
        }
        Self::start(Command::new(folder.join("serve")), arguments).await
    }

    async fn start(mut command: Command, arguments: &[&str]) -> Result<Self> {
        let (folder, port) = (TempDir::new()?, free_port()?);
        command
            .arg(port.to_string())
            .arg(folder.path())
            .args(arguments);
        Ok(Self {
            process: Process::ready(command).await?,
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            _folder: folder,
        })
    }

    pub(crate) fn place(&self, dialect: Dialect) -> Place {
        Place {
            address: self.address,
            path: "/".to_owned(),
            dialect,
            token: None,
        }
    }
}

fn bare() -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("bare");
    Ok(command)
}

/// A port that is free now, with those after it.
fn free_port() -> Result<u16> {
    for first in (20_000..30_000).step_by(usize::from(PORTS)) {
        let mut ports = first..first + PORTS;
        if ports.all(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()) {
            return Ok(first);
        }
    }
    bail!("no free port")
}
