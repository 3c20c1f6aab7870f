//! Waiting: the only place where what the worker can see changes by what happens outside.
//!
//! A wait ends because something that was applied already satisfies it, or goes on by applying exactly one
//! entry: the next one of the log while replaying, else whatever happens first.

use std::time::Duration;

use taskyard_broker::CHUNK_PATIENCE;
use taskyard_task::{Event, InputKind, Seq, Ticket, Timestamp};

use super::gate::Gate;
use super::outside::What;
use super::requests::Arrival;
use super::stop::Stop;
use super::tickets::{Answer, Thing};

/// How many looks at something that is not ready yet, in a row, make a wait. Ends loops that never
/// look at the clock.
const MOST_IDLE_LOOKS: u32 = 256;
/// How long such a wait takes.
const IDLE_WAIT_NS: u64 = 1_000_000;
const NS_PER_MS: u64 = 1_000_000;

/// What a wait can end with, besides the responses to requests, which always can.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wants {
    /// The earliest moment, in nanoseconds since the task began.
    pub(crate) due_ns: Option<u64>,
    /// Whether a message that is no answer is wanted.
    pub(crate) messages: bool,
    /// Questions and children.
    pub(crate) tickets: Vec<Ticket>,
    /// Whether a cancel is told.
    pub(crate) cancel: bool,
}

impl Wants {
    fn want(&self, what: &What) -> bool {
        match what {
            What::Message { answers: None, .. } => self.messages,
            What::Message {
                answers: Some(ticket),
                ..
            }
            | What::ChildEnded(ticket) => self.tickets.contains(ticket),
            What::Cancel => self.cancel,
        }
    }
}

/// How the worker's time and the real time belong together.
#[derive(Debug)]
pub(super) struct Pace {
    idle_looks: u32,
    /// Whether the worker is somewhere that no run was before.
    caught_up: bool,
}

impl Pace {
    pub(super) fn new(is_first_run: bool) -> Self {
        Self {
            idle_looks: 0,
            caught_up: is_first_run,
        }
    }

    /// The worker is where it has been before.
    pub(super) fn fall_back(&mut self) {
        self.caught_up = false;
    }

    /// The worker is where it has never been.
    pub(super) fn catch_up(&mut self) {
        self.caught_up = true;
    }

    /// The worker did something.
    pub(super) fn not_idle(&mut self) {
        self.idle_looks = 0;
    }
}

/// What happened first.
enum Happened {
    /// A response, or a piece of one.
    Arrived(Ticket, Arrival),
    /// The moment came.
    Due(u64),
    /// There may be something from outside.
    Grew,
    /// Nothing, for as long as the instance stays.
    Nothing,
}

impl Gate {
    /// Waits until something happens that the worker can notice: one entry.
    ///
    /// # Errors
    /// [`Stop::Suspended`] if that takes long; stopped at the limit of entries, if nothing can happen, and
    /// if the log says otherwise or is not to be had.
    pub(crate) async fn next_event(&mut self, wants: &Wants) -> Result<(), Stop> {
        if self.budget.admit_entry().is_err() {
            let limit = self.budget.limits().log_entries;
            return Err(Stop::LogLimit { limit });
        }
        if let Some(logged) = self.journal.next() {
            let fits = match &logged.event {
                Event::Slept { until_ns } => wants.due_ns == Some(*until_ns),
                event => event.ends_a_wait(),
            };
            if !fits {
                return Err(Stop::waited(logged.seq, &logged.event));
            }
            let event = self.pass().await?;
            return self.apply_event(event);
        }
        let event = self.live_event(wants).await?;
        self.append(event.clone()).await?;
        self.apply_event(event)
    }

    /// Waits until so many nanoseconds after the task began.
    ///
    /// # Errors
    /// Like [`Gate::next_event`].
    #[cfg(test)]
    pub(crate) async fn wait_until(&mut self, until_ns: u64) -> Result<(), Stop> {
        let wants = Wants {
            due_ns: Some(until_ns),
            ..Wants::default()
        };
        while self.time.now_ns() < until_ns {
            self.next_event(&wants).await?;
        }
        Ok(())
    }

