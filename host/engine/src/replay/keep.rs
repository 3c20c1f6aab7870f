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
    pub(crate) async fn recall(
        &mut self,
        label: &str,
        input: u64,
    ) -> Result<Option<Vec<u8>>, Stop> {
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use taskyard_task::{Entry, Expected, Seq, StateScope, Stored};

    use super::*;
    use crate::replay::Opening;
    use crate::replay::world::{Script, World};

    fn get(key: &str) -> StateCall {
        StateCall::Get {
            scope: StateScope::Tenant,
            key: key.to_owned(),
        }
    }

    fn put(key: &str, value: Vec<u8>) -> StateCall {
        StateCall::Put {
            scope: StateScope::Tenant,
            key: key.to_owned(),
            value: Some(value.into()),
            ttl_ms: None,
            expected: Expected::Anything,
        }
    }

    fn keys(prefix: &str, limit: u32) -> StateCall {
        StateCall::Keys {
            scope: StateScope::Tenant,
            prefix: prefix.to_owned(),
            after: None,
            limit,
        }
    }

    async fn run(world: &World) -> Gate {
        let header = world.lease();
        let opening = Opening::of(&header, Duration::from_secs(1));
        let it = world.of_run(&header);
        let (log, network) = (Arc::new(it.clone()), Arc::new(it));
        let gate = Gate::open(log, network, world.clock.clone(), opening).await;
        gate.unwrap().0
    }

    #[tokio::test]
    async fn a_replay_sees_what_was_there_then() {
        let world = World::new(Script::default());
        for _ in 1..=3 {
            let mut gate = run(&world).await;
            let first = gate.state(get("k")).await.unwrap();
            assert_eq!(first, StateResult::Found(None));
            let wrote = gate.state(put("k", vec![1])).await.unwrap();
            assert_eq!(wrote, StateResult::Written(1));
            let stored = Stored {
                value: vec![1],
                version: 1,
                expires_at: None,
            };
            let second = gate.state(get("k")).await.unwrap();
            assert_eq!(second, StateResult::Found(Some(stored)));
            assert!(!gate.is_replaying());
        }
        assert_eq!(world.journaled().len(), 3);

        let other = run(&world).await.state(get("other")).await;
        assert!(
            matches!(other, Err(CallError::Stopped(Stop::Mismatch(_)))),
            "{other:?}"
        );
    }

    /// The log as a host of format 3 wrote it, which had one nil for both.
    fn as_format_3(log: Vec<(Seq, Entry)>) -> Vec<(Seq, Entry)> {
        let old = serde_json::to_string(&log).unwrap();
        let old = old.replace(r#""expected":"nothing""#, r#""expected":null"#);
        let old = old.replace(r#""expected":"anything""#, r#""expected":null"#);
        serde_json::from_str(&old).unwrap()
    }

    #[tokio::test]
    async fn logs_that_do_not_tell_nothing_from_anything_replay() {
        let expecting = |expected: Expected| {
            let StateCall::Put {
                scope,
                key,
                value,
                ttl_ms,
                ..
            } = put("k", vec![1])
            else {
                unreachable!("it is a put");
            };
            StateCall::Put {
                scope,
                key,
                value,
                ttl_ms,
                expected,
            }
        };
        for did in [Expected::Nothing, Expected::Anything] {
            let world = World::new(Script::default());
            let wrote = run(&world).await.state(expecting(did)).await.unwrap();
            assert_eq!(wrote, StateResult::Written(1));
            let log = as_format_3(world.log());
            let old = World::recorded(world.header(), log);
            let mut gate = run(&old).await;
            assert_eq!(gate.state(expecting(did)).await.unwrap(), wrote);
            assert!(!gate.is_replaying());
            let other = run(&old).await.state(expecting(Expected::Version(1))).await;
            assert!(
                matches!(other, Err(CallError::Stopped(Stop::Mismatch(_)))),
                "{other:?}"
            );
        }
    }

    #[tokio::test]
    async fn wrong_calls_are_refused_and_leave_no_entry() {
        let world = World::new(Script::default());
        let mut gate = run(&world).await;
        let long = "k".repeat(MAX_KEY_BYTES + 1);
        let wrong = [
            get(""),
            get("a\0b"),
            get(&long),
            put("", Vec::new()),
            put("k", vec![0; MAX_VALUE_BYTES + 1]),
            keys(&long, 1),
            keys("", 0),
            keys("", MAX_LISTED + 1),
        ];
        for call in wrong {
            let refused = gate.state(call).await;
            assert!(
                matches!(refused, Err(CallError::Refused(Refusal::Invalid(_)))),
                "{refused:?}"
            );
        }
        let label = "l".repeat(MAX_LABEL_BYTES + 1);
        let refused = gate.keep(label, 0, Vec::new()).await;
        assert!(matches!(refused, Err(CallError::Refused(_))));
        assert_eq!(world.journaled(), []);
        let right = [
            get(&"k".repeat(MAX_KEY_BYTES)),
            put("k", vec![0; MAX_VALUE_BYTES]),
            keys("", MAX_LISTED),
        ];
        for call in right {
            gate.state(call).await.unwrap();
        }
    }

    #[tokio::test]
    async fn work_is_done_once() {
        let world = World::new(Script::default());
        let mut done = 0;
        for _ in 1..=3 {
            let mut gate = run(&world).await;
            // The same work on something else, and again in another place.
            for input in [1, 2, 1] {
                let value = match gate.recall("work", input).await.unwrap() {
                    Some(value) => value,
                    None => {
                        done += 1;
                        gate.keep("work".to_owned(), input, vec![9]).await.unwrap();
                        vec![9]
                    }
                };
                assert_eq!(value, [9]);
            }
        }
        assert_eq!(done, 3);

        let mut gate = run(&world).await;
        assert_eq!(gate.recall("other", 1).await.unwrap(), None);
        let other = gate.keep("other".to_owned(), 1, Vec::new()).await;
        assert!(matches!(other, Err(CallError::Stopped(Stop::Mismatch(_)))));
    }
}
