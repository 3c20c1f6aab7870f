//! What the client sends, whether the worker knows of it yet or not.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::Message;
use crate::host::TicketId;
use crate::millis::Millis;
use crate::testing::Host;
use crate::testing::host::When;

/// What the client sends.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Outside {
    /// What will come, the earliest first.
    scheduled: Vec<(Millis, Message)>,
    /// What will come after so many calls.
    after_calls: VecDeque<(usize, Message)>,
    /// Answers for the questions to come.
    answers: VecDeque<(Millis, Message)>,
    /// What came, and the worker does not know.
    news: VecDeque<News>,
    /// Questions that no message answers yet, the oldest first.
    questions: VecDeque<TicketId>,
}

/// A message that came.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct News {
    pub(super) at: Millis,
    pub(super) message: Message,
    pub(super) answers: Option<TicketId>,
}

impl Outside {
    pub(super) fn new(script: &Host) -> Self {
        let mut outside = Self {
            answers: script.answers.iter().cloned().collect(),
            ..Self::default()
        };
        for (when, message) in script.follow_ups.iter().cloned() {
            match when {
                When::Calls(calls) => outside.after_calls.push_back((calls, message)),
                When::After(span) => {
                    outside.schedule(script.starts_at.saturating_add(span), message);
                }
            }
        }
        outside
    }

    fn schedule(&mut self, at: Millis, message: Message) {
        let behind = self.scheduled.partition_point(|(there, _)| *there <= at);
        self.scheduled.insert(behind, (at, message));
    }

    /// The worker asked: the script's answer is on its way.
    pub(super) fn asked(&mut self, question: TicketId, now: Millis) {
        self.questions.push_back(question);
        if let Some((span, answer)) = self.answers.pop_front() {
            self.schedule(now.saturating_add(span), answer);
        }
    }

    /// The worker withdrew a question. An answer that it does not know of is a message like any other.
    pub(super) fn withdrawn(&mut self, question: TicketId) {
        self.questions.retain(|open| *open != question);
        for news in &mut self.news {
            if news.answers == Some(question) {
                news.answers = None;
            }
        }
    }

    /// The task is continued as new: no question is open any more.
    pub(super) fn withdraw_all(&mut self) {
        self.questions.clear();
        for news in &mut self.news {
            news.answers = None;
        }
    }

    /// When the next message comes that is not there yet.
    pub(super) fn next_scheduled(&self) -> Option<Millis> {
        self.scheduled.first().map(|(at, _)| *at)
    }

    /// Messages come, up to this moment and this number of calls. Each answers the oldest open question.
    pub(super) fn come(&mut self, now: Millis, calls: usize) {
        while let Some((after, _)) = self.after_calls.front()
            && calls > *after
            && let Some((_, message)) = self.after_calls.pop_front()
        {
            self.schedule(now, message);
        }
        let due = self.scheduled.partition_point(|(at, _)| *at <= now);
        for (at, message) in self.scheduled.drain(..due) {
            self.news.push_back(News {
                at,
                message,
                answers: self.questions.pop_front(),
            });
        }
    }

    /// What came first of what the worker does not know and `wanted` is for.
    pub(super) fn first(&self, wanted: impl Fn(&News) -> bool) -> Option<&News> {
        self.news.iter().find(|news| wanted(news))
    }

    /// The worker gets to know a message.
    pub(super) fn take(&mut self, id: &str) -> Option<News> {
        let index = self.news.iter().position(|news| news.message.id == id)?;
        self.news.remove(index)
    }
}
