//! The host under measurement: the real binary on a folder of its own.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::client::Client;

const BINARY: &str = "target/release/taskyard";
const TOKEN: &str = "a-token-for-benchmarks";
const STATES: Duration = Duration::from_millis(2);

pub(crate) struct Host {
    pub(crate) address: SocketAddr,
    admin: SocketAddr,
    folder: TempDir,
    child: Child,
}

impl Host {
    pub(crate) async fn start() -> Result<Self> {
        let folder = TempDir::new()?;
        let (child, address, admin) = launch(&folder).await?;
        Ok(Self {
            address,
            admin,
            folder,
            child,
        })
    }

    /// Starts again on the same folder after [`Host::kill`].
    pub(crate) async fn restart(&mut self) -> Result<()> {
        (self.child, self.address, self.admin) = launch(&self.folder).await?;
        Ok(())
    }

    pub(crate) async fn kill(&mut self) -> Result<()> {
        self.child.kill().await?;
        std::fs::remove_file(self.folder.path().join("addresses.json"))?;
        Ok(())
    }

    pub(crate) async fn stop(mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Loads the component at `target/NAME.wasm`.
    pub(crate) async fn load(&self, name: &str, max_runs: Option<u32>) -> Result<()> {
        let mut command = self.cli();
        command.args(["plugin", "load", &format!("target/{name}.wasm")]);
        if let Some(max_runs) = max_runs {
            command.args(["--max-runs", &max_runs.to_string()]);
        }
        let output = command.output().await?;
        if !output.status.success() {
            bail!(
                "cannot load {name}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
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
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Waits until so many tasks of an agent have completed.
    pub(crate) async fn until_completed(&self, agent: &str, count: usize) -> Result<()> {
        let mut client = Client::connect(self.address, agent).await?;
        while client.completed().await? < count as u64 {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Ok(())
    }

    /// The memory of the process.
    pub(crate) fn resident_bytes(&self) -> Result<u64> {
        let id = self.child.id().context("the host ended")?;
        let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib: u64 = line
            .context("no VmRSS")?
            .trim()
            .trim_end_matches(" kB")
            .parse()?;
        Ok(kib * 1_024)
    }

    /// The bytes that the process has had written to disk.
    pub(crate) fn disk_bytes(&self) -> Result<u64> {
        let id = self.child.id().context("the host ended")?;
        let io = std::fs::read_to_string(format!("/proc/{id}/io"))?;
        let line = io
            .lines()
            .find_map(|line| line.strip_prefix("write_bytes:"));
        Ok(line.context("no write_bytes")?.trim().parse()?)
    }

    fn cli(&self) -> Command {
        let mut command = Command::new(BINARY);
        command
            .env("TASKYARD_ADMIN_LISTEN", self.admin.to_string())
            .env("TASKYARD_ADMIN_TOKEN", TOKEN);
        command
    }
}

async fn launch(folder: &TempDir) -> Result<(Child, SocketAddr, SocketAddr)> {
    let child = Command::new(BINARY)
        .arg("serve")
        .env("TASKYARD_LISTEN", "127.0.0.1:0")
        .env("TASKYARD_ADMIN_LISTEN", "127.0.0.1:0")
        .env("TASKYARD_DATA_DIR", folder.path())
        .env("TASKYARD_ADMIN_TOKEN", TOKEN)
        .env("TASKYARD_LOG", "warn")
        .env("TASKYARD_LIMITS__MAX_QUEUED", "2000000")
        .env("TASKYARD_LIMITS__MAX_QUEUED_PER_TENANT", "2000000")
        .stdout(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .context("cannot start the host; run `make build` first")?;
    let (address, admin) = addresses(&folder.path().join("addresses.json")).await?;
    Ok((child, address, admin))
}

/// The file appears once the host listens.
async fn addresses(path: &Path) -> Result<(SocketAddr, SocketAddr)> {
    for _ in 0..30_000 {
        if let Ok(text) = std::fs::read_to_string(path)
            && let Ok(found) = serde_json::from_str::<Value>(&text)
        {
            let address = |name| {
                found
                    .get(name)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .parse()
            };
            return Ok((address("listen")?, address("admin_listen")?));
        }
        tokio::time::sleep(STATES).await;
    }
    bail!("the host does not start")
}
