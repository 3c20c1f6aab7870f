//! Keys. Byte order is the order in which the tables are read: numbers are big-endian, moments of
//! lists are inverted so that the newest come first, text that something follows ends with a zero.

use taskyard_task::{
    AgentName, Digest, Header, Letter, News, Partition, RemoteId, Seq, StatePlace, TaskId,
    TaskState, Tenant, Timestamp,
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

/// Not by partition: operators look at all parked tasks of the host, the oldest first.
pub(crate) fn parked(since: Timestamp, task: TaskId) -> Vec<u8> {
    Writer::new().number(since.0).task(task).done()
}

pub(crate) fn read_parked(key: &[u8]) -> Option<(Timestamp, TaskId)> {
    let mut reader = Reader(key);
    Some((Timestamp(reader.number()?), reader.task()?))
}

pub(crate) fn in_flight(digest: Digest, task: TaskId) -> Vec<u8> {
    Writer::new().bytes(&digest.to_bytes()).task(task).done()
}

pub(crate) fn read_in_flight(key: &[u8]) -> Option<TaskId> {
    let mut reader = Reader(key);
    reader.skip(32)?;
    reader.task()
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
    read_log_seq(key)
}

/// The number of the entry whose key in the log this is.
pub(crate) fn read_log_seq(key: &[u8]) -> Option<Seq> {
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

pub(crate) fn read_idempotency(row: &[u8]) -> Option<Digest> {
    let mut reader = Reader(row);
    reader.skip(1)?;
    Some(Digest::from_bytes(reader.0.try_into().ok()?))
}

/// A letter lies with the task that it goes to.
pub(crate) fn letter(letter: &Letter) -> Vec<u8> {
    let (news, since) = match letter.news {
        News::ChildEnded => (0, Seq::ZERO),
        News::Cancel => (1, Seq::ZERO),
        News::CancelRemote { since } => (2, since),
    };
    Writer::new()
        .byte(letter.to.partition().number())
        .task(letter.to)
        .task(letter.from)
        .number(letter.ticket.0)
        .byte(news)
        .number(since.0)
        .done()
}

pub(crate) fn remote(child: RemoteId) -> Vec<u8> {
    let partition = child.parent.partition().number();
    let writer = Writer::new().byte(partition).task(child.parent);
    writer.number(child.since.0).done()
}

pub(crate) fn read_remote(key: &[u8]) -> Option<RemoteId> {
    let mut reader = Reader(key);
    reader.skip(1)?;
    let parent = reader.task()?;
    let since = Seq(reader.number()?);
    Some(RemoteId { parent, since })
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

/// The tasks that a list runs over: those of an agent and tenant, or of one conversation of theirs.
fn listed(tenant: &Tenant, agent: &AgentName, context: Option<&str>) -> Writer {
    let writer = Writer::new().text(tenant.as_str()).text(agent.as_str());
    match context {
        None => writer.byte(b'a'),
        // A conversation's name is the client's: any bytes, any length. Its digest is neither.
        Some(context) => writer
            .byte(b'c')
            .bytes(&Digest::of(context.as_bytes()).to_bytes()),
    }
}

/// What all index keys begin with of tasks in one state. Lists over all states read several of these at
/// once, so a task has one row for the agent and one for the conversation, whatever is asked for.
pub(crate) fn index_prefix(
    tenant: &Tenant,
    agent: &AgentName,
    context: Option<&str>,
    state: TaskState,
) -> Vec<u8> {
    listed(tenant, agent, context).byte(state.number()).done()
}

/// Where the tasks of a list are counted.
pub(crate) fn tally(tenant: &Tenant, agent: &AgentName, context: Option<&str>) -> Vec<u8> {
    listed(tenant, agent, context).done()
}

/// Behind all counts of the same tenant and agent as `tally`, which is over all their tasks: the first of them.
pub(crate) fn behind_tallies(tally: &[u8]) -> Vec<u8> {
    let mut key = tally.to_vec();
    key.pop();
    // Behind those of conversations and spans.
    key.push(b'm' + 1);
    key
}

/// Spans of time over which tasks are counted, as powers of two of milliseconds: a second, a minute, an
/// hour and three days, roughly. Each is 64 of the one before, so what is newer than a moment is at most
/// 63 of each, and some of the longest, of which a year has 118.
pub(crate) const SPANS: [u32; 4] = [10, 16, 22, 28];

/// Where the tasks of an agent are counted whose status is of one span of time. `number` is the moment
/// without its lowest `span` bits.
pub(crate) fn span_tally(tenant: &Tenant, agent: &AgentName, span: u32, number: u64) -> Vec<u8> {
    let mut key = span_tallies(tenant, agent, span);
    key.extend_from_slice(&number.to_be_bytes());
    key
}

/// What the keys of all counts over spans of one length begin with.
pub(crate) fn span_tallies(tenant: &Tenant, agent: &AgentName, span: u32) -> Vec<u8> {
    let writer = Writer::new().text(tenant.as_str()).text(agent.as_str());
    writer.byte(b'm').bytes(&span.to_be_bytes()).done()
}

/// All places where an announced task is counted.
pub(crate) fn tallies(header: &Header) -> impl Iterator<Item = Vec<u8>> {
    let Header { tenant, agent, .. } = header;
    let spans = SPANS.map(|span| span_tally(tenant, agent, span, header.status_at.0 >> span));
    let lists = [None, Some(header.context_id.as_str())];
    let lists = lists.map(|context| tally(tenant, agent, context));
    lists.into_iter().chain(spans)
}

pub(crate) fn index_suffix(status_at: Timestamp, task: TaskId) -> [u8; 24] {
    let mut suffix = [0; 24];
    let (moment, id) = suffix.split_at_mut(8);
    moment.copy_from_slice(&index_moment(status_at));
    id.copy_from_slice(&task.to_bytes());
    suffix
}

/// The newest moments come first.
pub(crate) fn index_moment(status_at: Timestamp) -> [u8; 8] {
    (!status_at.0).to_be_bytes()
}

pub(crate) fn read_index_suffix(suffix: &[u8]) -> Option<(Timestamp, TaskId)> {
    let mut reader = Reader(suffix);
    let moment = Timestamp(!reader.number()?);
    Some((moment, reader.task()?))
}

/// The index keys of an announced task.
pub(crate) fn index_keys(header: &Header) -> [Vec<u8>; 2] {
    let suffix = index_suffix(header.status_at, header.id);
    [None, Some(header.context_id.as_str())].map(|context| {
        let mut key = index_prefix(&header.tenant, &header.agent, context, header.state);
        key.extend_from_slice(&suffix);
        key
    })
}

/// What the keys of the tasks of a conversation begin with that ended in a direct message. Clients do not know of
/// these, so they are in no list.
pub(crate) fn replies(tenant: &Tenant, agent: &AgentName, context: &str) -> Vec<u8> {
    let writer = Writer::new().text(tenant.as_str()).text(agent.as_str());
    let context = Digest::of(context.as_bytes()).to_bytes();
    writer.byte(b'r').bytes(&context).done()
}

pub(crate) fn reply(header: &Header) -> Vec<u8> {
    let mut key = replies(&header.tenant, &header.agent, &header.context_id);
    key.extend_from_slice(&index_suffix(header.status_at, header.id));
    key
}

/// Ended tasks by tenant, those first that ended first. A task's last status is its end.
pub(crate) fn ended(header: &Header) -> Vec<u8> {
    ended_row(&header.tenant, header.status_at, header.id)
}

pub(crate) fn ended_row(tenant: &Tenant, at: Timestamp, task: TaskId) -> Vec<u8> {
    let writer = Writer::new().text(tenant.as_str());
    writer.number(at.0).task(task).done()
}

/// What the keys of a tenant's ended tasks begin with.
pub(crate) fn ended_of(tenant: &Tenant) -> Vec<u8> {
    Writer::new().text(tenant.as_str()).done()
}

/// Where the tasks of a tenant begin that ended at `moment` or later.
pub(crate) fn ended_from(tenant: &Tenant, moment: Timestamp) -> Vec<u8> {
    let writer = Writer::new().text(tenant.as_str());
    writer.number(moment.0).done()
}

/// Where the ended tasks of tenants behind this one begin.
pub(crate) fn ended_behind(tenant: &Tenant) -> Vec<u8> {
    let writer = Writer::new().bytes(tenant.as_str().as_bytes());
    writer.byte(1).done()
}

pub(crate) fn read_ended(key: &[u8]) -> Option<(Tenant, Timestamp, TaskId)> {
    let mut reader = Reader(key);
    let tenant = reader.text()?.parse().ok()?;
    Some((tenant, Timestamp(reader.number()?), reader.task()?))
}

pub(crate) fn task_key(task: TaskId, key: Digest) -> Vec<u8> {
    Writer::new().task(task).bytes(&key.to_bytes()).done()
}

pub(crate) fn read_task_key(row: &[u8]) -> Option<Digest> {
    let mut reader = Reader(row);
    reader.task()?;
    Some(Digest::from_bytes(reader.0.try_into().ok()?))
}

/// What the keys of all children on other hosts of a task begin with.
pub(crate) fn remotes_of(parent: TaskId) -> Vec<u8> {
    let partition = parent.partition().number();
    Writer::new().byte(partition).task(parent).done()
}

/// What the keys begin with under which unfinished tasks are counted by agent and component.
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

/// What all keys of one place of state begin with.
pub(crate) fn place(place: &StatePlace) -> Vec<u8> {
    match place {
        StatePlace::Task(task) => Writer::new().byte(b't').task(*task),
        // As in lists: a conversation's name is the client's.
        StatePlace::Context(tenant, context) => Writer::new()
            .byte(b'c')
            .text(tenant.as_str())
            .bytes(&Digest::of(context.as_bytes()).to_bytes()),
        StatePlace::Plugin(tenant, agent) => Writer::new()
            .byte(b'p')
            .text(tenant.as_str())
            .text(agent.as_str()),
        StatePlace::Tenant(tenant) => Writer::new().byte(b'n').text(tenant.as_str()),
    }
    .done()
}

/// A key of state. The worker's own key comes last and needs no end, so keys are in its order.
pub(crate) fn state(at: &StatePlace, key: &str) -> Vec<u8> {
    let mut row = place(at);
    row.extend_from_slice(key.as_bytes());
    row
}

/// Takes the worker's own key from behind `place`, which has this many bytes.
pub(crate) fn read_state(row: &[u8], place: usize) -> Option<&str> {
    std::str::from_utf8(row.get(place..)?).ok()
}

pub(crate) fn state_expiry(moment: Timestamp, at: &StatePlace, key: &str) -> Vec<u8> {
    state_expiry_of(moment, &state(at, key))
}

/// Where the rows of keys begin that expire at `moment` or later.
pub(crate) fn state_expiry_from(moment: Timestamp) -> Vec<u8> {
    Writer::new().number(moment.0).done()
}

/// When the row of state under this key is gone.
pub(crate) fn state_expiry_of(moment: Timestamp, row: &[u8]) -> Vec<u8> {
    Writer::new().number(moment.0).bytes(row).done()
}

/// Whom a place of state belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Owner {
    Task(TaskId),
    Tenant(Tenant),
}

/// The place that a key of state begins with, and whose it is.
pub(crate) fn place_of_state(row: &[u8]) -> Option<(&[u8], Owner)> {
    let (kind, rest) = row.split_first()?;
    let mut reader = Reader(rest);
    let owner = match kind {
        b't' => Owner::Task(reader.task()?),
        b'c' | b'p' | b'n' => Owner::Tenant(reader.text()?.parse().ok()?),
        _ => return None,
    };
    match kind {
        b'c' => reader.skip(32)?,
        b'p' => reader.text().map(drop)?,
        _ => {}
    }
    let place = row.get(..row.len().checked_sub(reader.0.len())?)?;
    Some((place, owner))
}

/// The place that these bytes are; that of a conversation has only the digest of its name.
pub(crate) fn read_place(place: &[u8]) -> Option<StatePlace> {
    let (kind, rest) = place.split_first()?;
    let mut reader = Reader(rest);
    match kind {
        b't' => Some(StatePlace::Task(reader.task()?)),
        b'p' => {
            let tenant = reader.text()?.parse().ok()?;
            Some(StatePlace::Plugin(tenant, reader.text()?.parse().ok()?))
        }
        b'n' => Some(StatePlace::Tenant(reader.text()?.parse().ok()?)),
        _ => None,
    }
}

pub(crate) fn read_state_expiry(row: &[u8]) -> Option<Timestamp> {
    Reader(row).number().map(Timestamp)
}

/// What the keys begin with under which keys of places are counted.
pub(crate) const STATE_COUNT: u8 = 0xfe;

/// Where the keys of a place are counted.
pub(crate) fn state_count(at: &StatePlace) -> Vec<u8> {
    state_count_of(&place(at))
}

/// The same for the bytes that stand for the place.
pub(crate) fn state_count_of(place: &[u8]) -> Vec<u8> {
    Writer::new().byte(STATE_COUNT).bytes(place).done()
}

/// Where it is counted what a task keeps.
pub(crate) fn usage_of_task(task: TaskId) -> Vec<u8> {
    Writer::new().byte(b't').task(task).done()
}

/// What the keys begin with under which it is counted what tenants keep.
pub(crate) const USAGE_OF: &[u8] = b"n";

/// Where it is counted what a tenant keeps.
pub(crate) fn usage_of(tenant: &Tenant) -> Vec<u8> {
    let writer = Writer::new().bytes(USAGE_OF);
    writer.text(tenant.as_str()).done()
}

pub(crate) fn read_usage_of(key: &[u8]) -> Option<Tenant> {
    let mut reader = Reader(key.strip_prefix(USAGE_OF)?);
    reader.text()?.parse().ok()
}

/// Where a row of state is counted: with the task or the tenant that it belongs to.
pub(crate) fn usage_of_state(row: &[u8]) -> Option<Vec<u8>> {
    Some(match place_of_state(row)?.1 {
        Owner::Task(task) => usage_of_task(task),
        Owner::Tenant(tenant) => usage_of(&tenant),
    })
}

/// What the keys begin with under which ended tasks are counted.
pub(crate) const ENDED_COUNT: u8 = 0xfd;

/// Where the ended tasks of a tenant are counted.
pub(crate) fn ended_count(tenant: &Tenant) -> Vec<u8> {
    let writer = Writer::new().byte(ENDED_COUNT);
    writer.text(tenant.as_str()).done()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn task_id(bytes: [u8; 16]) -> TaskId {
        TaskId::from_bytes(bytes)
    }

    /// Few tasks and numbers, so that equal letters come up.
    fn letters() -> impl Strategy<Value = Letter> {
        let task = || (0..2_u8).prop_map(|byte| task_id([byte; 16]));
        let news = prop_oneof![
            Just(News::ChildEnded),
            Just(News::Cancel),
            (0..2_u64).prop_map(|since| News::CancelRemote { since: Seq(since) }),
        ];
        (task(), task(), 0..2_u64, news).prop_map(|(to, from, ticket, news)| Letter {
            to,
            from,
            ticket: taskyard_task::Ticket(ticket),
            news,
        })
    }

    /// Names that are the beginning of each other, and contexts that no rule binds.
    fn places() -> impl Strategy<Value = StatePlace> {
        let tenant = || "(acme|ac|a|)".prop_map(|name| name.parse::<Tenant>().unwrap());
        let agent = || "(echo|ech|e)".prop_map(|name| name.parse::<AgentName>().unwrap());
        prop_oneof![
            (0..3u8).prop_map(|byte| StatePlace::Task(task_id([byte; 16]))),
            (tenant(), "[ab\0]{0,2}").prop_map(|(tenant, name)| StatePlace::Context(tenant, name)),
            (tenant(), agent()).prop_map(|(tenant, agent)| StatePlace::Plugin(tenant, agent)),
            tenant().prop_map(StatePlace::Tenant),
        ]
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
        fn parked_tasks_are_ordered_by_moment(a: u64, b: u64, x: [u8; 16], y: [u8; 16]) {
            let (first, second) = (parked(Timestamp(a), task_id(x)), parked(Timestamp(b), task_id(y)));
            prop_assert_eq!(first.cmp(&second), (a, x).cmp(&(b, y)));
            prop_assert_eq!(read_parked(&first), Some((Timestamp(a), task_id(x))));
        }

        #[test]
        fn ended_tasks_are_ordered_by_tenant_and_then_by_moment(
            a: u64, b: u64, x: [u8; 16], y: [u8; 16], s in "(acme|ac|a|)", t in "(acme|ac|a|)",
        ) {
            let tenant = |name: &str| name.parse::<Tenant>().unwrap();
            let row = |name, at, id| ended_row(&tenant(name), Timestamp(at), task_id(id));
            let (first, second) = (row(&s, a, x), row(&t, b, y));
            prop_assert_eq!(first.cmp(&second), (&s, a, x).cmp(&(&t, b, y)));
            prop_assert_eq!(first.starts_with(&ended_of(&tenant(&t))), s == t);
            prop_assert_eq!(ended_behind(&tenant(&t)) <= first, s > t);
            prop_assert_eq!(read_ended(&first), Some((tenant(&s), Timestamp(a), task_id(x))));
        }

        #[test]
        fn idempotency_keys_are_found_by_their_task(x: [u8; 16], y: [u8; 32]) {
            let row = task_key(task_id(x), Digest::from_bytes(y));
            prop_assert!(row.starts_with(&task(task_id(x))));
            prop_assert_eq!(read_task_key(&row), Some(Digest::from_bytes(y)));
        }

        #[test]
        fn tasks_are_found_by_their_component(x: [u8; 32], y: [u8; 16]) {
            let (component, task) = (Digest::from_bytes(x), task_id(y));
            let key = in_flight(component, task);
            prop_assert!(key.starts_with(&digest(component)));
            prop_assert_eq!(read_in_flight(&key), Some(task));
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
        fn state_is_ordered_by_place_and_then_by_key(
            x in places(), y in places(), a in "[^\0]{1,8}", b in "[^\0]{1,8}"
        ) {
            let (first, second) = (state(&x, &a), state(&y, &b));
            if x == y {
                prop_assert_eq!(first.cmp(&second), a.cmp(&b));
            } else {
                // All of one place is before all of the other.
                prop_assert_eq!(first.cmp(&second), place(&x).cmp(&place(&y)));
                prop_assert!(!first.starts_with(&place(&y)));
            }
            prop_assert_eq!(read_state(&first, place(&x).len()), Some(a.as_str()));
        }

        #[test]
        fn expiry_is_ordered_by_moment(m: u64, n: u64, x in places(), a in "[^\0]{1,8}") {
            let (first, second) = (
                state_expiry(Timestamp(m), &x, &a),
                state_expiry(Timestamp(n), &x, &a),
            );
            prop_assert_eq!(first.cmp(&second), m.cmp(&n));
            prop_assert_eq!(read_state_expiry(&first), Some(Timestamp(m)));
        }

        #[test]
        fn letters_that_differ_in_anything_have_keys_of_their_own(
            a in letters(), b in letters(),
        ) {
            prop_assert_eq!(letter(&a) == letter(&b), a == b);
        }

        #[test]
        fn children_elsewhere_are_named_by_their_keys(x: [u8; 16], since: u64) {
            let child = RemoteId { parent: task_id(x), since: Seq(since) };
            prop_assert_eq!(read_remote(&remote(child)), Some(child));
        }

        #[test]
        fn garbage_is_no_key(bytes: Vec<u8>) {
            let _ = (read_remote(&bytes), read_parked(&bytes), read_in_flight(&bytes));
            // Whatever comes out, nothing panics.
            let _ = (read_timer(&bytes), read_lane(&bytes), read_outbox_seq(&bytes), read_index_suffix(&bytes));
            let _ = (read_state(&bytes, 3), read_state_expiry(&bytes));
            let _ = (read_ended(&bytes), read_task_key(&bytes));
            let _ = (read_usage_of(&bytes), usage_of_state(&bytes));
        }
    }
}
