//! The broker's place: one row in memory.

use std::sync::{Arc, Mutex, MutexGuard};

use taskyard_broker::{Error, RemoteWork};
use taskyard_clock::IdSource;
use taskyard_task::{
    ChildCall, ChildEnd, ChildTarget, EgressPolicy, EgressRule, Part, RemoteChild, RemoteId,
    RemoteStage, Seq, Ticket, Timestamp,
};
use tokio::sync::Notify;

use crate::desk::Desk;

/// A child that is to be done by the agent at `url`, which it may ask.
pub(super) fn child(url: &str) -> RemoteWork {
    let ids = IdSource::system();
    let rule = EgressRule {
        host: "http://*".parse().unwrap(),
        inject: Default::default(),
    };
    let port: url::Url = url.parse().unwrap();
    let host = format!("http://127.0.0.1:{}", port.port().unwrap());
    let rule = EgressRule {
        host: host.parse().unwrap(),
        ..rule
    };
    RemoteWork {
        child: RemoteChild {
            parent: ids.task_id(None),
            ticket: Ticket(1),
            since: Seq(4),
            agent: "parent".parse().unwrap(),
            url: url.to_owned(),
            message_id: ids.unique(),
            context_id: ids.unique(),
            call: ChildCall {
                target: ChildTarget::Remote(url.to_owned()),
                message: vec![Part::text("ping")],
                metadata: None,
                detached: false,
            },
            stage: RemoteStage::New,
            cancel: false,
        },
        awaited: true,
        deadline: Timestamp(u64::MAX),
        egress: EgressPolicy { rules: vec![rule] },
        most_bytes: 1_000_000,
    }
}

/// A row that outlives those who follow it.
#[derive(Clone)]
pub(super) struct Board(Arc<Inner>);

struct Inner {
    id: RemoteId,
    state: Mutex<State>,
    woken: Notify,
    changed: Notify,
}

struct State {
    row: Option<RemoteWork>,
    end: Option<ChildEnd>,
    /// The last stage that is let through.
    freeze_after: Option<RemoteStage>,
    frozen: bool,
}

impl Board {
    pub(super) fn with(row: RemoteWork) -> Self {
        Self(Arc::new(Inner {
            id: row.child.id(),
            state: Mutex::new(State {
                row: Some(row),
                end: None,
                freeze_after: None,
                frozen: false,
            }),
            woken: Notify::new(),
            changed: Notify::new(),
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap()
    }

    pub(super) fn row(&self) -> RemoteWork {
        self.state().row.clone().unwrap()
    }

    pub(super) fn stage(&self) -> RemoteStage {
        self.row().child.stage
    }

    pub(super) fn is_kept(&self) -> bool {
        self.state().row.is_some()
    }

    pub(super) fn wake_all(&self) {
        self.0.woken.notify_one();
    }

    /// The parent wants the child no more.
    pub(super) fn cancel(&self) {
        if let Some(row) = &mut self.state().row {
            row.child.cancel = true;
        }
        self.wake_all();
    }

    /// Nothing behind this stage becomes durable.
    pub(super) fn freeze_after(&self, stage: &RemoteStage) {
        self.state().freeze_after = Some(stage.clone());
    }

    pub(super) fn thaw(&self) {
        let mut state = self.state();
        state.freeze_after = None;
        state.frozen = false;
    }

    /// Waits until something was to become durable that does not.
    pub(super) async fn until_frozen(&self) {
        self.until(|state| state.frozen).await;
    }

    /// Waits for the end.
    pub(super) async fn end(&self) -> ChildEnd {
        self.until(|state| state.end.is_some()).await;
        self.state().end.clone().unwrap()
    }

    async fn until(&self, reached: impl Fn(&State) -> bool) {
        while !reached(&self.state()) {
            self.0.changed.notified().await;
        }
    }

    async fn let_through(&self) {
        let is_frozen = {
            let mut state = self.state();
            let stage = state.row.as_ref().map(|row| row.child.stage.clone());
            state.frozen = state.freeze_after.is_some() && state.freeze_after == stage;
            state.frozen
        };
        if is_frozen {
            self.0.changed.notify_one();
            std::future::pending::<()>().await;
        }
    }
}

impl Desk for Board {
    async fn ready(&self) -> Vec<RemoteId> {
        self.0.woken.notified().await;
        vec![self.0.id]
    }

    async fn child(&self, id: RemoteId) -> Result<Option<RemoteWork>, Error> {
        assert_eq!(id, self.0.id);
        Ok(self.state().row.clone())
    }

    async fn reached(&self, _: RemoteId, stage: RemoteStage) -> Result<(), Error> {
        self.let_through().await;
        if let Some(row) = &mut self.state().row {
            row.child.stage = stage;
        }
        Ok(())
    }

    async fn ended(&self, _: RemoteId, end: ChildEnd) -> Result<(), Error> {
        self.let_through().await;
        let mut state = self.state();
        state.row = None;
        state.end = Some(end);
        self.0.changed.notify_one();
        Ok(())
    }
}
