//! Keeps some children going until all jobs are done.

use std::collections::VecDeque;
use std::vec;

use taskyard_sdk::prelude::*;

use crate::jobs::Job;
use crate::joined::Joined;

/// Children that are going, or that have ended and wait for one before them: those are in memory with all they left.
const MAX_IN_LINE: usize = 64;

/// Does all jobs, at most `at_once` at a time, and joins what they leave.
pub(crate) fn run(task: &Task, jobs: Vec<Job>, at_once: usize) -> Result<Outcome> {
    let mut joined = Joined::open(task)?;
    let mut line = Line::of(jobs, at_once);
    loop {
        line.start();
        for (agent, end) in line.ready() {
            joined.add(&agent, end)?;
        }
        if line.is_over() {
            return joined.close();
        }
        line.wait()?;
        let (over, all) = line.count();
        let percent = u8::try_from(over * 100 / all).unwrap_or(100);
        task.progress(percent, &format!("{over} of {all} jobs are over"))?;
    }
}

/// The jobs in the order given: those that were started, and then those to come.
struct Line {
    started: VecDeque<(String, Child)>,
    to_come: vec::IntoIter<Job>,
    all: usize,
    at_once: usize,
}

enum Child {
    Going(Ticket<ChildEnd>),
    Over(Result<ChildEnd>),
}

impl Line {
    fn of(jobs: Vec<Job>, at_once: usize) -> Self {
        Self {
            started: VecDeque::new(),
            all: jobs.len(),
            to_come: jobs.into_iter(),
            at_once,
        }
    }

    fn start(&mut self) {
        while self.started.len() < MAX_IN_LINE && self.going().len() < self.at_once {
            let Some(job) = self.to_come.next() else {
                break;
            };
            let child = match children::agent(&job.agent).message(job.message).start() {
                Ok(ticket) => Child::Going(ticket),
                Err(refusal) => Child::Over(Err(refusal.into())),
            };
            self.started.push_back((job.agent, child));
        }
    }

    /// Takes what is over from the front of the line.
    fn ready(&mut self) -> Vec<(String, Result<ChildEnd>)> {
        let mut ready = Vec::new();
        while let Some((agent, child)) = self.started.pop_front() {
            match child {
                Child::Over(end) => ready.push((agent, end)),
                going => {
                    self.started.push_front((agent, going));
                    break;
                }
            }
        }
        ready
    }

    /// Waits for one of those that are going.
    fn wait(&mut self) -> Result<()> {
        let going = self.going();
        // None of the last ones could be started: on with the next.
        if going.is_empty() {
            return Ok(());
        }
        let (place, end) = select_all(&going)?;
        let children = self.started.iter_mut().map(|(_, child)| child);
        let mut going = children.filter(|child| matches!(child, Child::Going(_)));
        if let Some(child) = going.nth(place) {
            *child = Child::Over(end.ok());
        }
        Ok(())
    }

    fn going(&self) -> Vec<Ticket<ChildEnd>> {
        let ticket = |(_, child): &(String, Child)| match child {
            Child::Going(ticket) => Some(*ticket),
            Child::Over(_) => None,
        };
        self.started.iter().filter_map(ticket).collect()
    }

    fn is_over(&self) -> bool {
        self.started.is_empty() && self.to_come.len() == 0
    }

    /// How many jobs are over, of how many.
    fn count(&self) -> (usize, usize) {
        let open = self.to_come.len() + self.going().len();
        (self.all - open, self.all)
    }
}
