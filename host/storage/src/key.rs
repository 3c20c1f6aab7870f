//! Keys. Byte order is the order in which the tables are read: numbers are big-endian, moments of
//! lists are inverted so that the newest come first, text that something follows ends with a zero.

use taskyard_task::{
    AgentName, Digest, Header, Partition, Seq, TaskId, TaskState, Tenant, Timestamp,
};

/// One ordered queue of notifications: those about one task to one configuration.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lane {
    /// The task.
    pub task: TaskId,
    /// The configuration's id.
    pub config: String,
}

/// Puts a key together.
struct Writer(Vec<u8>);

impl Writer {
    fn new() -> Self {
        // Most keys fit.
        Self(Vec::with_capacity(96))
    }

    fn byte(mut self, byte: u8) -> Self {
        self.0.push(byte);
        self
    }

    fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// Text without zero bytes, ended by one.
    fn text(self, text: &str) -> Self {
        self.bytes(text.as_bytes()).byte(0)
    }

    fn task(self, task: TaskId) -> Self {
        self.bytes(&task.to_bytes())
    }

    fn number(self, number: u64) -> Self {
        self.bytes(&number.to_be_bytes())
    }

    fn done(self) -> Vec<u8> {
        self.0
    }
}

/// Takes a key apart; every step fails on a key that is too short.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(count)?;
        self.0 = tail;
        Some(head)
    }

    pub(crate) fn skip(&mut self, count: usize) -> Option<()> {
        self.take(count).map(|_| ())
    }

    pub(crate) fn task(&mut self) -> Option<TaskId> {
        Some(TaskId::from_bytes(self.take(16)?.try_into().ok()?))
    }

    pub(crate) fn number(&mut self) -> Option<u64> {
        Some(u64::from_be_bytes(self.take(8)?.try_into().ok()?))
    }

    fn text(&mut self) -> Option<&'a str> {
        let end = self.0.iter().position(|byte| *byte == 0)?;
        let text = self.take(end)?;
        self.skip(1)?;
        std::str::from_utf8(text).ok()
    }
}

pub(crate) fn log(task: TaskId, seq: Seq) -> Vec<u8> {
    Writer::new().task(task).number(seq.0).done()
}

pub(crate) fn task(task: TaskId) -> Vec<u8> {
    task.to_bytes().to_vec()
}

pub(crate) fn work(task: TaskId) -> Vec<u8> {
    Writer::new()
        .byte(task.partition().number())
        .task(task)
        .done()
}

pub(crate) fn timer(due: Timestamp, task: TaskId) -> Vec<u8> {
    timer_from(task.partition(), due).task(task).done()
}

/// Where the timers of `partition` begin that are due at `due` or later.
pub(crate) fn timers_from(partition: Partition, due: Timestamp) -> Vec<u8> {
    timer_from(partition, due).done()
}

fn timer_from(partition: Partition, due: Timestamp) -> Writer {
    Writer::new().byte(partition.number()).number(due.0)
}

pub(crate) fn read_timer(key: &[u8]) -> Option<(u8, Timestamp, TaskId)> {
    let (partition, rest) = key.split_first()?;
    let mut reader = Reader(rest);
    Some((*partition, Timestamp(reader.number()?), reader.task()?))
}

/// All that belongs to a lane: its delivery state, and where its outbox rows begin.
pub(crate) fn lane(task: TaskId, config: &str) -> Vec<u8> {
    let partition = task.partition().number();
    Writer::new().byte(partition).task(task).text(config).done()
}

pub(crate) fn outbox(task: TaskId, config: &str, seq: Seq) -> Vec<u8> {
    let mut key = lane(task, config);
    key.extend_from_slice(&seq.0.to_be_bytes());
    key
}

pub(crate) fn read_lane(key: &[u8]) -> Option<Lane> {
    let mut reader = Reader(key);
    reader.skip(1)?;
    let task = reader.task()?;
    let config = reader.text()?.to_owned();
    Some(Lane { task, config })
}

pub(crate) fn read_outbox_seq(key: &[u8]) -> Option<Seq> {
    let (_, seq) = key.split_last_chunk::<8>()?;
    Some(Seq(u64::from_be_bytes(*seq)))
}

pub(crate) fn push_config(task: TaskId, config: &str) -> Vec<u8> {
    Writer::new().task(task).text(config).done()
}

pub(crate) fn idempotency(partition: Partition, key: Digest) -> Vec<u8> {
    Writer::new()
        .byte(partition.number())
        .bytes(&key.to_bytes())
        .done()
}

pub(crate) fn digest(digest: Digest) -> Vec<u8> {
    digest.to_bytes().to_vec()
}

