//! What children and parents do to a task.

use crate::child::{ChildEnd, ChildLink, Letter, News};
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
        (News::ChildEnded, Some(end)) => ended(draft, letter.ticket, Some(letter.from), end),
        (News::ChildEnded, None) => {}
        (News::Cancel, _) => {
            if !draft.header.is_ended() {
                cancel(draft)?;
            }
        }
    }
    Ok(())
}

/// A child elsewhere ended; its row goes with it.
pub(super) fn remote_ended(draft: &mut Draft, ticket: Ticket, end: Box<ChildEnd>) {
    let parent = draft.header.id;
    draft.change(Change::DeleteRemote { parent, ticket });
    ended(draft, ticket, None, end);
}

fn ended(draft: &mut Draft, ticket: Ticket, task: Option<TaskId>, end: Box<ChildEnd>) {
    let children = &mut draft.header.children;
    let before = children.len();
    children.retain(|child| child.ticket != ticket || child.task != task);
    // A parent that ended, or that forgot the child, does not care any more.
    if draft.header.children.len() < before {
        draft.from_outside(Event::ChildEnded { ticket, end });
        draft.wake();
    }
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
