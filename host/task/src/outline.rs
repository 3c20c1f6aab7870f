//! What a log amounts to without the content of large artifacts, and which entries hold that.
//!
//! Folding it is [`TaskView::apply`], over entries that may lack their content. So whoever needs a task's
//! state, history or the names of its results reads none of what these contain.

use serde::{Deserialize, Serialize};

use crate::content::{Part, PartBody};
use crate::entry::{Entry, Event};
use crate::fold::TaskView;
use crate::header::is_taken_back;
use crate::id::Seq;

/// An entry with more content than this is kept without it, besides being kept whole. What is smaller costs
/// more to look up than to read along.
pub const MAX_LIGHT_BYTES: usize = 512;
/// How much content of all artifacts together an outline holds itself: whoever asks for a task with small
/// results gets it at once, and an outline takes a few dozen bytes for each part, whatever that contains.
pub const MAX_INLINE_BYTES: u64 = 64 << 10;

/// An entry, perhaps without the content that it adds to an artifact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LightEntry {
    /// The entry. Its parts are empty where their content was left out.
    pub entry: Entry,
    /// How many bytes of content each of its parts had; nothing if they still have it.
    pub left_out: Vec<u64>,
}

impl LightEntry {
    /// The entry with all that it has.
    #[must_use]
    pub fn whole(entry: Entry) -> Self {
        Self {
            entry,
            left_out: Vec::new(),
        }
    }

    /// The entry without its content, if it adds much to an artifact.
    #[must_use]
    pub fn of(mut entry: Entry) -> Self {
        let parts = content_of_mut(&mut entry.event);
        if size(parts) <= MAX_LIGHT_BYTES {
            return Self::whole(entry);
        }
        let left_out = parts.iter().map(body_bytes).collect();
        parts.iter_mut().for_each(empty);
        Self { entry, left_out }
    }
}

impl Entry {
    /// Whether it adds so much to an artifact that it is worth keeping it without that, too.
    #[must_use]
    pub fn has_much_content(&self) -> bool {
        size(self.event.content()) > MAX_LIGHT_BYTES
    }
}

impl Event {
    /// What it adds to an artifact.
    #[must_use]
    pub fn content(&self) -> &[Part] {
        match self {
            Self::ArtifactPut { parts, .. } => parts,
            Self::ArtifactAppended { chunk, .. } => std::slice::from_ref(chunk),
            _ => &[],
        }
    }
}

fn content_of_mut(event: &mut Event) -> &mut [Part] {
    match event {
        Event::ArtifactPut { parts, .. } => parts,
        Event::ArtifactAppended { chunk, .. } => std::slice::from_mut(chunk),
        _ => &mut [],
    }
}

fn size(parts: &[Part]) -> usize {
    parts.iter().map(Part::size).sum()
}

fn body_bytes(part: &Part) -> u64 {
    let bytes = match &part.body {
        PartBody::Text(text) | PartBody::Url(text) | PartBody::Data(text) => text.len(),
        PartBody::Bytes(bytes) => bytes.len(),
    };
    bytes as u64
}

fn to_usize(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// Takes the content out, and leaves what kind it is of.
fn empty(part: &mut Part) {
    part.body = match &part.body {
        PartBody::Text(_) => PartBody::Text(String::new()),
        PartBody::Bytes(_) => PartBody::Bytes(Vec::new()),
        PartBody::Url(_) => PartBody::Url(String::new()),
        // Objects and other values look different to clients of 0.3.
        PartBody::Data(json) if json.trim_start().starts_with('{') => PartBody::Data("{}".into()),
        PartBody::Data(_) => PartBody::Data("null".into()),
    };
}

/// Where in its entry the content of the part at this place of its artifact is: a chunk is one part, whatever
/// was before it.
#[must_use]
pub fn part_of(event: &Event, place: usize) -> Option<&Part> {
    match event {
        Event::ArtifactPut { parts, .. } => parts.get(place),
        Event::ArtifactAppended { chunk, .. } => Some(chunk),
        _ => None,
    }
}

/// What a log amounts to, perhaps without the content of artifacts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Outline {
    /// What it amounts to. Parts are empty if their content is apart.
    pub view: TaskView,
    /// For each artifact of `view` and each of its parts, where its content is.
    pub content: Vec<Vec<Content>>,
    /// How many bytes of content `view` has.
    pub inline_bytes: u64,
}

/// Where the content of a part is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// How many bytes it has.
    pub bytes: u64,
    /// The entry that holds it, if the part is empty.
    pub apart: Option<Seq>,
}

