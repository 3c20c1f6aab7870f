//! Write Taskyard workers in Rust: one type, one trait, one macro.
//!
//! A worker is a WebAssembly component that does the work of one *task* at a time. The host keeps the
//! task: it stores everything the worker reports, streams it to clients, and starts the worker again
//! after a crash. The worker only describes itself and runs:
//!
//! ```
//! use taskyard_sdk::prelude::*;
//!
//! struct Greeter;
//!
//! impl Worker for Greeter {
//!     fn describe() -> Manifest {
//!         Manifest::new("greeter", "1.0.0", "Greets people.")
//!             .skill(Skill::new("greet", "Greet", "Greets who asks.").example("hello"))
//!     }
//!
//!     fn run(task: &Task, input: Message) -> Result<Outcome> {
//!         if input.text().is_empty() {
//!             return Ok(Outcome::rejected("say hello first"));
//!         }
//!         task.progress(50, "thinking about you")?;
//!         let name = task.ask("Hello! What is your name?")?;
//!         task.artifact("greeting").put(format!("Good day, {}!", name.text()))?;
//!         Ok(Outcome::completed())
//!     }
//! }
//!
//! taskyard_sdk::export!(Greeter);
//!
//! // What follows belongs into `#[test]`s. They run natively, in no time.
//! use taskyard_sdk::testing::Host;
//!
//! let run = Host::new().message("hello").answer("Ada").run::<Greeter>();
//! assert!(run.is_completed());
//! assert_eq!(run.artifact_text("greeting").as_deref(), Some("Good day, Ada!"));
//!
//! let run = Host::new().message("hello").run::<Greeter>();
//! assert_eq!(run.waiting().unwrap().text(), "Hello! What is your name?");
//! ```
//!
//! Build it with `crate-type = ["cdylib", "rlib"]` and
//! `cargo build --release --target wasm32-wasip2`; the `.wasm` file is the plugin.
//!
//! # A worker runs more than once
//!
//! The host writes what a worker does, and what it gets to see, to the task's log. When the run ends
//! early, because the machine lost power or because the worker waits for long, it starts from the
//! beginning, and the calls in the log return at once what they returned then: nothing is shown twice, no
//! person is asked twice, and no request is paid twice. So a worker reads top to bottom like a plain
//! function, as long as it does the same things in the same order each time. Time, random numbers and the
//! order of a `HashMap` are replayed as well; there is nothing else that could differ.
//!
//! # What a worker can do
//!
//! | to | call |
//! | --- | --- |
//! | show how far it is | [`Task::progress`], [`Task::progress_note`] |
//! | say something on the way | [`Task::say`] |
//! | deliver results, whole or as a stream | [`Task::artifact`] |
//! | ask a person | [`Task::ask`], [`Task::ask_later`], [`Task::ask_for_auth`] |
//! | hear what the client adds later | [`Task::messages`], [`Task::next_message`] |
//! | send requests | [`http::get`], [`http::request`], and their [`stream`](http::Request::stream)s |
//! | give work to other agents | [`children::agent`], [`children::remote`] |
//! | wait | [`wait::sleep`], [`wait::sleep_until`] |
//! | wait for several things at once | [`select()`], [`select_all`], [`join`], [`join_all`], [`wait::timer`] |
//! | look at earlier tasks of the conversation | [`context::earlier`], [`context::read`] |
//! | keep state over tasks | [`state::task`], [`state::context`], [`state::plugin`], [`state::tenant`] |
//! | not repeat expensive work | [`memo()`] |
//! | live long | [`Outcome::continue_as_new`], [`Task::should_continue_as_new`] |
//! | notice that nobody wants the result | [`Task::cancel_requested`], [`Task::check_cancel`] |
//! | know the time, make up names | [`wait::now`], [`wait::new_id`], [`wait::random`] |
//! | read its settings | [`Task::config`] |
//! | tell the operator something | [`Task::log`], or print to stderr |
//!
//! The functions work anywhere in `run`: the host knows which task it is. There are no files, sockets,
//! threads or environment variables in the sandbox.
//!
//! # Waiting
//!
//! What was started without waiting for it has a [`Ticket`], typed by what taking it gives:
//!
//! ```
//! use std::time::Duration;
//! use taskyard_sdk::prelude::*;
//! # struct Shopper;
//! # impl Worker for Shopper {
//! #     fn describe() -> Manifest { Manifest::new("shopper", "1.0.0", "Compares prices.") }
//!
//! fn run(task: &Task, _: Message) -> Result<Outcome> {
//!     let shops = ["a", "b"].map(|shop| http::request("GET", format!("https://{shop}.example/price")).start());
//!     let prices = join_all(shops.into_iter().collect::<Result<Vec<_>, _>>()?)?;
//!     let cheapest = prices.iter().map(http::Response::text).min().unwrap_or_default();
//!
//!     let answer = task.ask_later(format!("Buy for {cheapest}?"))?;
//!     match select(answer, wait::timer(Duration::from_secs(3_600)))? {
//!         Either::First(message) if message.text() == "yes" => Ok(Outcome::completed_with("bought")),
//!         Either::First(_) => Ok(Outcome::rejected("not bought")),
//!         Either::Second(()) => Ok(Outcome::rejected("nobody answered")),
//!     }
//! }
//! # }
//!
//! use taskyard_sdk::testing::{Host, Reply};
//!
//! let host = Host::new()
//!     .respond("GET https://a.example/price", Reply::text("7").after(Duration::from_secs(2)))
//!     .respond("GET https://b.example/price", Reply::text("8"))
//!     .answer("yes");
//! let run = host.run_with_crashes::<Shopper>();
//! assert_eq!(run.waiting(), None);
//! assert_eq!(run.final_text().as_deref(), Some("bought"));
//! assert_eq!(run.requests.len(), 2);
//! ```
//!
//! While a task waits for long, its worker is not in memory, so a wait of months costs nothing.
//!
//! # How a run ends
//!
//! With an [`Outcome`]: completed, rejected, a direct reply, or continued as new. Or with an [`Error`],
//! which `?` makes from most things; it fails the task unless [`ResultExt::transient`] asks for another
//! try, or [`ResultExt::pause`] for an operator. A panic is a bug of the worker: its message is on
//! stderr, and the host keeps it for the operator.
//!
//! The host refuses what is beyond its limits, and tells of failures outside, with an [`OpError`], not
//! with a trap: a worker may handle it, for example by delivering what it has. It is in the log: another
//! try of the run meets it again.
//!
//! # Cancel
//!
//! When the client cancels, the call that waits next returns [`OpError::Canceled`], once. With `?` the
//! run ends; a worker with something to clean up handles it, and has a grace time that the operator sets.

