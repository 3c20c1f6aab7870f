//! What came from outside: messages, answers of operators, ends of children, a cancel.
//!
//! Which question a message answers follows from the order of the log alone: the oldest one that was
//! asked before it and not withdrawn. When the worker gets to know it is another matter: an entry of its
//! own says so.

use std::collections::VecDeque;

use taskyard_task::{Entry, Event, Message, Seq, Ticket, Timestamp};

/// How many bytes of messages one run keeps in memory. Those beyond are read again when they are
/// taken; their number is bounded by what a task accepts.
const KEPT_BYTES: usize = 4 << 20;

/// What came from outside and was not taken, in the order of the log.
#[derive(Debug, Default)]
pub(super) struct Outside {
    news: VecDeque<News>,
    questions: Vec<Question>,
    kept_bytes: usize,
    /// The last entry from outside that was read.
    read: Seq,
}

/// Something that came.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct News {
    pub(super) seq: Seq,
    pub(super) at: Timestamp,
    pub(super) what: What,
    /// Whether the worker knows.
    pub(super) noticed: bool,
    /// The question that the message used up; one that was withdrawn gets nothing from it.
    used_up: Option<Ticket>,
}

/// What came.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum What {
    /// An answer, or a message of its own; the message itself if it is kept in memory.
    Message {
        answers: Option<Ticket>,
        message: Option<Box<Message>>,
    },
    ChildEnded(Ticket),
    Cancel,
}

#[derive(Debug)]
struct Question {
    ticket: Ticket,
    asked: Seq,
    withdrawn: Option<Seq>,
    /// Whether a message that was read answers it.
    answered: bool,
    /// Whether the worker knows what became of it.
    settled: bool,
}

impl Outside {
    /// An entry from outside is read. Others are none of its business.
    pub(super) fn push(&mut self, seq: Seq, entry: Entry) {
        self.read = self.read.max(seq);
        let mut used_up = None;
        let what = match entry.event {
            Event::Received { message } => self.said(seq, message, &mut used_up),
            Event::Provided(provided) => self.said(seq, provided.message, &mut used_up),
            Event::ChildEnded { ticket, .. } => What::ChildEnded(ticket),
            Event::CancelRequested => What::Cancel,
            _ => return,
        };
        self.news.push_back(News {
            seq,
            at: entry.at,
            what,
            noticed: false,
            used_up,
        });
    }

    /// A client or an operator said something; to the log of questions, that is the same.
    fn said(&mut self, seq: Seq, message: Message, used_up: &mut Option<Ticket>) -> What {
        let (used, answers) = question_for(&mut self.questions, seq);
        *used_up = used;
        self.message(answers, message)
    }

    fn message(&mut self, answers: Option<Ticket>, message: Message) -> What {
        let size = message.size();
        let keep = self.kept_bytes.saturating_add(size) <= KEPT_BYTES;
        if keep {
            self.kept_bytes += size;
        }
        What::Message {
            answers,
            message: keep.then(|| Box::new(message)),
        }
    }

    /// The worker asked.
    pub(super) fn asked(&mut self, ticket: Ticket, asked: Seq) {
        self.questions.push(Question {
            ticket,
            asked,
            withdrawn: None,
            answered: false,
            settled: false,
        });
        self.assign();
    }

    /// The worker withdrew a question. An answer that it does not know of is a message like any other.
    pub(super) fn withdrawn(&mut self, ticket: Ticket, at: Seq) {
        for question in &mut self.questions {
            if question.ticket == ticket {
                question.withdrawn = Some(at);
            }
        }
        self.assign();
    }

    /// Finds out again which messages answer which questions: the log is read ahead of what the worker does.
    fn assign(&mut self) {
        let questions = &mut self.questions;
        for question in &mut *questions {
            question.answered = question.settled;
        }
        for news in self.news.iter_mut().filter(|news| !news.noticed) {
            if let What::Message { answers, .. } = &mut news.what {
                (news.used_up, *answers) = question_for(questions, news.seq);
            }
        }
    }

