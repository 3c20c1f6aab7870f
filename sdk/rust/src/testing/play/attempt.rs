//! One attempt at a task: meets every call of the worker with the log.
//!
//! What the worker can see changes only by entries, so an attempt that begins with the log of another one
//! sees the same. Behind the last entry it is *live*: effects and waits write entries.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt::Debug;
use std::rc::Rc;

use super::entry::{Carried, Entry, Seen, What};
use super::journal::Journal;
use super::outside::Outside;
use super::tickets::{Stage, Tickets};
use crate::host::TicketId;
use crate::millis::Millis;
use crate::testing::host::When;
use crate::testing::world::{Name, World};
use crate::testing::{Event, Host};
use crate::{Message, OpError};

/// One attempt at a task.
pub(in crate::testing) struct Attempt {
    pub(super) script: Rc<Host>,
    pub(super) world: Rc<RefCell<World>>,
    pub(super) journal: Journal,
    pub(super) carried: Carried,
    pub(super) tickets: Tickets,
    looks: usize,
    /// Whether the next wait tells of a cancel.
    pub(super) cancel_untold: bool,
    is_live: bool,
    /// Requests of which nobody knows what became.
    pub(super) lost: VecDeque<TicketId>,
}

impl Attempt {
    /// An attempt that begins where the log says, and crashes where the script says.
    pub(in crate::testing) fn new(
        script: Rc<Host>,
        world: Rc<RefCell<World>>,
        log: Vec<Entry>,
    ) -> Self {
        let continued = log.iter().rev().find_map(|entry| match &entry.what {
            What::ContinuedAsNew(carried) => Some(Carried::clone(carried)),
            _ => None,
        });
        let carried = continued.unwrap_or_else(|| Carried {
            now: script.starts_at,
            outside: Outside::new(&script),
            ..Carried::default()
        });
        Self {
            journal: Journal::new(log, script.crash),
            script,
            world,
            carried,
            tickets: Tickets::default(),
            looks: 0,
            cancel_untold: false,
            is_live: false,
            lost: VecDeque::new(),
        }
    }

    pub(super) fn now(&self) -> Millis {
        self.carried.now
    }

    /// The name of a ticket over all incarnations of the task.
    pub(super) fn name(&self, ticket: TicketId) -> Name {
        (self.carried.continued, ticket)
    }

    /// Counts a call; refuses it if the script says so.
    pub(super) fn call(&mut self) -> Result<(), OpError> {
        self.carried.calls += 1;
        self.let_come();
        match &self.script.refusal {
            Some((from, error)) if self.carried.calls >= *from => Err(error.clone()),
            _ => Ok(()),
        }
    }

    /// Lets the client's messages come that are due.
    pub(super) fn let_come(&mut self) {
        let (now, calls) = (self.carried.now, self.carried.calls);
        self.carried.outside.come(now, calls);
    }

    /// An effect: one entry. Gives the entry as it is in the log.
    pub(super) fn effect(&mut self, did: What) -> What {
        match self.meet(&did) {
            Some(logged) => logged,
            None => {
                self.journal.about_to_append();
                self.append(did.clone());
                did
            }
        }
    }

    /// An effect that clients see.
    pub(super) fn event(&mut self, event: Event) {
        self.effect(What::Did(event));
    }

    /// Compares an effect with the log. Nothing while live.
    ///
    /// # Panics
    /// When an earlier attempt did something else at this place.
    pub(super) fn meet(&mut self, did: &What) -> Option<What> {
        let Some(logged) = self.journal.logged() else {
            self.go_live();
            return None;
        };
        if !logged.what.is_same_call(did) {
            differs(&logged.what, did);
        }
        Some(self.pass())
    }

    /// Goes past the next entry of the log, whatever it is.
    pub(super) fn pass(&mut self) -> What {
        let logged = self.journal.logged().cloned();
        let Some(Entry { at, what }) = logged else {
            unreachable!("there is an entry: it was looked at")
        };
        self.journal.pass();
        self.carried.now = at;
        self.let_come();
        what
    }

    /// Writes an entry at the present time. What shares its write comes between
    /// [`Journal::about_to_append`] and this.
    pub(super) fn append(&mut self, what: What) {
        let at = self.now();
        self.journal.append(Entry { at, what });
    }

