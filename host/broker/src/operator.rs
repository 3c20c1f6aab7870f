//! What operators see of tasks, and what they do to those that nobody else can help.
//!
//! Operators see the tasks of all tenants: whoever calls this has been let in before.

use std::collections::HashMap;

use taskyard_storage::{ParkedRow, Position};
use taskyard_task::decide::Breakdown;
use taskyard_task::{
    AgentName, Digest, Entry, Event, Header, Input, Message, Observation, Part, Phase, Plugin,
    Refusal, Seq, TaskId, Timestamp,
};

use crate::broker::Broker;
use crate::error::Error;
use crate::operations::{page_token, read_page_token};
use crate::probe::Fit;

/// Rows that one page looks at, at most, whatever its size: filters may skip many.
const MAX_ROWS: usize = 10_000;
/// Entries at the end of a log that are looked at to tell what happened last.
const TAIL: u64 = 64;
/// The fewest digits of a digest that name a component.
const MIN_DIGITS: usize = 6;
/// How often a task is probed again because it went on meanwhile, before the operator is told to wait.
const MAX_PROBES: u32 = 3;

/// A task that stands still until an operator looks at it.
#[derive(Debug, Clone)]
pub struct ParkedTask {
    /// The task.
    pub header: Header,
    /// The version of its component, if that is loaded.
    pub version: Option<String>,
    /// Since when it stands still.
    pub since: Timestamp,
    /// The entry that says so.
    pub entry: Seq,
    /// Why, and where the worker was.
    pub why: Breakdown,
}

/// A page of parked tasks.
#[derive(Debug, Clone)]
pub struct ParkedPage {
    /// Those that stand still for longest first.
    pub tasks: Vec<ParkedTask>,
    /// Where the next page begins; empty on the last one.
    pub next_page_token: String,
}

/// Which tasks that have not ended.
#[derive(Debug, Clone, Default)]
pub struct FlightQuery {
    /// Only those of this agent.
    pub agent: Option<AgentName>,
    /// Only those that run this component: a digest, its first digits, or a version.
    pub plugin: Option<String>,
    /// At most this many.
    pub page_size: usize,
    /// Where to go on, from the page before.
    pub page_token: Option<String>,
}

/// A task that has not ended.
#[derive(Debug, Clone)]
pub struct TaskInFlight {
    /// The task.
    pub header: Header,
    /// The version of its component, if that is loaded.
    pub version: Option<String>,
}

/// A page of tasks that have not ended.
#[derive(Debug, Clone)]
pub struct FlightPage {
    /// By component.
    pub tasks: Vec<TaskInFlight>,
    /// Where the next page begins; empty on the last one.
    pub next_page_token: String,
}

/// What a task does, and why it does not.
#[derive(Debug, Clone)]
pub struct TaskStatus {
    /// The task.
    pub header: Header,
    /// The version of its component, if that is loaded.
    pub version: Option<String>,
    /// Why it is parked, if it is.
    pub parked: Option<ParkedTask>,
    /// The last entry of its log.
    pub last_entry: LoggedEntry,
    /// The last failure that it is or was tried again after, if that is not long ago.
    pub last_retry: Option<LoggedEntry>,
}

/// An entry of a log.
#[derive(Debug, Clone)]
pub struct LoggedEntry {
    /// Its number.
    pub seq: Seq,
    /// The entry.
    pub entry: Entry,
    /// Whether an operator took it back.
    pub taken_back: bool,
    /// What kind of entry it speaks of, if it speaks of another one.
    pub about: Option<&'static str>,
}

/// A page of a log.
#[derive(Debug, Clone)]
pub struct LogPage {
    /// In order.
    pub entries: Vec<LoggedEntry>,
    /// The last entry of the log.
    pub last: Seq,
}

