//! What the log of a test holds: the same kinds of entries as a real one.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::context::{ContextCall, ContextResult};
use super::outside::Outside;
use super::tickets::Stage;
use crate::children::{Child, ChildEnd};
use crate::host::TicketId;
use crate::http::Response;
use crate::millis::Millis;
use crate::testing::store::{StateCall, StateResult};
use crate::testing::world::Piece;
use crate::testing::{Event, LogLine, SentRequest};
use crate::{Message, OpError};

/// One record of the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::testing) struct Entry {
    /// The task's time from here on.
    pub(super) at: Millis,
    pub(super) what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum What {
    /// The worker did something that is kept for clients.
    Did(Event),
    /// The worker sends a request.
    Requested {
        ticket: TicketId,
        sent: SentRequest,
        at_most_once: bool,
        streamed: bool,
    },
    Responded {
        ticket: TicketId,
        result: Result<Response, OpError>,
    },
    Streamed {
        ticket: TicketId,
        piece: Piece,
    },
    ChildStarted {
        ticket: TicketId,
        child: Child,
    },
    ChildEnded {
        ticket: TicketId,
        end: ChildEnd,
    },
    GaveUp {
        ticket: TicketId,
    },
    State {
        call: StateCall,
        result: StateResult,
    },
    ContextRead {
        call: ContextCall,
        result: ContextResult,
    },
    Kept {
        label: String,
        input: u64,
        value: Vec<u8>,
    },
    /// A look at the messages, or for a cancel, saw something. Looks are numbered.
    Looked {
        look: usize,
        saw: Seen,
    },
    /// A wait ended with a message, known by its id.
    Arrived {
        id: String,
    },
    /// A wait ended because the client asked to cancel.
    Canceled,
    /// A wait ended because its time came.
    TimePassed,
    ContinuedAsNew(Box<Carried>),
}

/// What a look saw.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Seen {
    /// A message, known by its id.
    Message(String),
    Cancel,
}

/// What goes along when a task continues as new.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Carried {
    /// What the worker gave.
    pub(super) state: Option<Vec<u8>>,
    /// How often the task was continued.
    pub(super) continued: usize,
    pub(super) calls: usize,
    pub(super) now: Millis,
    pub(super) randoms: u64,
    /// Whether the worker knows that the client asked to cancel.
    pub(super) canceled: bool,
    /// Messages that the worker knows of and did not take.
    pub(super) inbox: VecDeque<Message>,
    pub(super) outside: Outside,
    pub(super) artifacts: BTreeMap<String, Stage>,
    pub(super) logs: Vec<LogLine>,
}

impl What {
    /// Whether a wait can end with it.
    pub(super) fn ends_a_wait(&self) -> bool {
        matches!(
            self,
            Self::Responded { .. }
                | Self::Streamed { .. }
                | Self::ChildEnded { .. }
                | Self::Arrived { .. }
                | Self::Canceled
                | Self::TimePassed
        )
    }

    /// Whether a worker that does `did` repeats this entry: the same call, whatever came of it.
    pub(super) fn is_same_call(&self, did: &Self) -> bool {
        match (self, did) {
            (Self::State { call: logged, .. }, Self::State { call, .. }) => logged == call,
            (Self::ContextRead { call: logged, .. }, Self::ContextRead { call, .. }) => {
                logged == call
            }
            (logged, did) => logged == did,
        }
    }
}
