//! Plays the host in native tests, from a script.
//!
//! ```
//! use taskyard_sdk::prelude::*;
//! use taskyard_sdk::testing::{Event, Host};
//!
//! struct Doubler;
//!
//! impl Worker for Doubler {
//!     fn describe() -> Manifest {
//!         Manifest::new("doubler", "1.0.0", "Doubles numbers.")
//!     }
//!
//!     fn run(task: &Task, input: Message) -> Result<Outcome> {
//!         let number: i64 = input.text().parse().or_fail("bad-input", "send one number")?;
//!         task.progress(50, "doubling")?;
//!         Ok(Outcome::completed_with((2 * number).to_string()))
//!     }
//! }
//!
//! let run = Host::new().message("21").run::<Doubler>();
//! assert_eq!(run.final_text().as_deref(), Some("42"));
//! assert_eq!(run.events, [Event::progress(50, "doubling")]);
//!
//! let run = Host::new().message("many").run::<Doubler>();
//! assert_eq!(run.failure().unwrap().code(), "bad-input");
//!
//! // Does it survive a crash after its first log entry, or at any other place?
//! let run = Host::new().message("21").crash_after(1).run::<Doubler>();
//! assert!(run.is_completed());
//! Host::new().message("21").run_with_crashes::<Doubler>();
//! ```
//!
//! The script says what the outside world does: [`respond`](Host::respond) to requests,
//! [`child`](Host::child) for other agents, [`answer`](Host::answer) for people. Time is virtual, and
//! state is in memory.
//!
//! How it works: the worker runs natively, and each call that the real host would write to the task's log
//! is an entry here too. A crash drops the worker and keeps the entries; then it is run again, and each
//! of its calls is compared with them.

mod agents;
mod drive;
mod host;
mod play;
mod reply;
mod run;
mod store;
mod world;

pub use host::Host;
pub use reply::{Reply, SentRequest};
pub use run::{End, Event, LogLine, Question, Run, StartedChild};
pub use store::Store;

#[cfg(test)]
mod tests;