    /// The worker looked at something that is not ready yet, or waited for nothing.
    ///
    /// # Errors
    /// Like [`Gate::next_event`].
    pub(crate) async fn idle(&mut self) -> Result<(), Stop> {
        self.pace.idle_looks += 1;
        if self.pace.idle_looks < MOST_IDLE_LOOKS {
            return Ok(());
        }
        let wants = Wants {
            due_ns: Some(self.time.now_ns().saturating_add(IDLE_WAIT_NS)),
            ..Wants::default()
        };
        self.next_event(&wants).await
    }

    /// Waits, if the task goes on at all, for what `wants` says.
    async fn live_event(&mut self, wants: &Wants) -> Result<Event, Stop> {
        self.go_live()?;
        self.launch();
        if let Some((ticket, arrival)) = self.take_lost() {
            return Ok(arrived(ticket, arrival));
        }
        let began = self.clock.instant();
        let span = wants.due_ns.map(|due| self.real_span(due));
        loop {
            self.read_outside().await?;
            let waited = self.clock.instant().duration_since(began);
            let left = span.map(|span| span.saturating_sub(waited));
            if let Some(event) = self.already_there(wants, left) {
                return Ok(event);
            }
            if self.may_take_long(left) {
                self.log.show_chunk().await?;
            }
            // Asked for again each time: a cancel may have come.
            let patience = self.patience(wants).saturating_sub(waited);
            match self.happens(wants.due_ns.zip(left), patience).await {
                Happened::Arrived(ticket, arrival) => return Ok(arrived(ticket, arrival)),
                Happened::Due(until_ns) => return Ok(Event::Slept { until_ns }),
                Happened::Grew => {}
                Happened::Nothing => {
                    let left = left.map(|left| left.saturating_sub(patience));
                    return Err(self.give_up(wants, left).await?);
                }
            }
        }
    }

    /// Whether a chunk should not wait for what comes after this wait. A response under way is most likely
    /// the rest of what the chunk is a piece of, or says that there is no rest.
    fn may_take_long(&self, left: Option<Duration>) -> bool {
        !self.flights.any() && left.is_none_or(|left| left > CHUNK_PATIENCE)
    }

    /// What came from outside or is due already; of both, what was first.
    fn already_there(&self, wants: &Wants, left: Option<Duration>) -> Option<Event> {
        let news = self.journal.outside.unnoticed(|what| wants.want(what));
        let due = wants.due_ns.filter(|_| left == Some(Duration::ZERO));
        match (news, due) {
            (Some(news), Some(due)) if due < self.time.ns_at(news.at) => {
                Some(Event::Slept { until_ns: due })
            }
            (Some(news), _) => Some(Event::Noticed { seq: news.seq }),
            (None, Some(until_ns)) => Some(Event::Slept { until_ns }),
            (None, None) => None,
        }
    }

    async fn happens(&mut self, due: Option<(u64, Duration)>, patience: Duration) -> Happened {
        let has_flights = self.flights.any();
        let read = self.journal.outside.read();
        let log = &self.log;
        tokio::select! {
            biased;
            arrived = self.flights.next(), if has_flights => match arrived {
                Some((ticket, arrival)) => Happened::Arrived(ticket, arrival),
                None => Happened::Nothing,
            },
            () = log.outside_grew(read) => Happened::Grew,
            until_ns = until_due(&**log, due), if due.is_some() => Happened::Due(until_ns),
            // Responses are paid for: whoever waits for one stays.
            () = log.sleep(patience), if !has_flights => Happened::Nothing,
        }
    }

    /// How long the instance stays while nothing happens.
    fn patience(&self, wants: &Wants) -> Duration {
        // A worker that was asked to cancel has its grace time, and no more.
        if self.canceled || self.log.cancel_requested() {
            return Duration::MAX;
        }
        let only_people = wants
            .tickets
            .iter()
            .all(|ticket| matches!(self.tickets.get(*ticket), Some(Thing::Question { .. })));
        let far = |due| self.real_span(due) > self.hold;
        if wants.due_ns.is_some_and(|due| !far(due)) {
            return Duration::MAX;
        }
        let nobody_answers_soon = only_people && !wants.tickets.is_empty() || wants.messages;
        let only_time = wants.tickets.is_empty() && !wants.messages;
        if nobody_answers_soon || only_time || self.log.is_wanted() {
            Duration::ZERO
        } else {
            self.hold
        }
    }

