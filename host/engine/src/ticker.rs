//! The thread that ends time slices.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::error::Error;

/// How long a worker computes before others get their turn. Also how exact CPU limits are.
const SLICE: Duration = Duration::from_millis(10);

/// Ends the time slice of every worker again and again, until dropped.
///
/// An operating system thread, because a runtime whose threads all compute ends no slices.
pub(crate) struct Ticker {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    /// Starts the thread.
    ///
    /// # Errors
    /// If the system has no thread left.
    pub(crate) fn start(engine: wasmtime::Engine) -> Result<Self, Error> {
        let (stop, stopped) = channel::<()>();
        let thread = std::thread::Builder::new()
            .name("taskyard-ticker".to_owned())
            .spawn(move || {
                while stopped.recv_timeout(SLICE) == Err(RecvTimeoutError::Timeout) {
                    engine.increment_epoch();
                }
            })
            .map_err(Error::Ticker)?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It cannot have panicked, and there is nothing left to do if it did.
            let _ = thread.join();
        }
    }
}
