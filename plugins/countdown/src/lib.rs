//! Countdown waits, one tick at a time.
//!
//! It shows a worker that takes long without doing much: a restart of the host does not start it over, and it notices a cancel and hears what the client
//! adds on the way.

use std::time::Duration;

use taskyard_sdk::prelude::*;

/// Where the count starts when the client does not say.
const DEFAULT_STEPS: u32 = 10;
/// Each step is an entry in the task's log; a thousand of them replay in no time.
const MAX_STEPS: u32 = 1_000;
/// How long a step takes unless the operator sets `tick_ms`.
const DEFAULT_TICK_MS: u64 = 1_000;
/// How many messages are acknowledged in one step, so that a talkative client cannot stop the count.
const MAX_NOTES_PER_STEP: usize = 10;

#[derive(Debug)]
struct Countdown;

impl Worker for Countdown {
    fn describe() -> Manifest {
        let count = Skill::new(
            "count",
            "Count down",
            "Counts down from the number it is sent.",
        )
        .tag("demo")
        .example("10");
        let version = env!("CARGO_PKG_VERSION");
        Manifest::new("countdown", version, "Counts down, one tick at a time.").skill(count)
    }

    fn run(task: &Task, input: Message) -> Result<Outcome> {
        let Some(steps) = steps_asked_for(&input.text()) else {
            let reason = format!("send a whole number between 1 and {MAX_STEPS}");
            return Ok(Outcome::rejected(reason));
        };
        let tick = Duration::from_millis(task.config().get_or("tick_ms", DEFAULT_TICK_MS)?);

        for step in 0..steps {
            let left = steps - step;
            task.progress(percent(step, steps), &format!("{left}"))?;
            note_messages(task)?;
            match task.sleep(tick) {
                // There is a grace time for a last word. The task ends as canceled whatever we return.
                Err(OpError::Canceled) => {
                    task.say(format!("stopped at {left}"))?;
                    return Err(OpError::Canceled.into());
                }
                slept => slept?,
            }
        }
        task.artifact("lift-off").put("Lift-off!")?;
        Ok(Outcome::completed())
    }
}

fn steps_asked_for(text: &str) -> Option<u32> {
    match text.trim() {
        "" => Some(DEFAULT_STEPS),
        number => number
            .parse()
            .ok()
            .filter(|steps| (1..=MAX_STEPS).contains(steps)),
    }
}

fn percent(step: u32, steps: u32) -> u8 {
    u8::try_from(step * 100 / steps).unwrap_or(100)
}

/// Acknowledges what the client said since the last step.
fn note_messages(task: &Task) -> Result<()> {
    for _ in 0..MAX_NOTES_PER_STEP {
        let Some(message) = task.next_message()? else {
            break;
        };
        task.say(format!("noted: {}", message.text()))?;
    }
    Ok(())
}

taskyard_sdk::export!(Countdown);

#[cfg(test)]
mod tests {
    use serde_json::json;
    use taskyard_sdk::testing::{Event, Host};

    use super::*;

    #[test]
    fn counts_down_tick_by_tick() {
        let host = Host::new().message("3").config(json!({"tick_ms": 250}));
        let run = host.run_with_crashes::<Countdown>();

        let steps = [(0, "3"), (33, "2"), (66, "1")];
        let expected = steps.map(|(percent, text)| Event::progress(percent, text));
        assert_eq!(run.events[..3], expected);
        assert_eq!(run.elapsed, Duration::from_millis(750));
        assert_eq!(run.artifact_text("lift-off").as_deref(), Some("Lift-off!"));
        assert!(run.is_completed());
    }

    #[test]
    fn counts_from_ten_when_nothing_is_said() {
        let run = Host::new()
            .message(Part::url("https://a.example/"))
            .run::<Countdown>();
        assert_eq!(run.elapsed, Duration::from_secs(10));
    }

    #[test]
    fn rejects_what_is_no_number_in_range() {
        for text in ["0", "1001", "-1", "ten", "1.5"] {
            let run = Host::new().message(text).run::<Countdown>();
            assert!(
                matches!(run.outcome(), Some(Outcome::Rejected(_))),
                "{text}"
            );
        }
    }

    #[test]
    fn stops_when_asked_to_cancel() {
        let cancel = Duration::from_millis(1_500);
        let host = Host::new().message("10").cancel_at(cancel);
        let run = host.run_with_crashes::<Countdown>();

        assert_eq!(run.said(), ["stopped at 9"]);
        assert_eq!(run.failure().map(Error::code), Some("canceled"));
        assert_eq!(run.elapsed, cancel);
    }

    #[test]
    fn notes_what_the_client_adds() {
        let host = Host::new().message("3");
        let host = host
            .follow_up_after(4, "hurry")
            .follow_up_after(4, "please");
        let run = host.run_with_crashes::<Countdown>();
        assert_eq!(run.said(), ["noted: hurry", "noted: please"]);
    }

    #[test]
    fn an_unusable_tick_fails_and_names_the_key() {
        let run = Host::new()
            .message("3")
            .config(json!({"tick_ms": "soon"}))
            .run::<Countdown>();
        let error = run.failure().unwrap();
        assert_eq!(error.code(), "invalid-config");
        assert!(error.message().contains("tick_ms"), "{error}");
    }
}