pub(crate) fn agent(name: &AgentName) -> Vec<u8> {
    name.as_str().as_bytes().to_vec()
}

pub(crate) fn last_commit(partition: Partition) -> Vec<u8> {
    Writer::new().bytes(b"last").byte(partition.number()).done()
}

pub(crate) const FORMAT: &[u8] = b"format";

/// The tasks that a list runs over, before anything is filtered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope<'a> {
    /// All tasks of an agent and tenant.
    All,
    /// Those in one state.
    State(TaskState),
    /// Those of one conversation.
    Context(&'a str),
}

/// What all index keys of a list begin with; also the key under which their number is counted.
pub(crate) fn index_prefix(tenant: &Tenant, agent: &AgentName, scope: Scope<'_>) -> Vec<u8> {
    let writer = Writer::new().text(tenant.as_str()).text(agent.as_str());
    match scope {
        Scope::All => writer.byte(b'a'),
        Scope::State(state) => writer.byte(b's').byte(state.number()),
        // A conversation's name is the client's: any bytes, any length. Its digest is neither.
        Scope::Context(context) => writer
            .byte(b'c')
            .bytes(&Digest::of(context.as_bytes()).to_bytes()),
    }
    .done()
}

pub(crate) fn index_suffix(status_at: Timestamp, task: TaskId) -> [u8; 24] {
    let mut suffix = [0; 24];
    let (moment, id) = suffix.split_at_mut(8);
    moment.copy_from_slice(&(!status_at.0).to_be_bytes());
    id.copy_from_slice(&task.to_bytes());
    suffix
}

pub(crate) fn read_index_suffix(suffix: &[u8]) -> Option<(Timestamp, TaskId)> {
    let mut reader = Reader(suffix);
    let moment = Timestamp(!reader.number()?);
    Some((moment, reader.task()?))
}

/// The index keys of an announced task.
pub(crate) fn index_keys(header: &Header) -> [Vec<u8>; 3] {
    let suffix = index_suffix(header.status_at, header.id);
    [
        Scope::All,
        Scope::State(header.state),
        Scope::Context(&header.context_id),
    ]
    .map(|scope| {
        let mut key = index_prefix(&header.tenant, &header.agent, scope);
        key.extend_from_slice(&suffix);
        key
    })
}

/// What the keys begin with under which unfinished tasks are counted by agent and component. No tenant
/// begins with this byte, so these keys and those of lists never meet.
pub(crate) const HELD: &[u8] = &[0xff];

/// Where the unfinished tasks of an agent are counted by component.
pub(crate) fn held_prefix(agent: &AgentName) -> Vec<u8> {
    Writer::new().bytes(HELD).text(agent.as_str()).done()
}

pub(crate) fn held(agent: &AgentName, digest: Digest) -> Vec<u8> {
    let mut key = held_prefix(agent);
    key.extend_from_slice(&digest.to_bytes());
    key
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn task_id(bytes: [u8; 16]) -> TaskId {
        TaskId::from_bytes(bytes)
    }

    proptest! {
        #[test]
        fn timers_are_ordered_by_moment(a: u64, b: u64, x: [u8; 16]) {
            let task = task_id(x);
            let (first, second) = (timer(Timestamp(a), task), timer(Timestamp(b), task));
            prop_assert_eq!(first.cmp(&second), a.cmp(&b));
            prop_assert_eq!(
                read_timer(&first),
                Some((task.partition().number(), Timestamp(a), task))
            );
        }

        #[test]
        fn lists_begin_with_the_newest(a: u64, b: u64, x: [u8; 16]) {
            let (first, second) = (
                index_suffix(Timestamp(a), task_id(x)),
                index_suffix(Timestamp(b), task_id(x)),
            );
            prop_assert_eq!(first.cmp(&second), b.cmp(&a));
            prop_assert_eq!(read_index_suffix(&first), Some((Timestamp(a), task_id(x))));
        }

        #[test]
        fn outbox_rows_are_ordered_within_their_lane(a: u64, b: u64, x: [u8; 16], config in "[a-z0-9-]{1,20}") {
            let task = task_id(x);
            let key = outbox(task, &config, Seq(a));
            prop_assert_eq!(key.cmp(&outbox(task, &config, Seq(b))), a.cmp(&b));
            prop_assert_eq!(read_lane(&key), Some(Lane { task, config }));
            prop_assert_eq!(read_outbox_seq(&key), Some(Seq(a)));
        }

        #[test]
        fn garbage_is_no_key(bytes: Vec<u8>) {
            // Whatever comes out, nothing panics.
            let _ = (read_timer(&bytes), read_lane(&bytes), read_outbox_seq(&bytes), read_index_suffix(&bytes));
        }
    }
}
