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
//! // Does it survive a crash after its first event?
//! let run = Host::new().message("21").crash_after(1).run::<Doubler>();
//! assert!(run.is_completed());
//! ```

mod host;
mod recorder;
mod run;

pub use host::Host;
pub use run::{End, Event, LogLine, Question, Run};

#[cfg(test)]
mod tests;
