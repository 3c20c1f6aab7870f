//! A host: the real binary on a data folder of its own, to be killed and started again at will.

mod process;
mod settings;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::{Arc, Weak};
use std::time::Duration;

use rustix::process::Resource;
use tempfile::TempDir;
use tokio::sync::Mutex;

use super::admin::Admin;
use super::agent::Agent;
use super::{http, places};

pub(crate) use process::{ADMIN_TOKEN, Process};
pub(crate) use settings::Settings;

/// How much of a host's log is shown when its test fails.
const SHOWN_BYTES: usize = 8_000;

/// A running host. It ends with its last handle; a test that fails shows what the host had to say.
#[derive(Clone)]
pub(crate) struct Host {
    process: Arc<Process>,
    /// Removed with the last handle.
    folder: Arc<TempDir>,
}

impl Host {
    /// A host without agents.
    pub(crate) async fn start(settings: Settings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let process = Process::new(folder.path().to_owned(), settings);
        let host = Self {
            process: Arc::new(process),
            folder: Arc::new(folder),
        };
        host.process.start().await;
        host
    }

    /// A host that has begun to start, and may never be ready.
    pub(crate) fn begin(settings: Settings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let process = Process::new(folder.path().to_owned(), settings);
        process.begin(Command::new(places::binary()));
        Self {
            process: Arc::new(process),
            folder: Arc::new(folder),
        }
    }

    /// A host with these of the example plugins.
    pub(crate) async fn with(plugins: &[&str], settings: Settings) -> Self {
        let host = Self::start(settings).await;
        for name in plugins {
            host.admin()
                .load(&places::plugin(name), &example_query(name))
                .await;
        }
        host
    }

    /// The host that tests share which do not disturb each other: all example plugins, default
    /// limits.
    pub(crate) async fn shared() -> Self {
        static SHARED: SharedHost = SharedHost::new();
        SHARED
            .get(async || Self::with(&EXAMPLES, Settings::default()).await)
            .await
    }

    /// A client of one agent.
    pub(crate) fn agent(&self, name: &str) -> Agent {
        Agent::new(Arc::clone(&self.process), http::client(), name)
    }

    /// A client of one agent that calls in its own way.
    pub(crate) fn agent_over(&self, http: reqwest::Client, name: &str) -> Agent {
        Agent::new(Arc::clone(&self.process), http, name)
    }

    /// A client of the operators' door.
    pub(crate) fn admin(&self) -> Admin {
        Admin::new(Arc::clone(&self.process), http::client())
    }

    /// Where clients connect now.
    pub(crate) fn url(&self) -> String {
        self.process.url()
    }

    /// Where operators connect now.
    pub(crate) fn admin_url(&self) -> String {
        self.process.admin_url()
    }

    /// The folder of everything that must survive.
    pub(crate) fn data(&self) -> PathBuf {
        self.process.data()
    }

    /// Ends the process at whatever it is doing.
    pub(crate) fn kill(&self) {
        self.process.kill();
    }

    /// Starts the host again and kills it before it is ready.
    pub(crate) async fn false_start(&self, life: Duration) {
        self.process.begin(Command::new(places::binary()));
        tokio::time::sleep(life).await;
        self.kill();
    }

    /// Starts the host again on the same data.
    pub(crate) async fn restart(&self) {
        self.process.start().await;
    }

    /// The same, if it starts at all; it serves then, ready or not.
    pub(crate) async fn try_restart(&self) -> Result<(), ExitStatus> {
        self.process.try_start().await
    }

    /// Ends the process and starts it again on the same data, with limits as the shell sets them.
    pub(crate) async fn restart_limited(&self, limits: &str) {
        self.process.start_limited(limits).await;
    }

    /// The number of the running process.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Lets the running process have no more than `most` of a resource, or all that it may have.
    pub(crate) fn limit(&self, resource: Resource, most: Option<u64>) {
        self.process.limit(resource, most);
    }

    /// Asks the host to stop, and does not wait.
    pub(crate) fn terminate(&self) {
        self.process.terminate();
    }

    /// Tells the host that its files changed.
    pub(crate) fn hang_up(&self) {
        self.process.hang_up();
    }

    /// Waits until the process has ended by itself.
    pub(crate) async fn exited(&self) -> ExitStatus {
        self.process.exited().await
    }

    /// All that the host wrote to standard error so far.
    pub(crate) fn log(&self) -> String {
        read_log(&self.process.log())
    }
}

/// A host that several tests share. It lives for as long as any of them uses it.
pub(crate) struct SharedHost(Mutex<(Weak<Process>, Weak<TempDir>)>);

impl SharedHost {
    pub(crate) const fn new() -> Self {
        Self(Mutex::const_new((Weak::new(), Weak::new())))
    }

    /// The host, or the one that `start` starts if there is none at the moment.
    pub(crate) async fn get(&self, start: impl AsyncFnOnce() -> Host) -> Host {
        let mut shared = self.0.lock().await;
        if let (Some(process), Some(folder)) = (shared.0.upgrade(), shared.1.upgrade()) {
            return Host { process, folder };
        }
        let host = start().await;
        *shared = (Arc::downgrade(&host.process), Arc::downgrade(&host.folder));
        host
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let start = log.ceil_char_boundary(log.len().saturating_sub(SHOWN_BYTES));
            println!("--- the host's log ---\n{}--- end ---", &log[start..]);
        }
    }
}

/// All example plugins.
pub(crate) const EXAMPLES: [&str; 4] = ["approval", "countdown", "csv-report", "echo"];

/// Nobody waits for seconds here.
fn example_query(plugin: &str) -> Vec<(&'static str, String)> {
    match plugin {
        "countdown" => vec![("config", r#"{"tick_ms":20}"#.to_owned())],
        _ => Vec::new(),
    }
}

fn read_log(path: &Path) -> String {
    let bytes = fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}