    /// The worker is where no attempt was before: what was under way is sent again, or lost.
    pub(super) fn go_live(&mut self) {
        if std::mem::replace(&mut self.is_live, true) {
            return;
        }
        for (ticket, is_lost) in self.open_requests() {
            match is_lost {
                true => self.lose(ticket),
                false => self.send(ticket),
            }
        }
    }

    fn lose(&mut self, ticket: TicketId) {
        self.lost.push_back(ticket);
        self.world.borrow_mut().interrupted = true;
    }

    /// A look: what an earlier attempt saw at it, nothing new, or nobody knows yet.
    fn look(&mut self) -> Look {
        self.looks += 1;
        match self.journal.logged().map(|logged| &logged.what) {
            None => {
                self.go_live();
                Look::Live
            }
            Some(What::Looked { look, .. }) if *look == self.looks => match self.pass() {
                What::Looked { saw, .. } => Look::Saw(saw),
                _ => Look::Nothing,
            },
            Some(_) => Look::Nothing,
        }
    }

    fn looked(&mut self, saw: Seen) {
        let look = self.looks;
        self.journal.about_to_append();
        self.append(What::Looked { look, saw });
    }

    pub(super) fn next_message(&mut self) -> Option<Message> {
        match self.look() {
            Look::Saw(Seen::Message(id)) => self.take_news(&id),
            Look::Saw(saw @ Seen::Cancel) => differs(&saw, &"it looks for a message"),
            Look::Nothing => self.carried.inbox.pop_front(),
            Look::Live => self.carried.inbox.pop_front().or_else(|| {
                let news = self.carried.outside.first(|news| news.answers.is_none());
                let id = news?.message.id.clone();
                self.looked(Seen::Message(id.clone()));
                self.take_news(&id)
            }),
        }
    }

    fn take_news(&mut self, id: &str) -> Option<Message> {
        Some(self.carried.outside.take(id)?.message)
    }

    pub(super) fn cancel_requested(&mut self) -> bool {
        let look = self.look();
        if self.carried.canceled {
            return true;
        }
        let canceled = match look {
            Look::Saw(Seen::Cancel) => true,
            Look::Saw(ref saw) => differs(saw, &"it looks for a cancel"),
            Look::Nothing => false,
            Look::Live => self.cancel_due().is_some_and(|due| due <= self.now()),
        };
        if canceled {
            if matches!(look, Look::Live) {
                self.looked(Seen::Cancel);
            }
            self.carried.canceled = true;
        }
        canceled
    }

    /// When the client asks to cancel, as far as that is known.
    pub(super) fn cancel_due(&self) -> Option<Millis> {
        match self.script.cancel? {
            When::Calls(call) => (self.carried.calls >= call).then_some(self.now()),
            When::After(span) => Some(self.script.starts_at.saturating_add(span)),
        }
    }

    /// Moves an artifact to its next stage, if `rule` finds that it may go there.
    pub(super) fn advance(
        &mut self,
        id: &str,
        rule: impl FnOnce(Option<Stage>) -> Result<Stage, &'static str>,
    ) -> Result<(), OpError> {
        let artifacts = &mut self.carried.artifacts;
        let next = rule(artifacts.get(id).copied())
            .map_err(|reason| OpError::Invalid(format!("artifact {id:?} {reason}")))?;
        artifacts.insert(id.to_owned(), next);
        Ok(())
    }

    /// A number that follows from the task and from how many there were before.
    pub(super) fn random(&mut self) -> u64 {
        self.carried.randoms += 1;
        let task = &self.script.identity.task_id;
        let seed = task.bytes().fold(0_u64, |seed, byte| {
            seed.wrapping_mul(31).wrapping_add(u64::from(byte))
        });
        split_mix(seed.wrapping_add(self.carried.randoms.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }
}

/// The worker does not repeat itself.
pub(super) fn differs(before: &dyn Debug, now: &dyn Debug) -> ! {
    panic!("after a crash the worker does something else\n  before: {before:?}\n     now: {now:?}")
}

/// What a look gives.
enum Look {
    Saw(Seen),
    /// An earlier attempt saw nothing new at this look.
    Nothing,
    Live,
}

/// The finaliser of SplitMix64.
fn split_mix(mut number: u64) -> u64 {
    number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}
