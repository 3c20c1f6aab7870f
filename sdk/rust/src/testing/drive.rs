//! Runs a worker by a script, through crashes and continuations to its end.

use std::any::Any;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::time::Duration;

use super::host::Crash;
use super::play::{Attempt, Next, Player, Stop};
use super::world::{Name, World};
use super::{End, Host, Run, SentRequest};
use crate::host::HostCalls;
use crate::{Task, Worker, current};

impl Host {
    /// Runs a worker by this script. A panic of the worker is passed on to the test.
    ///
    /// # Panics
    /// When the worker does something else after a crash of the script.
    pub fn run<W: Worker>(self) -> Run {
        self.drive::<W>().run
    }

    /// Runs a worker once undisturbed, then twice more for each entry of its log, with a crash right
    /// before and right after it, and gives the undisturbed run.
    ///
    /// # Panics
    /// When a crash makes a difference: in what clients see, in what is stored, in how the task ends, or
    /// in the requests that the outside world sees, where one without a recorded response may repeat
    /// once.
    pub fn run_with_crashes<W: Worker>(mut self) -> Run {
        let before = self
            .store
            .as_ref()
            .map(|store| (store.clone(), store.snapshot()));
        let undisturbed = self.clone().drive::<W>();
        let after = self.store.as_ref().map(super::Store::snapshot);
        for entry in 1..=undisturbed.entries {
            for crash in [Crash::Before(entry), Crash::After(entry)] {
                if let Some((store, shelves)) = &before {
                    store.restore(shelves.clone());
                }
                self.crash = Some(crash);
                let crashed = self.clone().drive::<W>();
                self.compare(crash, &crashed, &undisturbed);
            }
        }
        if let (Some((store, _)), Some(after)) = (before, after) {
            store.restore(after);
        }
        undisturbed.run
    }

    fn compare(&self, crash: Crash, crashed: &Driven, undisturbed: &Driven) {
        if crashed.interrupted
            && let Some(check) = &self.on_interruption
        {
            check(&crashed.run);
            return;
        }
        let hint = match crashed.interrupted {
            true => {
                "; the worker was told `interrupted`: say what must hold with `.on_interruption(..)`"
            }
            false => "",
        };
        assert_eq!(
            crashed.without_repeats(),
            undisturbed.without_repeats(),
            "a crash {crash} makes a difference{hint}"
        );
    }

    fn drive<W: Worker>(mut self) -> Driven {
        let store = self.store.take().unwrap_or_default();
        for (scope, key, value) in &self.stored {
            store.preset(&self.identity, *scope, key, value.clone());
        }
        self.store = Some(store);
        let mut script = Rc::new(self);
        let world = Rc::new(RefCell::new(World::new(Rc::clone(&script))));
        let mut log = Vec::new();
        loop {
            let attempt = Attempt::new(Rc::clone(&script), Rc::clone(&world), log);
            let player = Rc::new(Player(RefCell::new(attempt)));
            let next = attempt_once::<W>(&script, &player);
            let attempt = player.0.borrow();
            match next {
                Ok(Next::Ended(end)) => {
                    return Driven::new(end, &script, &attempt, &world.borrow());
                }
                Err(Stop::Waiting) => {
                    return Driven::new(End::Waiting, &script, &attempt, &world.borrow());
                }
                Ok(Next::ContinueAsNew) => {}
                Err(Stop::Crashed) => {
                    script = Rc::new(Self {
                        crash: None,
                        ..Self::clone(&script)
                    });
                }
            }
            log = attempt.log().to_vec();
        }
    }
}

fn attempt_once<W: Worker>(script: &Host, player: &Rc<Player>) -> Result<Next, Stop> {
    let host: Rc<dyn HostCalls> = Rc::clone(player) as _;
    let state = player.0.borrow().continued_state();
    let task = Task::new(Rc::clone(&host), state);
    let run = || {
        let _entered = current::enter(host);
        let ended = W::run(&task, script.input.clone());
        player.0.borrow_mut().finish(ended)
    };
    catch_unwind(AssertUnwindSafe(run)).map_err(stop_or_panic)
}

/// The real host drops a worker that must stop; the closest thing in a test is to unwind it.
fn stop_or_panic(payload: Box<dyn Any + Send>) -> Stop {
    match payload.downcast::<Stop>() {
        Ok(stop) => *stop,
        Err(panic) => resume_unwind(panic),
    }
}

/// A run, and what only comparisons need.
struct Driven {
    run: Run,
    /// How long the log is.
    entries: usize,
    interrupted: bool,
    sent: Vec<(Name, SentRequest)>,
}

impl Driven {
    fn new(end: End, script: &Host, attempt: &Attempt, world: &World) -> Self {
        let ended_at = attempt.ended_at();
        let mut stored = Default::default();
        if let Some(store) = &script.store {
            stored = store.seen_by(&script.identity, ended_at);
            if !matches!(end, End::Waiting) {
                store.forget_task(&script.identity);
            }
        }
        let run = Run {
            end,
            events: attempt.events(),
            logs: attempt.logs(),
            elapsed: Duration::from_millis(ended_at.saturating_sub(script.starts_at)),
            requests: world
                .seen
                .iter()
                .map(|(_, request)| request.clone())
                .collect(),
            children: world.started.clone(),
            continued: attempt.continued(),
            open_question: attempt.open_question(),
            stored,
        };
        Self {
            run,
            entries: attempt.log().len(),
            interrupted: world.interrupted,
            sent: world.seen.clone(),
        }
    }

    /// The run with each request once: retries and repeats are the host's.
    fn without_repeats(&self) -> Run {
        let mut names: BTreeSet<Name> = BTreeSet::new();
        let mut run = self.run.clone();
        run.requests.clear();
        for (name, request) in &self.sent {
            if names.insert(*name) {
                run.requests.push(request.clone());
            }
        }
        run
    }
}
