//! Takes up new certificate files while the host runs: when they change, and when it is told to.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use taskyard_clock::Clock;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::expiry::{self, Reminder};
use super::{Keys, Tls};
use crate::config::TlsConfig;

/// How often the files are looked at. Three look-ups cost microseconds; nobody waits longer than this for
/// a new certificate.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Looks after the files.
#[derive(Debug)]
pub(crate) struct Watch {
    tls: Tls,
    clock: Clock,
    told: Signal,
    /// The files as they were when they were read last.
    seen: Stamps,
    reminder: Reminder,
}

impl Watch {
    /// Reads the files, and listens for `SIGHUP` from here on.
    ///
    /// # Errors
    /// For the operator: which file cannot be used, and why.
    pub(crate) fn begin(config: &TlsConfig, clock: Clock) -> anyhow::Result<Self> {
        // The stamps come first: a change in between is found at the next look.
        let seen = Stamps::of(config);
        let tls = Tls::read(config)?;
        expiry::show(tls.keys().end);
        Ok(Self {
            told: signal(SignalKind::hangup()).context("cannot listen for signals")?,
            reminder: Reminder::default(),
            tls,
            clock,
            seen,
        })
    }

    /// The certificate that it looks after.
    pub(crate) fn tls(&self) -> Tls {
        self.tls.clone()
    }

    /// Takes up what changes until `stop` is cancelled.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = self.told.recv() => self.take_up().await,
                _ = looks.tick() => self.look().await,
            }
        }
    }

    /// Takes up the files if they changed.
    pub(super) async fn look(&mut self) {
        let config = self.tls.0.config.clone();
        let found = blocking(move || Stamps::of(&config)).await;
        if found.is_ok_and(|found| found != self.seen) {
            self.take_up().await;
        }
        if let Some(ends) = self.remind() {
            warn!("{ends}");
        }
    }

    /// What to say of a certificate that ends soon, once a day.
    pub(crate) fn remind(&mut self) -> Option<String> {
        self.reminder.remind(self.tls.keys().end, self.clock.wall())
    }

    /// Takes up the files. If they cannot be used, everything stays as it was.
    pub(super) async fn take_up(&mut self) {
        let config = self.tls.0.config.clone();
        let read = blocking(move || (Stamps::of(&config), Keys::read(&config))).await;
        let read = read.and_then(|(stamps, keys)| {
            self.seen = stamps;
            keys
        });
        match read {
            Ok(keys) => {
                expiry::show(keys.end);
                self.tls.replace(keys);
                info!("the TLS certificate was read; new connections get it");
            }
            Err(error) => error!(
                error = format!("{error:#}"),
                "the TLS files cannot be used; the host goes on with the certificate that it has"
            ),
        }
    }
}

/// Runs what reads files where it holds up nobody.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> anyhow::Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.context("reading the TLS files was cut off")
}

/// What tells one version of the files from another.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamps(Vec<Option<Stamp>>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    modified: (i64, i64),
    length: u64,
    inode: u64,
}

impl Stamps {
    fn of(config: &TlsConfig) -> Self {
        let files = [&config.certificate, &config.key].into_iter();
        let files = files.chain(&config.client_ca);
        Self(files.map(|file| Stamp::of(file)).collect())
    }
}

impl Stamp {
    /// Follows links: that is how secrets are replaced in containers.
    fn of(file: &Path) -> Option<Self> {
        let found = std::fs::metadata(file).ok()?;
        Some(Self {
            modified: (found.mtime(), found.mtime_nsec()),
            length: found.len(),
            inode: found.ino(),
        })
    }
}
