//! The process of a host: started, watched, killed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use serde_json::Value;

use super::Settings;
use crate::support::wait::eventually;
use crate::support::{http, places};

/// What operators prove themselves with.
pub(crate) const ADMIN_TOKEN: &str = "an-admin-token-for-tests";

/// The process of a host, or the place where one was.
pub(crate) struct Process {
    folder: PathBuf,
    settings: Settings,
    child: Mutex<Option<Child>>,
    addresses: Mutex<(String, String)>,
}

impl Process {
    pub(crate) fn new(folder: PathBuf, settings: Settings) -> Self {
        Self {
            folder,
            settings,
            child: Mutex::new(None),
            addresses: Mutex::default(),
        }
    }

    /// Starts it and waits until it is ready. It takes other ports each time: the old ones may have
    /// been given away meanwhile.
    pub(crate) async fn start(&self) {
        self.start_as(Command::new(places::binary())).await;
    }

    /// Starts it with what the shell can limit. The host ignores the signal that comes with a limit on the size of
    /// files, which leaves the error that a full disk would be.
    pub(crate) async fn start_limited(&self, limits: &str) {
        let limited = format!("{limits}; exec \"$0\" \"$@\"");
        let mut command = Command::new("sh");
        command.arg("-c").arg(limited).arg(places::binary());
        self.start_as(command).await;
    }

    /// Lets it have no more than `most` of a resource from now on, or all that it may have.
    pub(crate) fn limit(&self, resource: Resource, most: Option<u64>) {
        let id = Pid::from_raw(self.id().try_into().unwrap());
        // What a process may have at most it has from its parent.
        let maximum = getrlimit(resource).maximum;
        let current = most.or(maximum);
        prlimit(id, resource, Rlimit { current, maximum }).unwrap();
    }

    /// The number by which the system knows it.
    pub(crate) fn id(&self) -> u32 {
        self.child.lock().unwrap().as_ref().unwrap().id()
    }

    async fn start_as(&self, command: Command) {
        self.begin(command);
        self.ready().await;
    }

    /// Starts it and does not wait.
    pub(crate) fn begin(&self, command: Command) {
        self.kill();
        // A host that was killed leaves them behind.
        let _ = fs::remove_file(self.addresses_file());
        let child = self.serve(command).spawn().unwrap();
        *self.child.lock().unwrap() = Some(child);
    }

    pub(crate) fn url(&self) -> String {
        self.addresses.lock().unwrap().0.clone()
    }

    pub(crate) fn admin_url(&self) -> String {
        self.addresses.lock().unwrap().1.clone()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.folder.join("host.log")
    }

    /// `SIGKILL`.
    pub(crate) fn kill(&self) {
        if let Some(mut child) = self.child.lock().unwrap().take() {
            // It may have ended by itself.
            let _ = child.kill();
            child.wait().unwrap();
        }
    }

    /// `SIGTERM`.
    pub(crate) fn terminate(&self) {
        self.signal("TERM");
    }

    /// `SIGHUP`.
    pub(crate) fn hang_up(&self) {
        self.signal("HUP");
    }

    fn signal(&self, name: &str) {
        let id = self.id();
        // The shell has it built in; small containers have no program of this name.
        let kill = format!("kill -{name} {id}");
        let sent = Command::new("sh").args(["-c", &kill]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits until it has ended by itself.
    pub(crate) async fn exited(&self) -> ExitStatus {
        eventually("the end of the host", async || self.status()).await
    }

    fn serve(&self, mut command: Command) -> Command {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log())
            .unwrap();
        command
            .arg("serve")
            .args(self.settings.arguments())
            .current_dir(&self.folder)
            .env_clear()
            .env("TASKYARD_DATA_DIR", self.data())
            .env("TASKYARD_LISTEN", "127.0.0.1:0")
            .env("TASKYARD_ADMIN_LISTEN", "127.0.0.1:0")
            .env("TASKYARD_ADMIN_TOKEN", ADMIN_TOKEN)
            .envs(self.settings.variables())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        command
    }

    /// Starts it and waits until it serves, ready or not; how it ended if it did before.
    pub(crate) async fn try_start(&self) -> Result<(), ExitStatus> {
        self.begin(Command::new(places::binary()));
        self.answers("healthz").await
    }

    async fn ready(&self) {
        if let Err(status) = self.answers("readyz").await {
            let log = fs::read_to_string(self.log()).unwrap_or_default();
            panic!("the host ended with {status}:\n{log}");
        }
    }

    async fn answers(&self, path: &str) -> Result<(), ExitStatus> {
        // Both doors open at once; that of the operators asks nobody for a certificate.
        let http = http::builder().tls_danger_accept_invalid_certs(true);
        let http = http.build().unwrap();
        eventually("the host being ready", async || {
            if let Some(status) = self.status() {
                return Some(Err(status));
            }
            let (listen, admin) = read_addresses(&self.addresses_file())?;
            let answer = http.get(format!("{admin}/{path}")).send().await.ok()?;
            answer.status().is_success().then(|| {
                *self.addresses.lock().unwrap() = (listen, admin);
                Ok(())
            })
        })
        .await
    }

    fn status(&self) -> Option<ExitStatus> {
        self.child.lock().unwrap().as_mut()?.try_wait().unwrap()
    }

    fn addresses_file(&self) -> PathBuf {
        self.data().join("addresses.json")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn read_addresses(file: &Path) -> Option<(String, String)> {
    let addresses: Value = serde_json::from_slice(&fs::read(file).ok()?).ok()?;
    let url = |key, tls| {
        let scheme = if addresses[tls] == true {
            "https"
        } else {
            "http"
        };
        Some(format!("{scheme}://{}", addresses[key].as_str()?))
    };
    Some((url("listen", "tls")?, url("admin_listen", "admin_tls")?))
}
