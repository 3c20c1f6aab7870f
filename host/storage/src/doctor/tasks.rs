//! Tasks: each with its header, its log, the content that is kept apart, and its outline.

use taskyard_task::{Header, LightEntry, Outline, Phase, Seq, TaskId};

use super::DoctorError;
use super::finding::{Findings, Mending};
use super::named::task_at;
use super::source::{Row, Source, Walk};
use super::target::Target;
use crate::key;
use crate::record::{self, Logged};
use crate::table::Table;
use crate::usage::{Growth, length};

/// Looks at all tasks; those that are whole come into the new database. Tells how many there are.
pub(super) fn all(
    source: &Source,
    target: &mut Target,
    findings: &mut Findings<'_>,
) -> Result<u64, DoctorError> {
    let mut rows = Cursors::of(source, findings);
    let mut whole = 0;
    while let Some(task) = rows.first() {
        match look(task, &mut rows, findings) {
            Ok(found) => {
                found.keep(source, target, findings)?;
                whole += 1;
            }
            Err(wrong) => {
                findings.left_out.tasks += 1;
                let affects = "the task with all that belongs to it".to_owned();
                let key = key::task(task);
                findings.row(Table::Header, &key, (wrong, affects), Mending::LeftOut);
            }
        }
    }
    target.write()?;
    Ok(whole)
}

/// Where the look is in one of the tables.
struct Cursor<'a> {
    walk: Walk<'a>,
    head: Option<Row>,
}

impl<'a> Cursor<'a> {
    fn of(source: &'a Source, table: Table, findings: &mut Findings<'_>) -> Self {
        let mut cursor = Self {
            walk: source.walk(table, findings),
            head: None,
        };
        cursor.advance(table, findings);
        cursor
    }

    /// Goes to the next row whose key has a task.
    fn advance(&mut self, table: Table, findings: &mut Findings<'_>) {
        loop {
            self.head = self.walk.next(findings);
            match &self.head {
                Some((key, _)) if task_at(key, 0).is_none() => {
                    findings.left_out.rows += 1;
                    let what = "its key is too short".to_owned();
                    let affects = "nobody knows".to_owned();
                    findings.row(table, key, (what, affects), Mending::LeftOut);
                }
                _ => return,
            }
        }
    }

    fn task(&self) -> Option<TaskId> {
        task_at(&self.head.as_ref()?.0, 0)
    }
}

/// The tables in step.
struct Cursors<'a> {
    header: Cursor<'a>,
    log: Cursor<'a>,
    content: Cursor<'a>,
    outline: Cursor<'a>,
}

impl<'a> Cursors<'a> {
    fn of(source: &'a Source, findings: &mut Findings<'_>) -> Self {
        let mut cursor = |table| Cursor::of(source, table, findings);
        Self {
            header: cursor(Table::Header),
            log: cursor(Table::Log),
            content: cursor(Table::Content),
            outline: cursor(Table::Outline),
        }
    }

    /// The next task that any of them has.
    fn first(&self) -> Option<TaskId> {
        let all = [&self.header, &self.log, &self.content, &self.outline];
        let heads = all.into_iter().filter_map(Cursor::task);
        heads.min_by_key(|task| task.to_bytes())
    }

    /// The next row of `task` in a table.
    fn take(&mut self, table: Table, task: TaskId, findings: &mut Findings<'_>) -> Option<Row> {
        let cursor = match table {
            Table::Header => &mut self.header,
            Table::Log => &mut self.log,
            Table::Content => &mut self.content,
            _ => &mut self.outline,
        };
        if cursor.task() != Some(task) {
            return None;
        }
        let row = cursor.head.take();
        cursor.advance(table, findings);
        row
    }
}

/// A task that is whole.
struct Found {
    header: Header,
    growth: Growth,
    /// As its log says it is.
    folded: Outline,
    outline: Option<Vec<u8>>,
}

/// Looks at one task, and goes past all of its rows.
fn look(
    task: TaskId,
    rows: &mut Cursors<'_>,
    findings: &mut Findings<'_>,
) -> Result<Found, String> {
    let header = rows.take(Table::Header, task, findings);
    let header = header.ok_or_else(|| "its header is missing".to_owned());
    let header = header.and_then(|(_, value)| read_header(task, &value));
    let rewound = header.as_ref().map(|header| header.rewound.clone());
    let mut log = Log::default();
    while let Some((key, value)) = rows.take(Table::Log, task, findings) {
        let seq = key::read_log_seq(&key).unwrap_or_default();
        // Those before it, which the log does not name, are found by their number.
        let mut apart = None;
        if record::is_light(&value) {
            apart = rows.take(Table::Content, task, findings);
        }
        let looked = log.add(seq, &value, apart, rewound.as_deref().unwrap_or_default());
        log.note(looked);
    }
    while let Some((key, _)) = rows.take(Table::Content, task, findings) {
        log.note(Err(format!(
            "content of entry {} is there, and the log does not refer to it",
            key::read_log_seq(&key).unwrap_or_default().0
        )));
    }
    let outline = rows.take(Table::Outline, task, findings);
    let header = header?;
    log.wrong.map_or(Ok(()), Err)?;
    if log.last != header.last {
        return Err(format!(
            "its log ends with entry {}, and its header says {}",
            log.last.0, header.last.0
        ));
    }
    Ok(Found {
        header,
        growth: log.growth,
        folded: log.folded,
        outline: outline.map(|(_, value)| value),
    })
}

