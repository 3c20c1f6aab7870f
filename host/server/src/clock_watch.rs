//! Keeps the host's time: follows the system's clock, says when it steps, and leaves for the next start what
//! time it was.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use metrics::gauge;
use taskyard_clock::{Clock, Config, LastSeen, News};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// In the data folder.
const FILE: &str = "clock.json";
/// How often the clock is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// How many looks pass between two writes of the file: a host that is killed knows the time to the minute.
const LOOKS_PER_WRITE: u32 = 60;

/// A clock that goes on after what the last host on this folder saw.
pub(crate) fn resume(data_dir: &Path, config: Config) -> Clock {
    let clock = Clock::system();
    match read(&data_dir.join(FILE)) {
        Ok(Some(last)) => tell(clock.resume(&last, config)),
        Ok(None) => {}
        Err(error) => warn!(
            error = format!("{error:#}"),
            "it is not known when the host ran last; the system's clock is believed"
        ),
    }
    clock
}

fn read(file: &Path) -> anyhow::Result<Option<LastSeen>> {
    match fs::read(file) {
        Ok(bytes) => {
            let last = serde_json::from_slice(&bytes);
            last.map(Some)
                .with_context(|| format!("{} cannot be read", file.display()))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", file.display())),
    }
}

/// Keeps the time while the host runs.
pub(crate) struct ClockWatch {
    clock: Clock,
    config: Config,
    file: PathBuf,
    /// Whether the last write failed: said once.
    is_unwritten: bool,
}

impl ClockWatch {
    pub(crate) fn new(clock: Clock, config: Config, data_dir: &Path) -> Self {
        Self {
            clock,
            config,
            file: data_dir.join(FILE),
            is_unwritten: false,
        }
    }

    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(LOOK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        let mut looks = 0_u32;
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            tell(self.clock.follow(self.config));
            show(&self.clock);
            if looks.is_multiple_of(LOOKS_PER_WRITE) {
                self.write().await;
            }
            looks = looks.wrapping_add(1);
        }
        self.write().await;
    }

    async fn write(&mut self) {
        let Some(last) = self.clock.last_seen() else {
            return;
        };
        let file = self.file.clone();
        let written = tokio::task::spawn_blocking(move || write(&file, &last)).await;
        let failed = match written {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(error) => Some(error.to_string()),
        };
        if let Some(error) = &failed
            && !self.is_unwritten
        {
            warn!(file = %self.file.display(), error, "cannot write down what time it is");
        }
        self.is_unwritten = failed.is_some();
    }
}

/// Whole or not at all. Not synced: after a power failure the machine has booted, and an old file is as good.
fn write(file: &Path, last: &LastSeen) -> std::io::Result<()> {
    let fresh = file.with_extension("json.new");
    fs::write(&fresh, serde_json::to_vec(last)?)?;
    fs::rename(&fresh, file)
}

fn show(clock: &Clock) {
    #[expect(
        clippy::cast_precision_loss,
        reason = "milliseconds of thousands of years fit"
    )]
    let step = clock.step_ms().unwrap_or(0) as f64 / 1_000.0;
    gauge!("taskyard_clock_step_seconds").set(step);
}

fn tell(news: Option<News>) {
    match news {
        Some(News::Stepped(step_ms)) => warn!(
            step_seconds = step_ms / 1_000,
            "the system's clock was set by more than clock.max_step_seconds, and is not followed: timers and deadlines go on without the step, and retention deletes nothing; if the clock is right now: taskyard clock accept"
        ),
        Some(News::Returned) => info!("the system's clock is where it should be again"),
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_left_behind_is_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let config = Config::default();
        assert_eq!(read(&folder.path().join(FILE)).unwrap(), None);
        let clock = resume(folder.path(), config);
        let stop = CancellationToken::new();
        stop.cancel();
        let began = clock.last_seen().unwrap();
        ClockWatch::new(clock.clone(), config, folder.path())
            .run(stop)
            .await;
        let last = read(&folder.path().join(FILE)).unwrap().unwrap();
        assert!(began.at <= last.at && last.at <= clock.now());
        assert_eq!(last.boot, began.boot);
        assert_eq!(resume(folder.path(), config).step_ms(), None);
    }

    #[test]
    fn a_file_that_cannot_be_read_is_no_obstacle() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), "{").unwrap();
        assert_eq!(resume(folder.path(), Config::default()).step_ms(), None);
    }
}
