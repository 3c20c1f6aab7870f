//! `taskyard:worker/state`: small values under keys that outlive a run.

use taskyard_task::kv::MAX_LISTED;
use taskyard_task::{Expected, StateCall, StateResult, StateScope, Stored};

use super::Ctx;
use crate::bindings::taskyard::worker::state::{Entry, Host, Scope, SwapResult};
use crate::replay::{CallError, Stop};

impl Host for Ctx {
    async fn get(&mut self, scope: Scope, key: String) -> Result<Option<Entry>, CallError> {
        let gate = self.journaled("taskyard:worker/state.get")?;
        let scope = scope.into();
        match gate.state(StateCall::Get { scope, key }).await? {
            StateResult::Found(stored) => Ok(stored.map(Entry::from)),
            other => Err(unfitting(&other)),
        }
    }

    async fn put(
        &mut self,
        scope: Scope,
        key: String,
        value: Vec<u8>,
        ttl: Option<u64>,
    ) -> Result<u64, CallError> {
        let gate = self.journaled("taskyard:worker/state.put")?;
        let put = write(scope, key, Some(value), ttl, Expected::Anything);
        match gate.state(put).await? {
            StateResult::Written(version) => Ok(version),
            other => Err(unfitting(&other)),
        }
    }

    async fn delete(&mut self, scope: Scope, key: String) -> Result<(), CallError> {
        let gate = self.journaled("taskyard:worker/state.delete")?;
        gate.state(write(scope, key, None, None, Expected::Anything))
            .await?;
        Ok(())
    }

    async fn swap(
        &mut self,
        scope: Scope,
        key: String,
        expected: Option<u64>,
        value: Vec<u8>,
        ttl: Option<u64>,
    ) -> Result<SwapResult, CallError> {
        let gate = self.journaled("taskyard:worker/state.swap")?;
        let swap = write(scope, key, Some(value), ttl, expected.into());
        match gate.state(swap).await? {
            StateResult::Written(version) => Ok(SwapResult::Swapped(version)),
            StateResult::Stale(stored) => Ok(SwapResult::Stale(stored.map(Entry::from))),
            other => Err(unfitting(&other)),
        }
    }

    async fn keys(
        &mut self,
        scope: Scope,
        prefix: String,
        after: Option<String>,
        limit: u32,
    ) -> Result<Vec<String>, CallError> {
        let gate = self.journaled("taskyard:worker/state.keys")?;
        let keys = StateCall::Keys {
            scope: scope.into(),
            prefix,
            after,
            limit: limit.min(MAX_LISTED),
        };
        match gate.state(keys).await? {
            StateResult::Keys(keys) => Ok(keys),
            other => Err(unfitting(&other)),
        }
    }
}

fn write(
    scope: Scope,
    key: String,
    value: Option<Vec<u8>>,
    ttl_ms: Option<u64>,
    expected: Expected,
) -> StateCall {
    StateCall::Put {
        scope: scope.into(),
        key,
        value: value.map(Into::into),
        ttl_ms,
        expected,
    }
}

/// The host never answers so; a log that says it did is not one of its own.
fn unfitting(result: &StateResult) -> CallError {
    let kind = match result {
        StateResult::Found(_) => "a value",
        StateResult::Written(_) => "a write",
        StateResult::Stale(_) => "a refused write",
        StateResult::Keys(_) => "keys",
        StateResult::Full { .. } => "a full scope",
    };
    Stop::Incompatible(format!("the log answers another call, with {kind}")).into()
}

impl From<Stored> for Entry {
    fn from(stored: Stored) -> Self {
        Self {
            value: stored.value,
            version: stored.version,
        }
    }
}

impl From<Scope> for StateScope {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::Task => Self::Task,
            Scope::Context => Self::Context,
            Scope::Plugin => Self::Plugin,
            Scope::Tenant => Self::Tenant,
        }
    }
}