impl Broker {
    /// A page of the parked tasks, of one agent or of all. May be empty although there are further pages.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the page token is not one of ours.
    pub fn parked(
        &self,
        agent: Option<&AgentName>,
        page_size: usize,
        page_token: Option<&str>,
    ) -> Result<ParkedPage, Error> {
        let after = page_token.map(read_page_token).transpose()?;
        let after = after.map(|position| (position.status_at, position.task));
        let most = match agent {
            Some(_) => MAX_ROWS,
            None => page_size,
        };
        let rows = self.shared.storage.parked(after, most)?;
        let all = rows.len() < most;
        let (mut tasks, mut end) = (Vec::new(), None);
        let mut rows = rows.into_iter();
        while tasks.len() < page_size
            && let Some(row) = rows.next()
        {
            end = Some(row);
            tasks.extend(self.parked_task(agent, row)?);
        }
        let more = !all || rows.len() > 0;
        Ok(ParkedPage {
            tasks,
            next_page_token: end.filter(|_| more).map(token_of_row).unwrap_or_default(),
        })
    }

    /// A page of the tasks that have not ended, of one agent, of one component, or of all. May be empty
    /// although there are further pages.
    ///
    /// # Errors
    /// [`Error::WhichPlugin`] if nothing is meant by the plugin's name; [`Error::Invalid`] if the page
    /// token is not one of ours.
    pub fn in_flight(&self, query: &FlightQuery) -> Result<FlightPage, Error> {
        let digests = self.flying(query)?;
        let after = query.page_token.as_deref().map(read_flight_token);
        let mut after = after.transpose()?;
        let mut page = FlightPage {
            tasks: Vec::new(),
            next_page_token: String::new(),
        };
        let mut rows = 0;
        for digest in digests {
            if after.is_some_and(|(before, _)| digest < before) {
                continue;
            }
            let version = self.version_of(digest)?;
            let mut last = after.take().filter(|(at, _)| *at == digest);
            loop {
                let behind = last.map(|(_, task)| task);
                let left = query.page_size - page.tasks.len();
                if left == 0 || rows >= MAX_ROWS {
                    let end = (digest, behind.unwrap_or(TaskId::from_bytes([0; 16])));
                    page.next_page_token = flight_token(end);
                    return Ok(page);
                }
                let tasks = self.shared.storage.in_flight(digest, behind, left)?;
                let Some(end) = tasks.last() else { break };
                (last, rows) = (Some((digest, *end)), rows + tasks.len());
                for task in tasks {
                    let header = self.shared.storage.header(task)?;
                    let is_meant = |header: &Header| {
                        // It may have ended or moved since its row was read.
                        let of_agent = query.agent.as_ref().is_none_or(|it| *it == header.agent);
                        of_agent && header.digest == digest && !header.is_ended()
                    };
                    page.tasks
                        .extend(header.filter(is_meant).map(|header| TaskInFlight {
                            header,
                            version: version.clone(),
                        }));
                }
            }
        }
        Ok(page)
    }

    /// What a task does, and why it does not.
    ///
    /// # Errors
    /// [`Error::TaskNotFound`].
    pub fn task_status(&self, task: TaskId) -> Result<TaskStatus, Error> {
        let header = self.header_of(task)?;
        let last_entry = self.entry(&header, header.last)?;
        let last_entry = last_entry.ok_or_else(|| gone(&header, header.last))?;
        let last_entry = self.logged(&header, header.last, last_entry, None)?;
        let last_retry = self.last_retry(&header)?;
        let parked = match self.shared.storage.parked_entry(&header)? {
            Some(entry) => self.parked_task(
                None,
                ParkedRow {
                    since: header.status_at,
                    task,
                    entry,
                },
            )?,
            None => None,
        };
        Ok(TaskStatus {
            version: self.version_of(header.digest)?,
            parked,
            last_entry,
            last_retry,
            header,
        })
    }

    /// At most `most` entries of a task's log behind `after`; fewer if they are large, none at its end.
    ///
    /// # Errors
    /// [`Error::TaskNotFound`].
    pub fn task_log(&self, task: TaskId, after: Seq, most: usize) -> Result<LogPage, Error> {
        let header = self.header_of(task)?;
        let entries = self.entries(&header, after, most)?;
        let kinds: HashMap<Seq, &'static str> = entries
            .iter()
            .map(|(seq, entry)| (*seq, entry.event.kind()))
            .collect();
        let mut page = LogPage {
            entries: Vec::with_capacity(entries.len()),
            last: header.last,
        };
        for (seq, entry) in entries {
            let kind = speaks_of(&entry.event).and_then(|of| kinds.get(&of).copied());
            page.entries.push(self.logged(&header, seq, entry, kind)?);
        }
        Ok(page)
    }