mod artifact;
pub mod children;
mod config;
pub mod context;
mod current;
mod error;
mod host;
pub mod http;
mod identity;
mod log;
mod manifest;
mod memo;
mod message;
mod millis;
mod op_error;
mod outcome;
mod part;
mod select;
pub mod state;
mod task;
mod ticket;
pub mod wait;
mod worker;

#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub mod guest;
#[cfg(not(target_family = "wasm"))]
pub mod testing;

pub use artifact::{Artifact, ArtifactBuilder};
pub use children::ChildEnd;
pub use config::Config;
pub use error::{Disposition, Error, OrFail, Result, ResultExt};
pub use host::InputKind;
pub use identity::Identity;
pub use log::{Level, Log};
pub use manifest::{Manifest, Skill};
pub use memo::{memo, try_memo};
pub use message::Message;
pub use op_error::OpError;
pub use outcome::Outcome;
pub use part::{Body, IntoParts, Part};
pub use select::{Either, join, join_all, join_all_within, select, select_all};
pub use task::Task;
pub use ticket::Ticket;
pub use worker::Worker;

/// What most workers need: `use taskyard_sdk::prelude::*;`.
pub mod prelude {
    pub use crate::{
        Artifact, ChildEnd, Either, Error, Manifest, Message, OpError, OrFail, Outcome, Part,
        Result, ResultExt, Skill, Task, Ticket, Worker,
    };
    pub use crate::{children, context, http, state, wait};
    pub use crate::{join, join_all, join_all_within, memo, select, select_all, try_memo};
}

/// Makes a [`Worker`] the one that the component exports. Once per plugin.
///
/// On other targets than WebAssembly it only checks the type, so that `cargo test` runs natively.
#[macro_export]
macro_rules! export {
    ($worker:ident) => {
        const _: () = {
            const fn is_worker<W: $crate::Worker>() {}
            is_worker::<$worker>();
        };

        #[cfg(target_family = "wasm")]
        $crate::guest::bindings::export_handler!($worker with_types_in $crate::guest::bindings);
    };
}
