//! The world outside of a task: what it saw, and what it brings when. It does not notice crashes of the
//! task.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use super::agents::{Agent, Delivery, Order};
use super::host::Route;
use super::reply::{Ending, Reply};
use super::{Host, SentRequest, StartedChild};
use crate::children::ChildState;
use crate::host::TicketId;
use crate::http::{Request, Response, Retry};
use crate::millis::Millis;
use crate::{ChildEnd, OpError};

/// The operator's limit for one attempt of a request, and for the silence of a stream.
const OPERATOR_TIMEOUT: Millis = 60_000;
/// Statuses after which a request is tried again.
const RETRIED: [u16; 7] = [408, 425, 429, 500, 502, 503, 504];

/// The name of a request or child over all incarnations of a task: how often it was continued, and the
/// ticket.
pub(super) type Name = (usize, TicketId);

/// The world outside of one task.
pub(super) struct World {
    script: Rc<Host>,
    /// How often each route answered.
    answered: Vec<usize>,
    /// Every request that left, in order.
    pub(super) seen: Vec<(Name, SentRequest)>,
    flights: BTreeMap<Name, Vec<Arrival>>,
    children: BTreeMap<Name, Growing>,
    pub(super) started: Vec<StartedChild>,
    /// Whether a crash interrupted something that must not be sent again.
    pub(super) interrupted: bool,
}

/// Something that arrives for a request.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Arrival {
    pub(super) at: Millis,
    pub(super) what: Arrived,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Arrived {
    /// The whole response.
    Response(Result<Response, OpError>),
    /// A part of the response to a stream.
    Piece(Piece),
}

/// A part of the response to a stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Piece {
    Head(Response),
    Data(Vec<u8>),
    End,
    Failed(OpError),
}

/// A child that was started.
struct Growing {
    /// Its place in `started`.
    index: usize,
    ends_at: Millis,
    end: Option<ChildEnd>,
}

/// A request on its way out.
pub(super) struct Departure<'r> {
    pub(super) name: Name,
    pub(super) request: &'r Request,
    pub(super) sent: SentRequest,
    pub(super) streamed: bool,
    pub(super) at: Millis,
}

impl World {
    pub(super) fn new(script: Rc<Host>) -> Self {
        Self {
            answered: vec![0; script.routes.len()],
            script,
            seen: Vec::new(),
            flights: BTreeMap::new(),
            children: BTreeMap::new(),
            started: Vec::new(),
            interrupted: false,
        }
    }

    /// Sends a request. One that is sent again gets the same answer at the same time: to the other side
    /// it is the same request.
    pub(super) fn send(&mut self, departure: Departure<'_>) {
        if self.flights.contains_key(&departure.name) {
            self.seen.push((departure.name, departure.sent));
            return;
        }
        let name = departure.name;
        let arrivals = self.attempts(departure);
        self.flights.insert(name, arrivals);
    }

    /// What arrives for a request, as its retry policy says.
    fn attempts(&mut self, departure: Departure<'_>) -> Vec<Arrival> {
        let Departure {
            name,
            request,
            sent,
            streamed,
            at,
        } = departure;
        let retry = request.retry.unwrap_or(Retry::times(1));
        let timeout = request
            .timeout
            .unwrap_or(OPERATOR_TIMEOUT)
            .min(OPERATOR_TIMEOUT);
        let largest = request.max_response_bytes;
        let (mut at, mut delay) = (at, retry.first_delay);
        for attempt in 1.. {
            let Some(reply) = self.reply_to(&sent) else {
                return failure(at, streamed, nobody_answers(&sent));
            };
            self.seen.push((name, sent.clone()));
            if attempt < retry.attempts && is_retried(&reply, timeout) {
                let asked_for = retry_after(&reply).unwrap_or(0);
                at = at.saturating_add(reply.delay.min(timeout));
                at = at.saturating_add(delay.max(asked_for));
                delay = delay.saturating_mul(2).min(retry.longest_delay);
                continue;
            }
            return match streamed {
                true => pieces(&reply, at, timeout),
                false => vec![whole(&reply, at, timeout, largest)],
            };
        }
        Vec::new()
    }

    fn reply_to(&mut self, request: &SentRequest) -> Option<Reply> {
        let asked = format!("{} {}", request.method, request.url);
        for (route, answered) in self.script.routes.iter().zip(&mut self.answered) {
            let reply = match route {
                Route::Pattern(pattern, replies) if matches(pattern, &asked) => {
                    let next = (*answered).min(replies.len().saturating_sub(1));
                    replies.get(next).cloned()
                }
                Route::Pattern(..) => None,
                Route::Function(function) => function(request),
            };
            if reply.is_some() {
                *answered += 1;
                return reply;
            }
        }
        None
    }