    /// Lets a parked task go on.
    ///
    /// # Errors
    /// [`Error::TaskNotFound`], [`Error::Refused`].
    pub async fn resume(&self, task: TaskId) -> Result<Header, Error> {
        self.operate(task, Input::Resume).await
    }

    /// Sends a parked task back behind entry `to`, and lets it go on from there.
    ///
    /// # Errors
    /// [`Error::TaskNotFound`], [`Error::Refused`].
    pub async fn rewind(&self, task: TaskId, to: Seq) -> Result<Header, Error> {
        self.operate(task, Input::Rewind { to }).await
    }

    /// Answers the oldest open question of a task, out of band (A2A 4.1.3): the worker gets the answer, and
    /// its client does not see it.
    ///
    /// # Errors
    /// [`Error::TaskNotFound`]; [`Error::Refused`] if the task asks nothing, or has ended.
    pub async fn answer(&self, task: TaskId, parts: Vec<Part>) -> Result<Header, Error> {
        let message = Message {
            id: self.shared.sources.ids.unique(),
            parts,
            metadata: None,
            extensions: Vec::new(),
            reference_task_ids: Vec::new(),
        };
        self.operate(task, Input::Provide { message }).await
    }

    /// Ends a task as failed.
    ///
    /// # Errors
    /// [`Error::TaskNotFound`], [`Error::Refused`].
    pub async fn fail(&self, task: TaskId, reason: String) -> Result<Header, Error> {
        self.operate(task, Input::Fail { reason }).await
    }

    /// Moves a task to another component, if that does what the task's log says; a parked one goes on.
    ///
    /// # Errors
    /// [`Error::Incompatible`] if it does not; [`Error::TaskNotFound`], [`Error::PluginNotFound`], and
    /// [`Error::Refused`] if the task runs or has ended.
    pub async fn move_to(&self, task: TaskId, digest: Digest) -> Result<Header, Error> {
        for _ in 0..MAX_PROBES {
            let before = self.unfinished(task)?;
            if before.phase == Phase::Running {
                break;
            }
            let probe = self.probe_as_of(before.clone(), digest).await?;
            if probe.fit != Fit::Compatible {
                return Err(Error::Incompatible(Box::new(probe)));
            }
            if let Some(moved) = self.move_unless_changed(&before, digest).await? {
                return Ok(moved);
            }
        }
        Err(Refusal::Busy.into())
    }

    /// The loaded component that an operator means: by its digest, the first digits of that, or its version
    /// as a plugin of `agent`.
    ///
    /// # Errors
    /// [`Error::WhichPlugin`] if there is none or more than one.
    pub fn find_plugin(&self, named: &str, agent: &AgentName) -> Result<Plugin, Error> {
        let mut found = self.plugins_named(named, Some(agent))?;
        match (found.pop(), found.is_empty()) {
            (Some(plugin), true) => Ok(plugin),
            (None, _) => Err(Error::WhichPlugin {
                named: named.to_owned(),
                found: Vec::new(),
            }),
            (Some(last), false) => {
                found.push(last);
                Err(Error::WhichPlugin {
                    named: named.to_owned(),
                    found: found.into_iter().map(|plugin| plugin.digest).collect(),
                })
            }
        }
    }

    /// The agent that a task was sent to.
    ///
    /// # Errors
    /// [`Error::TaskNotFound`].
    pub fn agent_of(&self, task: TaskId) -> Result<AgentName, Error> {
        Ok(self.header_of(task)?.agent)
    }

    /// The version that a component says it has, if it is loaded.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Internal`] if it cannot be read.
    pub fn version_of(&self, digest: Digest) -> Result<Option<String>, Error> {
        let plugin = self.shared.storage.plugin(digest)?;
        Ok(plugin.map(|plugin| plugin.manifest.version))
    }

