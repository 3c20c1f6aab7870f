//! The host under measurement: the real binary on a folder of its own, with synced writes.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use super::{Dialect, Place, Process};

const BINARY: &str = "target/release/taskyard";
const ADMIN_TOKEN: &str = "a-token-for-benchmarks";
const LOOK_EVERY: Duration = Duration::from_millis(2);
const IDLE_EVERY: Duration = Duration::from_millis(50);

/// What every measurement changes: a backlog of a million is part of some, and webhooks are on loopback.
const SETTINGS: &str = r#"
listen = "127.0.0.1:0"
admin_listen = "127.0.0.1:0"
[limits]
max_queued = 2000000
max_queued_per_tenant = 2000000
[notify]
allow_private = true
"#;

#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) process: Process,
    address: SocketAddr,
    admin: SocketAddr,
    folder: TempDir,
    preload: Option<PathBuf>,
}

impl Host {
    /// A host with these components, named by their files below `target/`.
    pub(crate) async fn with(components: &[&str]) -> Result<Self> {
        Self::start(components, "", None).await
    }

    /// A host with further settings in TOML.
    pub(crate) async fn configured(components: &[&str], settings: &str) -> Result<Self> {
        Self::start(components, settings, None).await
    }

    /// A host that loads a shared library first.
    pub(crate) async fn preloading(components: &[&str], library: &Path) -> Result<Self> {
        Self::start(components, "", Some(library.to_owned())).await
    }

    async fn start(components: &[&str], settings: &str, preload: Option<PathBuf>) -> Result<Self> {
        let folder = TempDir::new()?;
        std::fs::write(
            folder.path().join("taskyard.toml"),
            format!("{SETTINGS}{settings}"),
        )?;
        let (process, address, admin) = launch(&folder, preload.as_deref()).await?;
        let host = Self {
            process,
            address,
            admin,
            folder,
            preload,
        };
        for component in components {
            host.load(component, &[]).await?;
        }
        Ok(host)
    }

    /// Ends it as a crash would, and starts it again on the same folder.
    pub(crate) async fn restart(&mut self) -> Result<()> {
        self.crash().await?;
        let launched = launch(&self.folder, self.preload.as_deref()).await?;
        (self.process, self.address, self.admin) = launched;
        Ok(())
    }

    async fn crash(&mut self) -> Result<()> {
        self.process.kill().await?;
        Ok(std::fs::remove_file(addresses(&self.folder))?)
    }

    pub(crate) fn place(&self, agent: &str) -> Place {
        Place {
            address: self.address,
            path: format!("/agents/{agent}"),
            dialect: Dialect::A2a,
            token: None,
        }
    }

    /// Loads the component at `target/NAME.wasm`.
    pub(crate) async fn load(&self, name: &str, flags: &[&str]) -> Result<()> {
        let file = format!("target/{name}.wasm");
        let load = self
            .cli()
            .args(["plugin", "load", &file])
            .args(flags)
            .output();
        let output = load.await?;
        if !output.status.success() {
            let words = String::from_utf8_lossy(&output.stderr);
            bail!("cannot load {name}: {words}");
        }
        Ok(())
    }

    /// Waits until nothing is in line and nothing runs.
    pub(crate) async fn until_idle(&self) -> Result<()> {
        loop {
            let output = self.cli().args(["status", "--json"]).output().await?;
            let status: Value = serde_json::from_slice(&output.stdout)?;
            let stats = status.get("stats").unwrap_or(&status);
            if stats["queued"] == 0 && stats["running"] == 0 {
                return Ok(());
            }
            tokio::time::sleep(IDLE_EVERY).await;
        }
    }

    /// The size of everything that it stores.
    pub(crate) fn stored_bytes(&self) -> Result<u64> {
        size(self.folder.path())
    }

    fn cli(&self) -> Command {
        let mut command = Command::new(BINARY);
        command
            .env("TASKYARD_ADMIN_LISTEN", self.admin.to_string())
            .env("TASKYARD_ADMIN_TOKEN", ADMIN_TOKEN);
        command
    }
}

async fn launch(
    folder: &TempDir,
    preload: Option<&Path>,
) -> Result<(Process, SocketAddr, SocketAddr)> {
    let mut command = Command::new(BINARY);
    command
        .arg("serve")
        .env("TASKYARD_CONFIG", folder.path().join("taskyard.toml"))
        .env("TASKYARD_DATA_DIR", folder.path())
        .env("TASKYARD_ADMIN_TOKEN", ADMIN_TOKEN)
        .env("TASKYARD_LOG", "warn")
        .stdout(Stdio::null());
    if let Some(library) = preload {
        command.env("LD_PRELOAD", library).env("SLOW_SYNC_MS", "10");
    }
    let process = Process::spawn(command).context("run `make build` first")?;
    let (address, admin) = until_listening(&process, &addresses(folder)).await?;
    Ok((process, address, admin))
}

fn addresses(folder: &TempDir) -> PathBuf {
    folder.path().join("addresses.json")
}

/// The file appears once the host listens.
async fn until_listening(process: &Process, file: &Path) -> Result<(SocketAddr, SocketAddr)> {
    while process.runs() {
        if let Ok(text) = std::fs::read_to_string(file)
            && let Ok(found) = serde_json::from_str::<Value>(&text)
        {
            return Ok((address(&found, "listen")?, address(&found, "admin_listen")?));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    bail!("the host ended before it listened")
}

fn address(found: &Value, name: &str) -> Result<SocketAddr> {
    let address = found.get(name).and_then(Value::as_str);
    Ok(address.context("no address")?.parse()?)
}

fn size(path: &Path) -> Result<u64> {
    let mut sum = 0;
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        sum += match entry.metadata() {
            Ok(meta) if meta.is_dir() => size(&entry.path())?,
            Ok(meta) => meta.len(),
            // Files that compaction removes meanwhile.
            Err(_) => 0,
        };
    }
    Ok(sum)
}
