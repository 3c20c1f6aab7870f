//! Reminder waits until a moment, and then says so.
//!
//! It shows waits of any length: for months if need be, without memory, through restarts, and open for a word of the
//! client meanwhile. A repeating reminder begins a new log after each time, so it can go on for ever.
//!
//! `reminder` reads what is wanted, `command` what the client adds, `notification` tells the outside.

mod command;
mod notification;
mod reminder;
mod span;

use taskyard_sdk::prelude::*;

use crate::command::Command;
use crate::reminder::Reminder;

#[derive(Debug)]
struct Reminders;

impl Worker for Reminders {
    fn describe() -> Manifest {
        let remind = Skill::new(
            "remind",
            "Remind",
            "Says something at a moment, after a span, or again and again. \
             While it waits, it takes `snooze 10 min` and `cancel`.",
        )
        .tag("demo")
        .example("in 90 s: tea")
        .example("2030-12-24T18:00:00Z: buy a tree")
        .example("every 1 h: stretch");
        let version = env!("CARGO_PKG_VERSION");
        Manifest::new("reminder", version, "Reminds of things.")
            .input_mode("text/plain")
            .skill(remind)
    }

    fn run(task: &Task, input: Message) -> Result<Outcome> {
        let mut reminder = match task.continued_state()? {
            Some(reminder) => reminder,
            None => match Reminder::parse(&input.text(), task.now()) {
                Ok(reminder) => {
                    task.say(reminder.promise())?;
                    reminder
                }
                Err(reason) => return Ok(Outcome::rejected(reason)),
            },
        };
        while !task.should_continue_as_new() {
            match select(task.messages(), wait::timer_at(reminder.due))? {
                Either::First(message) => match Command::of(&message.text()) {
                    Command::Cancel => {
                        return Ok(Outcome::completed_with("I will not remind you."));
                    }
                    Command::Snooze(span) => {
                        reminder.snooze(span, task.now());
                        task.say(reminder.promise())?;
                    }
                    Command::Unknown => task.say(command::USAGE)?,
                },
                Either::Second(()) => return remind(task, reminder),
            }
        }
        Outcome::continue_as_new(&reminder)
    }
}

fn remind(task: &Task, reminder: Reminder) -> Result<Outcome> {
    task.say(reminder.text.as_str())?;
    let sent = notification::send(task, &reminder);
    let Some(next) = reminder.again(task.now()) else {
        sent?;
        return Ok(Outcome::completed());
    };
    match sent {
        Err(error) if error.code() == "canceled" => return Err(error),
        // Next time it may work again.
        Err(error) => task.say(format!("It could not be sent: {}", error.message()))?,
        Ok(()) => {}
    }
    Outcome::continue_as_new(&next)
}

taskyard_sdk::export!(Reminders);

#[cfg(test)]
mod tests;
