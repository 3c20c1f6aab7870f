//! What children and parents do to a task.

use crate::child::{ChildEnd, ChildLink, Letter, News, RemoteId};
use crate::commit::Change;
use crate::entry::Event;
use crate::id::{Seq, TaskId, Ticket};

use super::draft::Draft;
use super::{Refusal, cancel};

/// A letter arrives. It is taken whatever it does, so that it arrives once.
pub(super) fn letter(
    draft: &mut Draft,
    letter: Letter,
    end: Option<Box<ChildEnd>>,
) -> Result<(), Refusal> {
    draft.change(Change::Taken { letter });
    match (letter.news, end) {
        (News::ChildEnded, Some(end)) => {
            ended(draft, end, |child| {
                child.task == Some(letter.from) && child.ticket == letter.ticket
            });
        }
        (News::Cancel, _) if !draft.header.is_ended() => cancel(draft)?,
        // The row of a child elsewhere says that it is wanted no more; the task itself does not change.
        (News::ChildEnded | News::Cancel | News::CancelRemote { .. }, _) => {}
    }
    Ok(())
}

/// A child elsewhere ended; its row goes with it.
pub(super) fn remote_ended(draft: &mut Draft, since: Seq, end: Box<ChildEnd>) {
    let parent = draft.header.id;
    let child = RemoteId { parent, since };
    draft.change(Change::DeleteRemote { child });
    ended(draft, end, |child| {
        child.task.is_none() && child.since == since
    });
}

fn ended(draft: &mut Draft, end: Box<ChildEnd>, is_meant: impl Fn(&ChildLink) -> bool) {
    // A parent that ended, or that forgot the child, does not care any more.
    let Some(place) = draft.header.children.iter().position(is_meant) else {
        return;
    };
    let ticket = draft.header.children.remove(place).ticket;
    draft.record_outside(Event::ChildEnded { ticket, end });
    draft.wake();
}

/// The worker started a child.
pub(super) fn started(
    draft: &mut Draft,
    seq: Seq,
    ticket: Ticket,
    detached: bool,
    task: Option<TaskId>,
) {
    draft.header.children.push(ChildLink {
        ticket,
        task,
        detached,
        since: seq,
    });
}

/// The worker gave something up; if that is a child, it is asked to cancel.
pub(super) fn given_up(draft: &mut Draft, ticket: Ticket) {
    let children = draft.header.children.iter();
    let child = children.copied().find(|child| child.ticket == ticket);
    if let Some(child) = child {
        draft.cancel_child(child);
    }
}

#[cfg(test)]
mod tests;