    /// The task goes on without an instance until something happens.
    async fn give_up(&mut self, wants: &Wants, left: Option<Duration>) -> Result<Stop, Stop> {
        // A cancel can always come, but nobody waits for that alone.
        let can_happen = wants.due_ns.is_some() || wants.messages || !wants.tickets.is_empty();
        if !can_happen {
            return Ok(Stop::NothingToWaitFor);
        }
        let until = left.map(|left| self.moment(left));
        let seen = self.journal.outside.read();
        let asking = self.asking(None);
        let told = self.outlet.lines();
        self.log.suspend(until, seen, asking, told).await?;
        Ok(Stop::Suspended)
    }

    /// What clients are asked for now, apart from what is about to be withdrawn.
    pub(super) fn asking(&self, withdrawn: Option<Ticket>) -> Option<InputKind> {
        let is_open =
            |ticket: Ticket| withdrawn != Some(ticket) && !self.journal.outside.is_answered(ticket);
        let mut questions = self.questions.iter();
        let open = questions.find(|(ticket, _)| is_open(*ticket));
        open.map(|(_, kind)| *kind)
    }

    /// The moment when this span is over.
    fn moment(&self, span: Duration) -> Timestamp {
        let span_ms = span.as_nanos().div_ceil(u128::from(NS_PER_MS));
        let now = self.clock.now();
        now.plus_millis(u64::try_from(span_ms).unwrap_or(u64::MAX))
    }

    /// Reads all that came from outside.
    pub(super) async fn read_outside(&mut self) -> Result<(), Stop> {
        let outside = &mut self.journal.outside;
        while let Some((seq, entry)) = self.log.outside_after(outside.read()).await? {
            outside.push(seq, entry);
        }
        Ok(())
    }

    fn apply_event(&mut self, event: Event) -> Result<(), Stop> {
        match event {
            Event::Slept { until_ns } => self.time.reach_ns(until_ns),
            Event::Responded { ticket, result } => self.apply_response(ticket, result)?,
            Event::Streamed { ticket, piece } => self.apply_piece(ticket, piece)?,
            Event::Noticed { seq } => self.apply_notice(seq)?,
            _ => {}
        }
        Ok(())
    }

    fn apply_notice(&mut self, seq: Seq) -> Result<(), Stop> {
        let Some(what) = self.journal.outside.notice(seq) else {
            let problem = format!("the log speaks of entry {seq}, which did not come from outside");
            return Err(Stop::Incompatible(problem));
        };
        let completed = self.tickets.complete(self.time.now_ns());
        let answered = Answer { seq, completed };
        match what {
            What::Message { answers: None, .. } => {}
            What::Message {
                answers: Some(ticket),
                ..
            } => {
                if let Some(Thing::Question { answer, .. }) = self.tickets.get_mut(ticket) {
                    *answer = Some(answered);
                }
            }
            What::ChildEnded(ticket) => {
                if let Some(Thing::Child(child)) = self.tickets.get_mut(ticket) {
                    child.end = Some(answered);
                }
            }
            What::Cancel => {
                self.canceled = true;
                self.cancel_untold = true;
            }
        }
        Ok(())
    }

    /// How long a wait takes in the real world: as long as the worker wants to wait. One that an
    /// earlier run may have begun ends when it would have ended then.
    fn real_span(&self, until_ns: u64) -> Duration {
        let wanted = until_ns.saturating_sub(self.time.now_ns());
        let left = until_ns.saturating_sub(self.time.ns_at(self.clock.now()));
        let span = if self.pace.caught_up {
            wanted
        } else {
            wanted.min(left)
        };
        Duration::from_nanos(span)
    }
}

async fn until_due(log: &dyn super::log::TaskLog, due: Option<(u64, Duration)>) -> u64 {
    let (due_ns, span) = due.unwrap_or_default();
    log.sleep(span).await;
    due_ns
}

fn arrived(ticket: Ticket, arrival: Arrival) -> Event {
    match arrival {
        Arrival::Whole(result) => Event::Responded { ticket, result },
        Arrival::Piece(piece) => Event::Streamed { ticket, piece },
    }
}