    /// The last entry from outside that was read.
    pub(super) fn read(&self) -> Seq {
        self.read
    }

    /// What is behind this entry is not read yet, but nothing up to it needs to be.
    pub(super) fn skip_to(&mut self, seq: Seq) {
        self.read = self.read.max(seq);
    }

    /// Adds what came later.
    pub(super) fn extend(&mut self, later: Self) {
        self.news.extend(later.news);
        self.kept_bytes += later.kept_bytes;
        self.read = self.read.max(later.read);
    }

    /// The oldest news that the worker does not know and that `wanted` says it waits for.
    pub(super) fn unnoticed(&self, wanted: impl Fn(&What) -> bool) -> Option<&News> {
        self.news
            .iter()
            .find(|news| !news.noticed && wanted(&news.what))
    }

    /// The worker gets to know entry `seq`.
    pub(super) fn notice(&mut self, seq: Seq) -> Option<What> {
        let news = self.news.iter_mut().find(|news| news.seq == seq)?;
        news.noticed = true;
        let used_up = news.used_up;
        let what = news.what.clone_without_message();
        if !matches!(news.what, What::Message { .. }) {
            self.news.retain(|news| news.seq != seq);
        }
        self.settle(used_up);
        Some(what)
    }

    /// The worker knows what became of a question: no other message is for it.
    fn settle(&mut self, used_up: Option<Ticket>) {
        let questions = self.questions.iter_mut();
        for question in questions.filter(|question| Some(question.ticket) == used_up) {
            question.settled = true;
        }
    }

    /// Whether a message that the worker knows of is in line.
    pub(super) fn has_noticed_message(&self) -> bool {
        self.news
            .iter()
            .any(|news| news.noticed && news.is_follow_up())
    }

    /// The oldest message in line, known or not.
    pub(super) fn front(&self) -> Option<Seq> {
        self.news
            .iter()
            .find(|news| news.is_follow_up())
            .map(|news| news.seq)
    }

    /// The messages that the worker did not take, answers among them.
    pub(super) fn untaken(&self) -> Vec<Seq> {
        let is_message = |news: &&News| matches!(news.what, What::Message { .. });
        let untaken = self.news.iter().filter(is_message);
        untaken.map(|news| news.seq).collect()
    }

    /// Whether a message that was read answers the question.
    pub(super) fn is_answered(&self, question: Ticket) -> bool {
        let mut questions = self.questions.iter();
        questions.any(|asked| asked.ticket == question && asked.answered)
    }

    /// Takes the message of that entry; the inner nothing if it is not kept in memory.
    pub(super) fn take(&mut self, seq: Seq) -> Option<Option<Message>> {
        let index = self.news.iter().position(|news| news.seq == seq)?;
        let news = self.news.remove(index)?;
        self.settle(news.used_up);
        match news.what {
            What::Message { message, .. } => {
                let size = message.as_ref().map_or(0, |message| message.size());
                self.kept_bytes -= size;
                Some(message.map(|message| *message))
            }
            What::ChildEnded(_) | What::Cancel => None,
        }
    }
}

/// The oldest question that was open when entry `seq` came, which is used up, and again if it gets the answer.
fn question_for(questions: &mut [Question], seq: Seq) -> (Option<Ticket>, Option<Ticket>) {
    let was_open = |question: &&mut Question| {
        let withdrawn = question.withdrawn.is_some_and(|at| at < seq);
        question.asked < seq && !question.answered && !withdrawn
    };
    let Some(question) = questions.iter_mut().find(was_open) else {
        return (None, None);
    };
    question.answered = true;
    // Nobody waits for the answer to a question that was withdrawn meanwhile.
    let answers = question.withdrawn.is_none().then_some(question.ticket);
    (Some(question.ticket), answers)
}

impl News {
    fn is_follow_up(&self) -> bool {
        matches!(self.what, What::Message { answers: None, .. })
    }
}

impl What {
    fn clone_without_message(&self) -> Self {
        match self {
            Self::Message { answers, .. } => Self::Message {
                answers: *answers,
                message: None,
            },
            other => other.clone(),
        }
    }
}
