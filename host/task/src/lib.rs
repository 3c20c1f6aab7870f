//! The task model and its rules.
//!
//! A task is an append-only, numbered log. This room says what an entry can be ([`entry`]), what the
//! small look-up record holds ([`header`]), what happens to a task on each input ([`decide()`]), what the
//! log amounts to ([`fold`]), and how all of that looks to an A2A client ([`wire`]).
//!
//! It is pure: no input or output, no async, no clock, no randomness. Time, ids and seeds are
//! arguments. Everybody calls it; it knows nobody.

pub mod api_key;
pub mod child;
pub mod commit;
pub mod content;
pub mod context;
pub mod decide;
pub mod egress;
pub mod entry;
pub mod fold;
pub mod header;
pub mod http;
pub mod id;
pub mod kv;
pub mod limits;
pub mod outline;
pub mod plugin;
pub mod push;
pub mod request;
pub mod state;
pub mod visible;
pub mod wire;

pub use api_key::{AccessScope, ApiKey, ApiKeyId};
pub use child::{
    ChildCall, ChildEnd, ChildLink, ChildTarget, Letter, News, ParentLink, RemoteChild, RemoteId,
    RemoteStage,
};
pub use commit::{Change, Commit};
pub use content::{ArtifactSpec, Message, Part, PartBody};
pub use context::{ContextCall, ContextResult, EarlierTask, TaskSummary, Utterance};
pub use decide::{Decision, Input, Refusal, decide};
pub use egress::{EgressPolicy, EgressRule, HostPattern};
pub use entry::{
    ArtifactStage, Blame, Continuation, Entry, Event, InputKind, Observation, Provided, Submission,
};
pub use fold::TaskView;
pub use header::{Header, Phase, Priority};
pub use http::{HttpError, HttpHead, HttpHeader, HttpResponse};
pub use id::{AgentName, Digest, Partition, Seq, TaskId, Tenant, Ticket, Timestamp};
pub use kv::{Expected, Place as StatePlace, Scope as StateScope, StateCall, StateResult, Stored};
pub use limits::{LimitChanges, RunLimits};
pub use outline::{LightEntry, Outline};
pub use plugin::{Agent, Manifest, Plugin, Skill};
pub use push::{PushConfig, WireVersion};
pub use request::{HttpCall, Piece};
pub use state::TaskState;
