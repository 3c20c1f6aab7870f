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
//! The host writes every call of a worker to the task's log. When the run ends early, because the
//! machine lost power or because [`Task::ask`] waits for a person, the worker starts from the
//! beginning, and the calls in the log return at once what they returned then: nothing is shown
//! twice, and no person is asked twice. So a worker reads top to bottom like a plain function, as
//! long as it does the same things in the same order each time. Time, random numbers and the order
//! of a `HashMap` are replayed as well; there is nothing else that could differ.
//!
//! # What a worker can do
//!
//! | to | call |
//! | --- | --- |
//! | show how far it is | [`Task::progress`], [`Task::progress_note`] |
//! | say something on the way | [`Task::say`] |
//! | deliver results, whole or as a stream | [`Task::artifact`] |
//! | ask a person or another agent | [`Task::ask`], [`Task::ask_for_auth`] |
//! | hear what the client adds later | [`Task::next_message`] |
//! | notice that nobody wants the result | [`Task::cancel_requested`], [`Task::check_cancel`] |
//! | wait | [`Task::sleep`] or `std::thread::sleep` |
//! | read its settings | [`Task::config`] |
//! | tell the operator something | [`Task::log`], or print to stderr |
//!
//! There are no files, sockets, threads or environment variables in the sandbox.
//!
//! # How a run ends
//!
//! With an [`Outcome`]: completed, rejected, or a direct reply. Or with an [`Error`], which `?` makes
//! from most things; it fails the task unless [`ResultExt::transient`] asks for another try.
//! A panic is a bug of the worker: its message is on stderr, and the host keeps it for the operator.
//!
//! The host refuses what is beyond its limits with an [`OpError`], not with a trap: a worker may
//! handle it, for example by delivering what it has.

mod artifact;
mod config;
mod error;
mod host;
mod identity;
mod log;
mod manifest;
mod message;
mod op_error;
mod outcome;
mod part;
mod task;
mod worker;

#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub mod guest;
#[cfg(not(target_family = "wasm"))]
pub mod testing;

pub use artifact::{Artifact, ArtifactBuilder};
pub use config::Config;
pub use error::{Disposition, Error, OrFail, Result, ResultExt};
pub use host::InputKind;
pub use identity::Identity;
pub use log::{Level, Log};
pub use manifest::{Manifest, Skill};
pub use message::Message;
pub use op_error::OpError;
pub use outcome::Outcome;
pub use part::{Body, IntoParts, Part};
pub use task::Task;
pub use worker::Worker;

/// What most workers need: `use taskyard_sdk::prelude::*;`.
pub mod prelude {
    pub use crate::{
        Artifact, Error, Manifest, Message, OpError, OrFail, Outcome, Part, Result, ResultExt,
        Skill, Task, Worker,
    };
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