fn read_header(task: TaskId, value: &[u8]) -> Result<Header, String> {
    let header = record::decode::<Header>(value);
    let header = header.map_err(|error| format!("its header cannot be read: {error}"))?;
    match header.id == task {
        true => Ok(header),
        false => Err(format!("its header is that of task {}", header.id)),
    }
}

/// A log, as far as it was read.
struct Log {
    last: Seq,
    growth: Growth,
    folded: Outline,
    wrong: Option<String>,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            last: Seq::ZERO,
            growth: Growth {
                tasks: 1,
                ..Growth::default()
            },
            folded: Outline::default(),
            wrong: None,
        }
    }
}

impl Log {
    /// The first thing that is wrong is what is told.
    fn note(&mut self, looked: Result<(), String>) {
        if let Err(wrong) = looked {
            self.wrong.get_or_insert(wrong);
        }
    }

    fn add(
        &mut self,
        seq: Seq,
        value: &[u8],
        apart: Option<Row>,
        rewound: &[(Seq, Seq)],
    ) -> Result<(), String> {
        let expected = self.last.next();
        self.last = seq;
        if seq != expected {
            return Err(format!("entry {} of its log is missing", expected.0));
        }
        self.growth.log += length(value);
        let unreadable = |error| format!("entry {} of its log cannot be read: {error}", seq.0);
        let light = match record::decode_logged(value).map_err(unreadable)? {
            Logged::Whole(entry) => LightEntry::of(entry),
            Logged::Light(light) => {
                self.content(seq, &light, apart)?;
                light
            }
        };
        self.folded.apply(rewound, seq, light);
        Ok(())
    }

    fn content(&mut self, seq: Seq, light: &LightEntry, apart: Option<Row>) -> Result<(), String> {
        let of = |row: &Row| key::read_log_seq(&row.0) == Some(seq);
        let Some((_, value)) = apart.filter(of) else {
            return Err(format!("the content of entry {} is missing", seq.0));
        };
        self.growth.content += length(&value);
        let entry = record::decode(&value);
        let entry = entry
            .map_err(|error| format!("the content of entry {} cannot be read: {error}", seq.0))?;
        match LightEntry::of(entry) == *light {
            true => Ok(()),
            false => Err(format!("the content of entry {} is another's", seq.0)),
        }
    }
}

impl Found {
    /// Brings the task into the new database.
    fn keep(
        self,
        source: &Source,
        target: &mut Target,
        findings: &mut Findings<'_>,
    ) -> Result<(), DoctorError> {
        let Self { header, growth, .. } = &self;
        target.task(header, *growth)?;
        self.outline(target, findings)?;
        if header.phase == Phase::Parked {
            let key = key::parked(header.status_at, header.id);
            // Which entry parked it is said there alone; else it is taken for the last one.
            let entry = source.get(Table::Parked, &key)?;
            let known = |entry: &Vec<u8>| {
                <[u8; 8]>::try_from(&entry[..])
                    .is_ok_and(|entry| (1..=header.last.0).contains(&u64::from_be_bytes(entry)))
            };
            if let Some(entry) = entry.filter(known) {
                target.put(Table::Parked, &key, &entry)?;
            }
        }
        for config in &header.push {
            let key = key::push_config(header.id, config);
            if source.get(Table::PushConfig, &key)?.is_none() {
                let what = "it is missing or cannot be read, and its task refers to it";
                let affects = "the webhook hears nothing more of this task";
                let said = (what.to_owned(), affects.to_owned());
                findings.row(Table::PushConfig, &key, said, Mending::Stays);
            }
        }
        match target.is_whole {
            true => self.copy(source, target),
            false => Ok(()),
        }
    }

    fn outline(&self, target: &mut Target, findings: &mut Findings<'_>) -> Result<(), DoctorError> {
        let Some(stored) = &self.outline else {
            // The log is folded each time, then.
            return Ok(());
        };
        let key = key::task(self.header.id);
        let known = record::decode::<Outline>(stored);
        if known.is_ok_and(|outline| outline == self.folded) {
            return target.put(Table::Outline, &key, stored);
        }
        let what = "it is not what the log amounts to".to_owned();
        let affects = "what clients see of the task".to_owned();
        findings.row(Table::Outline, &key, (what, affects), Mending::MadeAnew);
        target.put(Table::Outline, &key, &record::encode(&self.folded)?)
    }

    fn copy(&self, source: &Source, target: &mut Target) -> Result<(), DoctorError> {
        for seq in 1..=self.header.last.0 {
            let key = key::log(self.header.id, Seq(seq));
            for table in [Table::Log, Table::Content] {
                if let Some(value) = source.get(table, &key)? {
                    target.put(table, &key, &value)?;
                }
            }
        }
        Ok(())
    }
}
