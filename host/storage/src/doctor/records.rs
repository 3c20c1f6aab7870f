//! Rows that stand alone: each can be read, says of itself what its key says, and what it refers to is there.

use serde::de::DeserializeOwned;
use taskyard_task::commit::{DeliveryState, Remembered};
use taskyard_task::{
    Agent, ApiKey, Digest, Plugin, PushConfig, RemoteChild, StatePlace, Stored, TaskId,
};

use super::DoctorError;
use super::finding::{Findings, Mending};
use super::named::task_at;
use super::source::Source;
use super::target::Target;
use crate::key;
use crate::record;
use crate::table::Table;
use crate::usage::length;

/// What is wrong with a row, what that affects, and what is done about it.
type Wrong = (String, &'static str, Mending);

/// What the host itself has.
pub(super) fn of_the_host(
    source: &Source,
    target: &mut Target,
    findings: &mut Findings<'_>,
) -> Result<(), DoctorError> {
    for table in [
        Table::Meta,
        Table::Component,
        Table::Plugin,
        Table::Agent,
        Table::ApiKey,
    ] {
        each(table, source, target, findings)?;
    }
    Ok(())
}

/// What belongs to tasks, and to what they have in common.
pub(super) fn of_tasks(
    source: &Source,
    target: &mut Target,
    findings: &mut Findings<'_>,
) -> Result<(), DoctorError> {
    for table in [
        Table::PushConfig,
        Table::Delivery,
        Table::Outbox,
        Table::Idempotency,
        Table::State,
        Table::Letter,
        Table::Remote,
    ] {
        each(table, source, target, findings)?;
    }
    Ok(())
}

fn each(
    table: Table,
    source: &Source,
    target: &mut Target,
    findings: &mut Findings<'_>,
) -> Result<(), DoctorError> {
    let mut rows = source.walk(table, findings);
    while let Some((key, value)) = rows.next(findings) {
        let row = Row {
            table,
            key: &key,
            value: &value,
        };
        if let Err((what, affects, mending)) = row.look(source, target)? {
            findings.row(table, &key, (what, affects.to_owned()), mending);
            if mending == Mending::LeftOut {
                findings.left_out.rows += 1;
                continue;
            }
        }
        row.keep(source, target, findings)?;
    }
    target.write()
}

struct Row<'a> {
    table: Table,
    key: &'a [u8],
    value: &'a [u8],
}

