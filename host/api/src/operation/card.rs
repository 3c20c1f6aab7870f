//! `GetExtendedAgentCard` (A2A 3.1.11).

use a2a::GetExtendedAgentCardRequest;
use serde_json::Value;

use super::{Answer, Plain, request};
use crate::call::Call;
use crate::card;
use crate::error::ApiError;
use crate::lenient::requests::GET_EXTENDED_CARD;

/// The card for callers that showed who they are. It says the same as the public one: the host keeps
/// nothing back. Where anybody may call there is no such card (A2A 13.3).
pub(crate) async fn extended(call: Call, params: Option<Value>) -> Result<Answer, ApiError> {
    let _: GetExtendedAgentCardRequest = request(&GET_EXTENDED_CARD, params)?;
    if call.door.gate.is_open() {
        let problem = "this host knows no clients, so it has no extended agent card";
        return Err(ApiError::UnsupportedOperation(problem.to_owned()));
    }
    let card = card::build(&call.door, &call.agent, &call.target, &call.head);
    Ok(Plain::Card(Box::new(card)).into())
}
