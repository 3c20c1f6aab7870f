//! `GetExtendedAgentCard` (A2A 3.1.11).

use a2a::GetExtendedAgentCardRequest;
use serde_json::Value;

use super::{Answer, Plain, request};
use crate::call::Call;
use crate::card::{self, Card, Reader};
use crate::error::ApiError;
use crate::lenient::requests::GET_EXTENDED_CARD;

/// The card for callers that showed who they are: with the skills that the operator keeps from others.
/// Where nothing is private it says the same as the public one. Where anybody may call there is no such
/// card (A2A 13.3), and where the operator made private what the agent does not have, there is nothing to
/// show (A2A 3.3.4).
pub(crate) async fn extended(call: Call, params: Option<Value>) -> Result<Answer, ApiError> {
    let _: GetExtendedAgentCardRequest = request(&GET_EXTENDED_CARD, params)?;
    let door = &call.door;
    if door.gate.is_open() {
        let problem = "this host knows no clients, so it has no extended agent card";
        return Err(ApiError::UnsupportedOperation(problem.to_owned()));
    }
    if card::lacks_extended(door, &call.agent) {
        return Err(ApiError::ExtendedCardNotConfigured);
    }
    let card = Card::new(door, &call.agent, &call.target, &call.head, Reader::Caller);
    Ok(Plain::Card(Box::new(card.signed(&door.keys)?)).into())
}
