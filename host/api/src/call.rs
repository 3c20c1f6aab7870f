//! One admitted call: who asks whom for what, whatever the binding.

use std::future::Future;
use std::sync::Arc;

use axum::http::request::Parts;
use taskyard_broker::{Broker, Caller};
use taskyard_task::Agent;

use crate::Door;
use crate::error::ApiError;
use crate::gate::Access;
use crate::operation::Operation;
use crate::parameters::{Parameters, Version};
use crate::target::Target;
use crate::trace::RequestId;

const OTHER_TENANT: &str = "these credentials are not for the tenant that the request names";
const OUT_OF_SCOPE: &str = "these credentials are not for this operation, or not for this agent";

/// A call that passed the gate, and all that an operation needs to know about it.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) door: Arc<Door>,
    pub(crate) caller: Caller,
    pub(crate) agent: Agent,
    /// Whom the request named.
    pub(crate) target: Target,
    /// Whether the credentials are for more than looking.
    pub(crate) may_write: bool,
    /// Which version and extensions it uses.
    pub(crate) parameters: Parameters,
    pub(crate) head: Parts,
}

/// What a request may do, as far as it can be told before its body is read.
pub(crate) fn check_scope(access: &Access, operation: Operation) -> Result<(), ApiError> {
    match access.may(operation) {
        true => Ok(()),
        false => Err(ApiError::Forbidden(OUT_OF_SCOPE)),
    }
}

impl Call {
    /// The way in of every binding, behind the gate: whose call it is, to which agent, and whether it may.
    ///
    /// # Errors
    /// If the target is malformed, unknown or somebody else's, or an extension is missing that the agent
    /// requires.
    pub(crate) fn enter(
        door: &Arc<Door>,
        head: Parts,
        access: Access,
        target: Target,
        operation: Operation,
        parameters: Parameters,
    ) -> Result<Self, ApiError> {
        let version = parameters.version;
        let (caller, agent) = Self::admit(door, &head, &access, &target, operation, version)?;
        parameters.check_required(door.config.required_extensions_of(&agent.name))?;
        Ok(Self {
            door: Arc::clone(door),
            caller,
            agent,
            target,
            may_write: access.may(Operation::CreatePushConfig),
            parameters,
            head,
        })
    }

    /// Whose call to which agent `target` means, if it may be made. Where the path alone is the target, this
    /// is asked before the body is read.
    ///
    /// # Errors
    /// If the target is malformed, unknown or somebody else's, or the credentials are not for it.
    pub(crate) fn admit(
        door: &Door,
        head: &Parts,
        access: &Access,
        target: &Target,
        operation: Operation,
        version: Version,
    ) -> Result<(Caller, Agent), ApiError> {
        target.check(door, head)?;
        // To a client of another tenant, a tenant's tasks do not exist (A2A 3.3.2).
        let foreign = || match operation.is_about_a_task() {
            true => ApiError::TaskNotFound,
            false => ApiError::Forbidden(OTHER_TENANT),
        };
        let caller = access.caller(target.tenant()?).ok_or_else(foreign)?;
        let agent = target.agent(door, head, version)?;
        match access.allows(operation, &agent.name) {
            true => Ok((caller, agent)),
            false => Err(ApiError::Forbidden(OUT_OF_SCOPE)),
        }
    }

    pub(crate) fn broker(&self) -> &Broker {
        &self.door.broker
    }

    pub(crate) fn request_id(&self) -> RequestId {
        RequestId::of(&self.head)
    }

    /// Waits for the broker, but not beyond the beginning of a shutdown: the client is told to come
    /// back, and the task goes on after the restart.
    pub(crate) async fn unless_stopping<T, E: Into<ApiError>>(
        &self,
        waiting: impl Future<Output = Result<T, E>>,
    ) -> Result<T, ApiError> {
        let stopping = self.door.stopping.cancelled();
        tokio::select! {
            done = waiting => done.map_err(E::into),
            () = stopping => Err(ApiError::stopping()),
        }
    }
}