impl Row<'_> {
    fn look(&self, source: &Source, target: &Target) -> Result<Result<(), Wrong>, DoctorError> {
        Ok(match self.table {
            Table::Meta => self.meta(),
            Table::Component => self.component(source)?,
            Table::Plugin => self.plugin(target)?,
            Table::Agent => self.agent(target)?,
            Table::ApiKey => self.own(
                |row: &ApiKey| row.id.to_bytes().to_vec(),
                "the key opens nothing any more",
            ),
            Table::PushConfig => self.push_config(target)?,
            Table::Delivery => self.read::<DeliveryState>(DELIVERIES).map(drop),
            Table::Outbox => self.outbox(target)?,
            Table::Idempotency => self.idempotency(target)?,
            Table::State => self.state(target)?,
            Table::Letter => self.own(key::letter, "a task is not told of another"),
            Table::Remote => self.remote(target)?,
            _ => Ok(()),
        })
    }

    /// Brings the row, and what follows from it, into the new database.
    fn keep(
        &self,
        source: &Source,
        target: &mut Target,
        findings: &mut Findings<'_>,
    ) -> Result<(), DoctorError> {
        match self.table {
            Table::Idempotency => {
                if let (Ok(it), Some(key)) = (
                    record::decode::<Remembered>(self.value),
                    key::read_idempotency(self.key),
                ) {
                    target.put(Table::TaskKey, &key::task_key(it.task, key), &[])?;
                }
            }
            Table::State => self.keep_state(source, target, findings)?,
            _ => {}
        }
        // Whoever only looks needs to know that it is there.
        let is_large = matches!(self.table, Table::State | Table::Component);
        let value = match is_large && !target.is_whole {
            true => &[],
            false => self.value,
        };
        target.put(self.table, self.key, value)
    }

    fn read<T: DeserializeOwned>(&self, affects: &'static str) -> Result<T, Wrong> {
        record::decode(self.value).map_err(|error| {
            let what = format!("it cannot be read: {error}");
            (what, affects, Mending::LeftOut)
        })
    }

    /// A row that says itself under which key it is.
    fn own<T: DeserializeOwned>(
        &self,
        key: impl Fn(&T) -> Vec<u8>,
        affects: &'static str,
    ) -> Result<(), Wrong> {
        match key(&self.read(affects)?) == self.key {
            true => Ok(()),
            false => Err(left_out("it is under the key of another", affects)),
        }
    }

    fn meta(&self) -> Result<(), Wrong> {
        let expected = match self.key {
            key::FORMAT => 4,
            _ => 8,
        };
        match self.value.len() == expected {
            true => Ok(()),
            false => Err(left_out("it is no number", "the host does not start")),
        }
    }

    fn component(&self, source: &Source) -> Result<Result<(), Wrong>, DoctorError> {
        const AFFECTS: &str = "agents and tasks that run it; load the component again";
        if key::digest(Digest::of(self.value)) != self.key {
            return Ok(Err(left_out("its bytes are not what they were", AFFECTS)));
        }
        Ok(match source.get(Table::Plugin, self.key)? {
            Some(_) => Ok(()),
            None => Err(left_out("nothing says what it is", AFFECTS)),
        })
    }

    fn plugin(&self, target: &Target) -> Result<Result<(), Wrong>, DoctorError> {
        const AFFECTS: &str = "agents and tasks that run it; load the component again";
        let looked = self.own(|row: &Plugin| key::digest(row.digest), AFFECTS);
        if looked.is_err() || target.has(Table::Component, self.key)? {
            return Ok(looked);
        }
        Ok(Err(left_out(
            "its component is missing or damaged",
            AFFECTS,
        )))
    }

    fn agent(&self, target: &Target) -> Result<Result<(), Wrong>, DoctorError> {
        const AFFECTS: &str = "the agent; load its component again";
        let agent: Agent = match self.read(AFFECTS) {
            Ok(agent) => agent,
            Err(wrong) => return Ok(Err(wrong)),
        };
        if key::agent(&agent.name) != self.key {
            return Ok(Err(left_out("it is under the name of another", AFFECTS)));
        }
        match target.has(Table::Plugin, &key::digest(agent.digest))? {
            true => Ok(Ok(())),
            false => Ok(Err(stays("its component is missing or damaged", AFFECTS))),
        }
    }

    fn push_config(&self, target: &Target) -> Result<Result<(), Wrong>, DoctorError> {
        let own = |task: TaskId| move |row: &PushConfig| key::push_config(task, &row.id);
        let Some(task) = task_at(self.key, 0) else {
            return Ok(Err(left_out("its key is too short", DELIVERIES)));
        };
        match self.own(own(task), DELIVERIES) {
            Ok(()) => self.of_task(Some(task), target, DELIVERIES),
            wrong => Ok(wrong),
        }
    }

    fn outbox(&self, target: &Target) -> Result<Result<(), Wrong>, DoctorError> {
        let task = key::read_lane(self.key).map(|lane| lane.task);
        self.of_task(task, target, DELIVERIES)
    }

    fn idempotency(&self, target: &Target) -> Result<Result<(), Wrong>, DoctorError> {
        const AFFECTS: &str = "a request that is repeated with its key is taken for a new one";
        match self.read::<Remembered>(AFFECTS) {
            Ok(_) if key::read_idempotency(self.key).is_none() => {
                Ok(Err(left_out("its key is too short", AFFECTS)))
            }
            Ok(it) => self.of_task(Some(it.task), target, AFFECTS),
            Err(wrong) => Ok(Err(wrong)),
        }
    }

    fn state(&self, target: &Target) -> Result<Result<(), Wrong>, DoctorError> {
        const AFFECTS: &str = "what workers find under that key";
        if let Err(wrong) = self.read::<Stored>(AFFECTS) {
            return Ok(Err(wrong));
        }
        match key::place_of_state(self.key) {
            None => Ok(Err(left_out("its key names no place", AFFECTS))),
            Some((_, key::Owner::Task(task))) => self.of_task(Some(task), target, AFFECTS),
            Some(_) => Ok(Ok(())),
        }
    }

    fn remote(&self, target: &Target) -> Result<Result<(), Wrong>, DoctorError> {
        const AFFECTS: &str = "a child on another host, which is not followed any more";
        match self.own(|row: &RemoteChild| key::remote(row.id()), AFFECTS) {
            Ok(()) => self.of_task(task_at(self.key, 1), target, AFFECTS),
            wrong => Ok(wrong),
        }
    }

    /// What belongs to a task goes with it.
    fn of_task(
        &self,
        task: Option<TaskId>,
        target: &Target,
        affects: &'static str,
    ) -> Result<Result<(), Wrong>, DoctorError> {
        let Some(task) = task else {
            return Ok(Err(left_out("its key is too short", affects)));
        };
        match target.has(Table::Header, &key::task(task))? {
            true => Ok(Ok(())),
            false => Ok(Err(left_out(
                "its task is not there, or not whole",
                affects,
            ))),
        }
    }

    /// Counts a row of state, and says when it is gone.
    fn keep_state(
        &self,
        source: &Source,
        target: &mut Target,
        findings: &mut Findings<'_>,
    ) -> Result<(), DoctorError> {
        let Some((place, owner)) = key::place_of_state(self.key) else {
            return Ok(());
        };
        let bytes = length(self.value);
        match &owner {
            key::Owner::Task(task) => {
                if let Some(header) = target.header(*task)? {
                    target.state(place, (Some(*task), &header.tenant), bytes)?;
                }
            }
            key::Owner::Tenant(tenant) => target.state(place, (None, tenant), bytes)?,
        }
        let Ok(Stored {
            expires_at: Some(moment),
            ..
        }) = record::decode(self.value)
        else {
            return Ok(());
        };
        let key = key::state_expiry_of(moment, self.key);
        let stored = source.get(Table::StateExpiry, &key)?;
        let is_right = |value: &Vec<u8>| {
            let read = record::decode::<(StatePlace, String)>(value);
            read.is_ok_and(|(place, name)| key::state_expiry(moment, &place, &name) == key)
        };
        let name = self.key.get(place.len()..).map(std::str::from_utf8);
        let name = name.and_then(Result::ok);
        match (stored.filter(is_right), key::read_place(place), name) {
            (Some(value), _, _) => target.put(Table::StateExpiry, &key, &value),
            (None, Some(place), Some(name)) => {
                target.put(Table::StateExpiry, &key, &record::encode(&(place, name))?)
            }
            // Only the lost row had the conversation's own name.
            (None, _, _) => {
                let what = "it is missing or cannot be read".to_owned();
                let affects = "a key of a conversation, which stays after its time".to_owned();
                findings.row(Table::StateExpiry, &key, (what, affects), Mending::Stays);
                Ok(())
            }
        }
    }
}

const DELIVERIES: &str = "notifications of a task to a webhook";

fn left_out(what: &str, affects: &'static str) -> Wrong {
    (what.to_owned(), affects, Mending::LeftOut)
}

fn stays(what: &str, affects: &'static str) -> Wrong {
    (what.to_owned(), affects, Mending::Stays)
}
