//! Places where an answer stops until the test lets it go on.

use std::sync::{Arc, Mutex};

use tokio::sync::watch;

use crate::support::wait::in_time;

/// The places that there are.
#[derive(Default)]
pub(super) struct Gates(Mutex<Vec<Arc<Gate>>>);

struct Gate {
    path: String,
    number: usize,
    pieces: usize,
    reached: watch::Sender<bool>,
    open: watch::Sender<bool>,
}

impl Gates {
    pub(super) fn hold(&self, path: &str, number: usize, pieces: usize) -> Hold {
        let gate = Arc::new(Gate {
            path: path.to_owned(),
            number,
            pieces,
            reached: watch::Sender::new(false),
            open: watch::Sender::new(false),
        });
        self.0.lock().unwrap().push(Arc::clone(&gate));
        Hold(gate)
    }

    /// Waits here if a test wants that.
    pub(super) async fn pass(&self, path: &str, number: usize, pieces: usize) {
        let is_here =
            |gate: &&Arc<Gate>| gate.path == path && gate.number == number && gate.pieces == pieces;
        let gate = self.0.lock().unwrap().iter().find(is_here).cloned();
        if let Some(gate) = gate {
            gate.reached.send_replace(true);
            gate.open.subscribe().wait_for(|open| *open).await.unwrap();
        }
    }
}

/// An answer that stops at one place.
pub(crate) struct Hold(Arc<Gate>);

impl Hold {
    /// Waits until the answer is there.
    pub(crate) async fn reached(&self) {
        let mut reached = self.0.reached.subscribe();
        let reached = reached.wait_for(|reached| *reached);
        in_time("the request that is held", reached).await.unwrap();
    }

    /// Lets the answer go on.
    pub(crate) fn release(self) {
        self.0.open.send_replace(true);
    }
}