    /// The durable header of a task that has not ended.
    pub(crate) fn unfinished(&self, task: TaskId) -> Result<Header, Error> {
        let header = self.header_of(task)?;
        match header.is_ended() {
            true => Err(Refusal::Ended(header.state).into()),
            false => Ok(header),
        }
    }

    async fn operate(&self, task: TaskId, input: Input) -> Result<Header, Error> {
        let changed = self.change_for_caller(task, input, |_| Ok(())).await?;
        let header = changed.header;
        tracing::info!(task = %task, agent = %header.agent, phase = ?header.phase, "an operator changed a task");
        Ok(header)
    }

    /// `None` if the log has grown since `before`, so that the probe says nothing about it any more.
    async fn move_unless_changed(
        &self,
        before: &Header,
        digest: Digest,
    ) -> Result<Option<Header>, Error> {
        // As long as this is held, no component is forgotten.
        let _turn = self.shared.agents.turn.lock().await;
        if self.shared.storage.plugin(digest)?.is_none() {
            return Err(Error::PluginNotFound);
        }
        let mut has_grown = false;
        let unless_grown = |now: &Header| {
            has_grown = now.last != before.last;
            match has_grown {
                true => Err(Refusal::Busy.into()),
                false => Ok(()),
            }
        };
        let input = Input::Move { digest };
        match self.change_for_caller(before.id, input, unless_grown).await {
            Ok(changed) => {
                let (task, plugin) = (before.id, digest.short());
                tracing::info!(%task, agent = %before.agent, %plugin, "an operator moved a task");
                Ok(Some(changed.header))
            }
            Err(_) if has_grown => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn header_of(&self, task: TaskId) -> Result<Header, Error> {
        let header = self.shared.storage.header(task)?;
        header.ok_or(Error::TaskNotFound)
    }

    /// Entries up to where `header` says.
    fn entries(
        &self,
        header: &Header,
        after: Seq,
        most: usize,
    ) -> Result<Vec<(Seq, Entry)>, Error> {
        let mut entries = self.shared.storage.log(header.id, after, most)?;
        entries.retain(|(seq, _)| *seq <= header.last);
        Ok(entries)
    }

    fn entry(&self, header: &Header, seq: Seq) -> Result<Option<Entry>, Error> {
        let page = self.entries(header, Seq(seq.0.saturating_sub(1)), 1)?;
        let found = page.into_iter().find(|(found, _)| *found == seq);
        Ok(found.map(|(_, entry)| entry))
    }

    /// What there is to say about an entry. `about` is the kind of the entry that it speaks of, if that is
    /// known already.
    fn logged(
        &self,
        header: &Header,
        seq: Seq,
        entry: Entry,
        about: Option<&'static str>,
    ) -> Result<LoggedEntry, Error> {
        let about = match (about, speaks_of(&entry.event)) {
            (None, Some(of)) => self.entry(header, of)?.map(|entry| entry.event.kind()),
            (about, _) => about,
        };
        Ok(LoggedEntry {
            seq,
            taken_back: entry.event.is_journaled() && !header.counts(seq),
            about,
            entry,
        })
    }

    /// One by one from the end: entries may be large, and it is one of the last.
    fn last_retry(&self, header: &Header) -> Result<Option<LoggedEntry>, Error> {
        if header.failures == 0 {
            return Ok(None);
        }
        for back in 0..TAIL.min(header.last.0) {
            let seq = Seq(header.last.0 - back);
            match self.entry(header, seq)? {
                Some(entry) if matches!(entry.event, Event::Retried { .. }) => {
                    return self.logged(header, seq, entry, None).map(Some);
                }
                Some(_) | None => {}
            }
        }
        Ok(None)
    }

    /// What a row says in full; nothing if it is not of `agent`, or not parked any more.
    fn parked_task(
        &self,
        agent: Option<&AgentName>,
        row: ParkedRow,
    ) -> Result<Option<ParkedTask>, Error> {
        let header = self.header_of(row.task)?;
        if agent.is_some_and(|agent| *agent != header.agent) || header.phase != Phase::Parked {
            return Ok(None);
        }
        let Some(Event::Parked {
            code,
            reason,
            position,
            backtrace,
        }) = self.entry(&header, row.entry)?.map(|entry| entry.event)
        else {
            return Err(gone(&header, row.entry));
        };
        Ok(Some(ParkedTask {
            version: self.version_of(header.digest)?,
            header,
            since: row.since,
            entry: row.entry,
            why: Breakdown {
                code,
                reason,
                position,
                backtrace,
            },
        }))
    }

    /// The components whose tasks are meant, in order.
    fn flying(&self, query: &FlightQuery) -> Result<Vec<Digest>, Error> {
        let storage = &self.shared.storage;
        let held: Vec<Digest> = match &query.agent {
            Some(agent) => storage.held(agent)?.into_iter().map(|(it, _)| it).collect(),
            None => storage.held_components()?.into_keys().collect(),
        };
        let mut digests = match &query.plugin {
            None => held,
            Some(named) => {
                let plugins = self.plugins_named(named, query.agent.as_ref())?;
                let loaded: Vec<_> = plugins.into_iter().map(|plugin| plugin.digest).collect();
                // Also one that is gone, and whose tasks are parked for that.
                let is_meant = |it: &Digest| loaded.contains(it) || is_digits_of(named, *it);
                let known = !loaded.is_empty();
                let meant: Vec<_> = held.into_iter().filter(is_meant).collect();
                if meant.is_empty() && !known {
                    return Err(Error::WhichPlugin {
                        named: named.clone(),
                        found: Vec::new(),
                    });
                }
                meant
            }
        };
        digests.sort_unstable();
        Ok(digests)
    }

    /// The loaded plugins that a name stands for. Versions are those of one agent's plugins, if it is given:
    /// what it is deployed on, what its tasks hold, and whatever describes itself under the same name.
    fn plugins_named(&self, named: &str, agent: Option<&AgentName>) -> Result<Vec<Plugin>, Error> {
        let storage = &self.shared.storage;
        let mut plugins = storage.plugins()?;
        let mut of_agent = Vec::new();
        if let Some(agent) = agent {
            of_agent.extend(self.agents().get(agent).map(|agent| agent.digest));
            of_agent.extend(storage.held(agent)?.into_iter().map(|(digest, _)| digest));
        }
        let names: Vec<AgentName> = plugins
            .iter()
            .filter(|plugin| of_agent.contains(&plugin.digest))
            .map(|plugin| plugin.manifest.name.clone())
            .collect();
        plugins.retain(|plugin| {
            let is_related = agent.is_none() || names.contains(&plugin.manifest.name);
            is_digits_of(named, plugin.digest) || is_related && plugin.manifest.version == named
        });
        Ok(plugins)
    }
}

/// Whether `text` is a digest or the first digits of one.
fn is_digits_of(text: &str, digest: Digest) -> bool {
    let text = text.to_ascii_lowercase();
    text.len() >= MIN_DIGITS && digest.to_string().starts_with(&text)
}

/// The other entry that an event is about.
fn speaks_of(event: &Event) -> Option<Seq> {
    match event {
        Event::Noticed { seq } => Some(*seq),
        Event::Observed {
            what: Observation::Message(seq),
            ..
        } => Some(*seq),
        _ => None,
    }
}

fn gone(header: &Header, seq: Seq) -> Error {
    Error::Internal(format!("entry {seq} of task {} is gone", header.id))
}

fn token_of_row(row: ParkedRow) -> String {
    page_token(Position {
        status_at: row.since,
        task: row.task,
    })
}

fn flight_token((digest, task): (Digest, TaskId)) -> String {
    format!("{digest}.{task}")
}

fn read_flight_token(token: &str) -> Result<(Digest, TaskId), Error> {
    let read = || {
        let (digest, task) = token.split_once('.')?;
        Some((digest.parse().ok()?, task.parse().ok()?))
    };
    read().ok_or_else(|| Error::Invalid {
        field: "pageToken",
        problem: "is not a token of this host; begin again without one".to_owned(),
    })
}
