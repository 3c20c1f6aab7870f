//! What the tests share: hosts to test, clients of their doors, and patience.

pub(crate) mod admin;
pub(crate) mod agent;
pub(crate) mod authority;
pub(crate) mod events;
pub(crate) mod gzip;
pub(crate) mod health;
pub(crate) mod host;
pub(crate) mod http;
pub(crate) mod issuer;
pub(crate) mod model;
pub(crate) mod places;
pub(crate) mod raw;
pub(crate) mod relay;
pub(crate) mod shim;
pub(crate) mod task;
pub(crate) mod usage;
pub(crate) mod wait;
pub(crate) mod webhook;

pub(crate) use agent::{Agent, Error, Refusal, message};
pub(crate) use events::{Event, Events};
pub(crate) use host::{Host, Settings};
pub(crate) use shim::Shim;
pub(crate) use wait::{eventually, in_time};
pub(crate) use webhook::Webhook;
