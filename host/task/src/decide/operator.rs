//! What operators do to a task that nobody else can help.

use crate::entry::{Blame, Event};
use crate::header::Phase;
use crate::id::{Digest, Seq};

use super::Refusal;
use super::draft::Draft;

/// How often a task can be sent back; each time is remembered for good.
const MAX_REWINDS: usize = 64;

pub(super) fn resume(draft: &mut Draft) -> Result<(), Refusal> {
    expect_parked(draft)?;
    go_on(draft, Event::Resumed);
    Ok(())
}

pub(super) fn rewind(draft: &mut Draft, to: Seq) -> Result<(), Refusal> {
    expect_parked(draft)?;
    let from = draft.header.replay_from.max(Seq::ZERO.next());
    let until = draft.header.last;
    if to < from || to > until || draft.header.rewound.len() >= MAX_REWINDS {
        return Err(Refusal::BadPosition { from, until });
    }
    draft.header.rewound.push((to, until));
    // The worker knows nothing of children that it started behind the entry.
    let children = std::mem::take(&mut draft.header.children);
    let (kept, forgotten): (Vec<_>, Vec<_>) =
        children.into_iter().partition(|child| child.since <= to);
    draft.header.children = kept;
    for child in forgotten {
        draft.cancel_child(child);
    }
    go_on(draft, Event::Rewound { to });
    Ok(())
}

pub(super) fn change_component(draft: &mut Draft, digest: Digest) -> Result<(), Refusal> {
    match draft.header.phase {
        Phase::Ended => return Err(Refusal::Ended(draft.header.state)),
        Phase::Running => return Err(Refusal::Busy),
        Phase::Parked => {
            draft.header.digest = digest;
            go_on(draft, Event::Moved { digest });
        }
        Phase::Queued | Phase::Delayed { .. } | Phase::Suspended { .. } => {
            draft.header.digest = digest;
            draft.record(Event::Moved { digest });
        }
    }
    Ok(())
}

pub(super) fn fail(draft: &mut Draft, reason: String) -> Result<(), Refusal> {
    if draft.header.is_ended() {
        return Err(Refusal::Ended(draft.header.state));
    }
    draft.end(Event::Failed {
        blame: Blame::Host,
        code: "operator".to_owned(),
        reason,
    });
    Ok(())
}

/// As after a message, clients see at once that the task works again: nobody must take a task that waits for
/// its run for one that waits for the operator.
fn go_on(draft: &mut Draft, event: Event) {
    draft.record(event);
    draft.record(Event::Working);
    draft.header.failures = 0;
    draft.header.broken = None;
    // What follows may be told by another component, or for another reason.
    draft.header.told = 0;
    draft.queue();
}

fn expect_parked(draft: &Draft) -> Result<(), Refusal> {
    match draft.header.phase {
        Phase::Parked => Ok(()),
        Phase::Ended => Err(Refusal::Ended(draft.header.state)),
        _ => Err(Refusal::NotParked),
    }
}