    /// What arrives next for a request of which so much has arrived already.
    pub(super) fn next_arrival(&self, name: Name, arrived: usize) -> Option<&Arrival> {
        self.flights.get(&name)?.get(arrived)
    }

    /// Who would do a child's work.
    pub(super) fn agent(&self, name: &str) -> Option<Agent> {
        self.script.agents.get(name).cloned()
    }

    /// Starts a child.
    pub(super) fn start(
        &mut self,
        name: Name,
        child: StartedChild,
        agent: &Agent,
        order: Order<'_>,
    ) {
        let starts_at = order.starts_at;
        let Delivery { takes, end } = agent(&order);
        let index = self.started.len();
        self.started.push(child);
        let growing = Growing {
            index,
            ends_at: starts_at.saturating_add(takes),
            end,
        };
        self.children.insert(name, growing);
    }

    /// When and how a child ends, if it does.
    pub(super) fn end_of(&self, name: Name) -> Option<(Millis, &ChildEnd)> {
        let child = self.children.get(&name)?;
        Some((child.ends_at, child.end.as_ref()?))
    }

    /// Asks a child to cancel, which it does at once.
    pub(super) fn cancel_child(&mut self, name: Name, now: Millis) {
        let Some(child) = self.children.get_mut(&name) else {
            return;
        };
        if child.end.is_some() && child.ends_at <= now {
            return;
        }
        child.ends_at = now;
        child.end = Some(ChildEnd::new(ChildState::Canceled));
        if let Some(started) = self.started.get_mut(child.index) {
            started.canceled = true;
        }
    }
}

fn matches(pattern: &str, asked: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => asked.starts_with(start),
        None => asked == pattern,
    }
}

fn nobody_answers(request: &SentRequest) -> OpError {
    let SentRequest { method, url, .. } = request;
    OpError::Denied(format!(
        "the test has no reply; add `.respond(\"{method} {url}\", Reply::..)`"
    ))
}

fn is_retried(reply: &Reply, timeout: Millis) -> bool {
    let no_response = matches!(reply.ending, Ending::NoResponse(OpError::Failed(_)));
    no_response || reply.delay > timeout || RETRIED.contains(&reply.status)
}

/// What a `Retry-After` header asks for.
fn retry_after(reply: &Reply) -> Option<Millis> {
    let head = reply.head();
    let seconds: u64 = head.header("retry-after")?.parse().ok()?;
    Some(seconds.saturating_mul(1_000))
}

fn failure(at: Millis, streamed: bool, error: OpError) -> Vec<Arrival> {
    let what = match streamed {
        true => Arrived::Piece(Piece::Failed(error)),
        false => Arrived::Response(Err(error)),
    };
    vec![Arrival { at, what }]
}

/// The whole response, once its last piece is there.
fn whole(reply: &Reply, at: Millis, timeout: Millis, largest: Option<u64>) -> Arrival {
    let pieces = u64::try_from(reply.pieces.len()).unwrap_or(u64::MAX);
    let takes = reply
        .delay
        .saturating_add(reply.spacing.saturating_mul(pieces));
    let body = reply.pieces.concat();
    let is_too_large = largest.is_some_and(|largest| body.len() as u64 > largest);
    let result = match &reply.ending {
        _ if takes > timeout => Err(OpError::TimedOut),
        Ending::NoResponse(error) | Ending::BreaksOff(error) => Err(error.clone()),
        Ending::Whole if is_too_large => {
            Err(OpError::LimitExceeded("bytes of a response".to_owned()))
        }
        Ending::Whole => Ok(Response {
            body,
            ..reply.head()
        }),
    };
    Arrival {
        at: at.saturating_add(takes.min(timeout)),
        what: Arrived::Response(result),
    }
}

/// The parts of the response to a stream, up to a silence that is too long.
fn pieces(reply: &Reply, at: Millis, timeout: Millis) -> Vec<Arrival> {
    let mut steps = Vec::new();
    match &reply.ending {
        Ending::NoResponse(error) => steps.push((reply.delay, Piece::Failed(error.clone()))),
        ending => {
            steps.push((reply.delay, Piece::Head(reply.head())));
            let data = reply.pieces.iter().cloned().map(Piece::Data);
            steps.extend(data.map(|piece| (reply.spacing, piece)));
            let last = match ending {
                Ending::BreaksOff(error) => Piece::Failed(error.clone()),
                _ => Piece::End,
            };
            steps.push((0, last));
        }
    }
    let (mut at, mut arrivals) = (at, Vec::new());
    for (silence, piece) in steps {
        let is_silent = silence > timeout;
        at = at.saturating_add(silence.min(timeout));
        let piece = if is_silent {
            Piece::Failed(OpError::TimedOut)
        } else {
            piece
        };
        arrivals.push(Arrival {
            at,
            what: Arrived::Piece(piece),
        });
        if is_silent {
            break;
        }
    }
    arrivals
}
