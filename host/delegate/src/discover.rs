//! Finds a remote agent by its address.

use a2a::error_code;
use bytes::Bytes;
use serde_json::Value;
use taskyard_outbound::Request;
use taskyard_task::HttpResponse;
use url::Url;

use crate::card::{self, Card, Places};
use crate::carrier::Carrier;
use crate::line::{fetch, header};
use crate::problem::{Problem, cut, of_request, of_status};

/// What an address has instead of a card.
const CARD: &str = "an agent card";

/// The agent at `address`: that of a host, of an agent, of its card, or one that the card of its host names.
///
/// # Errors
/// Why there is none: what was found instead, or what is wrong with its card.
pub(crate) async fn find(carrier: &impl Carrier, address: &str) -> Result<Card, Problem> {
    let Places {
        address,
        own,
        of_origin,
    } = card::places(address)?;
    let missing = match look(carrier, own).await {
        Ok((found, card)) => return read(&found, &card, None),
        Err(problem) => problem,
    };
    // A server that has no card there, or fails or redirects at a path that it knows nothing of, may have one for
    // the whole host.
    let Some(of_origin) = of_origin else {
        return Err(missing);
    };
    match look(carrier, of_origin).await {
        Ok((found, card)) if card::names(&card, &found, &address) => {
            read(&found, &card, Some(&address))
        }
        Err(problem @ Problem::Unclear(_)) if !matches!(missing, Problem::Unclear(_)) => {
            Err(problem)
        }
        Ok(_) => Err(missing.with("and the card of its host names other addresses")),
        Err(_) => Err(missing),
    }
}

/// A card at `url`, right or wrong, and where it is.
///
/// # Errors
/// Why there is none.
async fn look(carrier: &impl Carrier, url: Url) -> Result<(Url, Value), Problem> {
    let mut wanted = Request::new("GET", url.as_str(), Bytes::new());
    wanted.headers.push(header("accept", "application/json"));
    let (url, answer) = fetch(carrier, wanted).await.map_err(of_request)?;
    let HttpResponse { head, body } = answer;
    let document = taskyard_json::from_slice::<Value>(&body).ok();
    match (head.status, document) {
        (200..300, Some(card)) if card::is_card(&card) => match Url::parse(&url) {
            Ok(url) => Ok((url, card)),
            Err(error) => Err(Problem::Denied(error.to_string())),
        },
        (status, document) => {
            let problem = Problem::from(of_status(status, CARD));
            Err(said(problem, document.as_ref()))
        }
    }
}

/// The problem in the server's own words, if it has some: a host knows where its agents are.
fn said(problem: Problem, document: Option<&Value>) -> Problem {
    let message = document.and_then(|document| document.pointer("/error/message")?.as_str());
    match message {
        Some(message) => problem.with(&cut(message)),
        None => problem,
    }
}

fn read(found: &Url, document: &Value, named: Option<&Url>) -> Result<Card, Problem> {
    card::read(document, found, named).map_err(|problem| Problem::Refused {
        code: error_code::VERSION_NOT_SUPPORTED,
        reason: format!("its card at {found} cannot be used: {problem}"),
    })
}