impl Outline {
    /// Adds the next entry, unless an operator took it back: `rewound` is that of the header.
    pub fn apply(&mut self, rewound: &[(Seq, Seq)], seq: Seq, light: LightEntry) {
        let LightEntry { entry, left_out } = light;
        if is_taken_back(rewound, seq, &entry.event) {
            self.view.last = seq;
            return;
        }
        let added = Added::by(&entry.event, seq, left_out);
        self.view.apply(seq, entry);
        if let Some(added) = added {
            self.note(added);
        }
    }

    /// Roughly how many bytes the outline takes; what queues count.
    #[must_use]
    pub fn size(&self) -> usize {
        self.view.size() + self.content.iter().flatten().count() * size_of::<Content>()
    }

    /// How many bytes of artifacts the task has.
    #[must_use]
    pub fn content_bytes(&self) -> u64 {
        self.content.iter().flatten().map(|part| part.bytes).sum()
    }

    /// How many bytes the parts of the artifact at this place of the view count for in limits, with all of
    /// their content.
    #[must_use]
    pub fn size_of(&self, artifact: usize) -> usize {
        let parts = self.parts_of(artifact);
        let sizes = parts.map(|(part, apart)| match apart {
            // Some kinds of nothing have a byte or two, which is no harm in a limit.
            Some(content) => part.size().saturating_add(to_usize(content.bytes)),
            None => part.size(),
        });
        sizes.sum()
    }

    /// The parts of the artifact at this place of the view, and for each of them where its content is, if it
    /// is apart.
    pub fn parts_of(&self, artifact: usize) -> impl Iterator<Item = (&Part, Option<&Content>)> {
        let parts = self.view.artifacts.get(artifact).into_iter();
        let content = self.content.get(artifact).into_iter().flatten();
        let apart = content.map(|it| it.apart.is_some().then_some(it));
        parts
            .flat_map(|it| &it.parts)
            .zip(apart.chain(std::iter::repeat(None)))
    }

    /// Whether the view lacks nothing.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        !self
            .content
            .iter()
            .flatten()
            .any(|part| part.apart.is_some())
    }

    /// Leaves all but so many of the most recent messages out.
    pub fn keep_history(&mut self, most: Option<usize>) {
        let history = &mut self.view.history;
        let most = most.unwrap_or(usize::MAX);
        history.drain(..history.len().saturating_sub(most));
    }

    /// Leaves the artifacts out.
    pub fn forget_artifacts(&mut self) {
        self.view.artifacts.clear();
        self.content.clear();
        self.inline_bytes = 0;
    }

    /// Takes note of what was just added to an artifact of the view, and lets go of what is too much.
    fn note(&mut self, added: Added) {
        let mut artifacts = self.view.artifacts.iter_mut().enumerate().rev();
        let Some((place, artifact)) = artifacts.find(|(_, it)| it.spec.id == added.id) else {
            return;
        };
        if self.content.len() <= place {
            self.content.resize_with(place + 1, Vec::new);
        }
        let Some(known) = self.content.get_mut(place) else {
            return;
        };
        if added.is_anew {
            let gone = known.drain(..).filter(|part| part.apart.is_none());
            self.inline_bytes -= gone.map(|part| part.bytes).sum::<u64>();
        }
        let new = artifact.parts.iter_mut().skip(known.len());
        for (part, (bytes, is_left_out)) in new.zip(added.sizes) {
            let is_apart = is_left_out || self.inline_bytes + bytes > MAX_INLINE_BYTES;
            if is_apart {
                empty(part);
            } else {
                self.inline_bytes += bytes;
            }
            let apart = is_apart.then_some(added.seq);
            known.push(Content { bytes, apart });
        }
    }
}

/// What an entry adds to an artifact.
struct Added {
    id: String,
    seq: Seq,
    /// Whether the artifact is this and nothing that was before.
    is_anew: bool,
    /// For each part how many bytes it has, and whether they were left out.
    sizes: Vec<(u64, bool)>,
}

impl Added {
    fn by(event: &Event, seq: Seq, left_out: Vec<u64>) -> Option<Self> {
        let (id, is_anew) = match event {
            Event::ArtifactPut { spec, .. } => (&spec.id, true),
            Event::ArtifactAppended { id, spec, .. } => (id, spec.is_some()),
            _ => return None,
        };
        let sizes = match left_out.is_empty() {
            true => event
                .content()
                .iter()
                .map(|it| (body_bytes(it), false))
                .collect(),
            false => left_out.into_iter().map(|bytes| (bytes, true)).collect(),
        };
        Some(Self {
            id: id.clone(),
            seq,
            is_anew,
            sizes,
        })
    }
}

#[cfg(test)]
mod tests;
