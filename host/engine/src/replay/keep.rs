//! State under keys, and results of expensive work.

use taskyard_task::kv::{MAX_KEY_BYTES, MAX_LISTED, MAX_VALUE_BYTES};
use taskyard_task::{Event, StateCall, StateResult};

use super::gate::Gate;
use super::stop::{CallError, Refusal, Stop};

/// The longest label of kept work, in bytes.
const MAX_LABEL_BYTES: usize = 128;

impl Gate {
    /// Reads or writes state.
    ///
    /// # Errors
    /// Refused if the call is wrong or the scope is full; stopped if the log says otherwise or is not to
    /// be had.
    pub(crate) async fn state(&mut self, call: StateCall) -> Result<StateResult, CallError> {
        check(&call)?;
        self.budget.admit_entry()?;
        let did = Event::State {
            call: Box::new(call.clone()),
            result: StateResult::Found(None),
        };
        let result = match self.meet(&did).await? {
            Some((_, Event::State { result, .. })) => result,
            Some(_) => StateResult::Found(None),
            None => {
                self.go_live()?;
                let (seq, at, result) = self.log.state(call).await.map_err(Stop::from)?;
                self.budget.count(&did);
                self.appended(seq, at);
                result
            }
        };
        match result {
            StateResult::Full { limit } => {
                Err(Refusal::Limit(format!("keys of a scope: {limit}")).into())
            }
            result => Ok(result),
        }
    }

    /// The kept result of this work, if the log has it right here.
    ///
    /// # Errors
    /// Stopped if the log is not to be had.
    pub(crate) async fn recall(&mut self, label: &str, input: u64) -> Result<Option<Vec<u8>>, Stop> {
        let is_here = matches!(
            self.journal.next().map(|logged| &logged.event),
            Some(Event::Kept { label: kept, input: on, .. }) if kept == label && *on == input
        );
        if !is_here {
            return Ok(None);
        }
        match self.pass().await? {
            Event::Kept { value, .. } => Ok(Some(value)),
            _ => Ok(None),
        }
    }

    /// Keeps the result of expensive work.
    ///
    /// # Errors
    /// Like an effect.
    pub(crate) async fn keep(
        &mut self,
        label: String,
        input: u64,
        value: Vec<u8>,
    ) -> Result<(), CallError> {
        if label.len() > MAX_LABEL_BYTES {
            let problem = format!("a label has at most {MAX_LABEL_BYTES} bytes");
            return Err(Refusal::Invalid(problem).into());
        }
        self.effect(Event::Kept {
            label,
            input,
            value,
        })
        .await?;
        Ok(())
    }
}

fn check(call: &StateCall) -> Result<(), Refusal> {
    let refuse = |problem: String| Err(Refusal::Invalid(problem));
    match call {
        StateCall::Get { key, .. } | StateCall::Put { key, .. }
            if key.is_empty() || key.len() > MAX_KEY_BYTES || key.contains('\0') =>
        {
            refuse(format!(
                "a key has between 1 and {MAX_KEY_BYTES} bytes and no zero byte"
            ))
        }
        StateCall::Put {
            value: Some(value), ..
        } if value.len() > MAX_VALUE_BYTES => {
            refuse(format!("a value has at most {MAX_VALUE_BYTES} bytes"))
        }
        StateCall::Keys {
            prefix,
            after,
            limit,
            ..
        } => {
            let long = |text: &str| text.len() > MAX_KEY_BYTES || text.contains('\0');
            if long(prefix) || after.as_deref().is_some_and(long) {
                return refuse(format!("a key has at most {MAX_KEY_BYTES} bytes"));
            }
            if !(1..=MAX_LISTED).contains(limit) {
                return refuse(format!("a limit is between 1 and {MAX_LISTED}"));
            }
            Ok(())
        }
        _ => Ok(()),
    }
}
