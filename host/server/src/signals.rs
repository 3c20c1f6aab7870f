//! The signals that ask the host to stop, and the promise that it does.
//!
//! A thread of their own waits for them: the host may be in the middle of something that no task of the
//! runtime gets past, such as a database that is being opened on a slow disk.

use std::io;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::Context;
use rustix::process::{Signal as SystemSignal, getpid, kill_process};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::error;

use crate::cli::Exit;

/// The exit code of a host that was told twice.
const IMPATIENT: i32 = 130;
/// What the process may take to end once that is decided.
const LAST_MOMENT: Duration = Duration::from_secs(1);

/// The signals that ask the host to stop.
#[derive(Debug)]
pub(crate) struct Signals {
    told: CancellationToken,
}

impl Signals {
    /// Listens from here on. Once the host stops, it has `most` for that; a further signal ends it at once.
    ///
    /// # Errors
    /// If the system does not allow it.
    pub(crate) fn listen(most: Duration) -> anyhow::Result<Self> {
        let told = CancellationToken::new();
        let (says, said) = mpsc::channel();
        thread::Builder::new()
            .name("signals".to_owned())
            .spawn({
                let told = told.clone();
                move || match begin() {
                    Ok((runtime, heard)) => {
                        let _ = says.send(Ok(()));
                        runtime.block_on(watch(heard, told, most));
                    }
                    Err(error) => {
                        let _ = says.send(Err(error));
                    }
                }
            })
            .context("cannot start the thread that listens for signals")?;
        let began = said.recv().context("the thread for signals is gone")?;
        began.context("cannot listen for signals")?;
        Ok(Self { told })
    }

    /// Waits until the host is told to stop.
    pub(crate) async fn told(&self) {
        self.told.cancelled().await;
    }

    /// The host stops, told or not.
    pub(crate) fn stopping(&self) {
        self.told.cancel();
    }
}

/// What is listened to.
struct Heard {
    terminate: Signal,
    interrupt: Signal,
    // Somebody who listens keeps it from ending the process: a file that may not grow is an error like others.
    _too_large: Option<Signal>,
}

fn begin() -> io::Result<(Runtime, Heard)> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let heard = {
        let _inside = runtime.enter();
        let too_large = SignalKind::from_raw(SystemSignal::XFSZ.as_raw());
        Heard {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            _too_large: signal(too_large).ok(),
        }
    };
    Ok((runtime, heard))
}

impl Heard {
    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

async fn watch(mut heard: Heard, told: CancellationToken, most: Duration) {
    tokio::select! {
        () = heard.next() => {}
        () = told.cancelled() => {}
    }
    told.cancel();
    tokio::select! {
        () = heard.next() => end(IMPATIENT),
        () = tokio::time::sleep(most) => {
            error!("the host did not stop in time and is ended; nothing that was acknowledged is lost");
            end(Exit::Error as i32)
        }
    }
}

/// Ends the process. Nothing is lost by that; it only costs the replay of runs that would have ended.
fn end(code: i32) -> ! {
    // Other threads may be in the middle of what keeps a process from ending in order.
    let _ = thread::Builder::new().spawn(|| {
        #[expect(
            clippy::disallowed_methods,
            reason = "a thread of its own, and its last act"
        )]
        thread::sleep(LAST_MOMENT);
        let _ = kill_process(getpid(), SystemSignal::KILL);
    });
    std::process::exit(code)
}
