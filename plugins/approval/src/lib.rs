//! Approval asks a person before it goes on.
//!
//! It shows a conversation. `task.ask` may take days, and a question may follow the answer, yet the
//! code reads as if the person stood beside it: while nobody answers, the worker is not in memory,
//! and with each answer the host replays what was said before.

use taskyard_sdk::prelude::*;

/// How often an unclear answer is asked again. A person who did not say yes three times means no.
const MAX_QUESTIONS: usize = 3;

#[derive(Debug)]
struct Approval;

impl Worker for Approval {
    fn describe() -> Manifest {
        let approve = Skill::new(
            "approve",
            "Ask for approval",
            "Asks yes or no, and keeps the decision.",
        )
        .tag("human-in-the-loop")
        .example("Deploy version 7 to production");
        let version = env!("CARGO_PKG_VERSION");
        Manifest::new("approval", version, "Asks a person before it goes on.").skill(approve)
    }

    fn run(task: &Task, input: Message) -> Result<Outcome> {
        let action = input.text();
        let action = action.trim();
        if action.is_empty() {
            return Ok(Outcome::rejected("say in words what is to be approved"));
        }
        task.say(format!("I am about to do this: {action}"))?;

        let mut question = format!("Approve \"{action}\"? (yes/no)");
        for _ in 0..MAX_QUESTIONS {
            let answer = task.ask(question.as_str())?;
            match Verdict::of(&answer.text()) {
                Some(Verdict::Yes) => return approved(task, action, &answer),
                Some(Verdict::No) => return Ok(Outcome::rejected("not approved")),
                None => question = format!("Please say yes or no. Approve \"{action}\"?"),
            }
        }
        Ok(Outcome::rejected("not approved: there was no clear answer"))
    }
}

/// Keeps who decided what, and when. This is the place where real work would go on.
fn approved(task: &Task, action: &str, answer: &Message) -> Result<Outcome> {
    let when = humantime::format_rfc3339_seconds(task.now());
    let tenant = match task.identity().tenant {
        tenant if tenant.is_empty() => "the client".to_owned(),
        tenant => tenant,
    };
    let decision = format!(
        "Approved: {action}\nBy: {tenant}, in message {}\nAnswer: {}\nAt: {when}\n",
        answer.id,
        answer.text().trim(),
    );
    task.artifact("decision").name("Decision").put(decision)?;
    Ok(Outcome::completed_with("approved"))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Yes,
    No,
}

impl Verdict {
    /// Nothing if the answer is unclear. "Yes, but" is unclear: consent is not guessed.
    fn of(answer: &str) -> Option<Self> {
        let word = answer.trim().trim_end_matches(['.', '!']).to_lowercase();
        match word.as_str() {
            "yes" | "y" | "approve" | "approved" => Some(Self::Yes),
            "no" | "n" | "deny" | "denied" => Some(Self::No),
            _ => None,
        }
    }
}

taskyard_sdk::export!(Approval);

#[cfg(test)]
mod tests {
    use taskyard_sdk::testing::{Event, Host};

    use super::*;

    const ACTION: &str = "Deploy version 7";

    #[test]
    fn says_what_it_will_do_and_waits() {
        let run = Host::new().message(ACTION).run::<Approval>();

        assert_eq!(run.said(), ["I am about to do this: Deploy version 7"]);
        let question = run.waiting().unwrap();
        assert_eq!(question.text(), "Approve \"Deploy version 7\"? (yes/no)");
    }

    #[test]
    fn keeps_who_approved_what_and_when() {
        let host = Host::new().message(ACTION).tenant("acme").answer("Yes!");
        let run = host.run_with_crashes::<Approval>();

        let expected = "Approved: Deploy version 7\nBy: acme, in message answer-1\n\
                        Answer: Yes!\nAt: 1970-01-01T00:00:00Z\n";
        assert_eq!(run.artifact_text("decision").as_deref(), Some(expected));
        assert!(run.is_completed());
    }

    #[test]
    fn rejects_after_a_no() {
        let run = Host::new().message(ACTION).answer("no").run::<Approval>();

        assert_eq!(run.final_text().as_deref(), Some("not approved"));
        assert!(run.artifact("decision").is_empty());
    }

    #[test]
    fn asks_again_when_the_answer_is_unclear() {
        let host = Host::new()
            .message(ACTION)
            .answer("yes, but later")
            .answer("y");
        let run = host.run_with_crashes::<Approval>();

        assert_eq!(questions(&run.events), 2);
        assert!(run.is_completed());
    }

    #[test]
    fn gives_up_after_three_unclear_answers() {
        let host = Host::new()
            .message(ACTION)
            .answer("hm")
            .answer("well")
            .answer("maybe");
        let run = host.run::<Approval>();

        assert_eq!(questions(&run.events), MAX_QUESTIONS);
        assert!(matches!(run.outcome(), Some(Outcome::Rejected(_))));
    }

    #[test]
    fn ends_when_the_task_is_cancelled_instead_of_answered() {
        let run = Host::new()
            .message(ACTION)
            .answer("yes")
            .cancel_at_call(2)
            .run::<Approval>();
        assert_eq!(run.failure().map(Error::code), Some("canceled"));
    }

    fn questions(events: &[Event]) -> usize {
        let asked = |event: &&Event| matches!(event, Event::Asked(_));
        events.iter().filter(asked).count()
    }
}
