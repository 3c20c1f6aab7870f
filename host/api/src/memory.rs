//! What requests and answers may hold in memory: one budget for the host, and a share of it for each tenant.
//!
//! Bytes count while somebody else decides how long they stay: a body while it arrives, what was read of it
//! until the operation is done, an answer until its client has taken it. Beyond the budget a request is refused
//! and may be sent again later; nothing that was accepted is given up.

use std::collections::HashMap;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::response::Response;
use http_body::{Frame, SizeHint};
use metrics::{Counter, Gauge, counter, gauge};
use taskyard_task::Tenant;

/// A tenant may hold the budget divided by this.
const SHARES: u64 = 2;
/// Answers that are no larger do not count: a connection has buffers of that size.
const SMALL_ANSWER_BYTES: usize = 64 << 10;

/// The budget of a host. Cheap to clone.
#[derive(Clone)]
pub struct Memory(Arc<Budget>);

struct Budget {
    bytes: u64,
    held: Mutex<Held>,
    gauges: [Gauge; Holder::ALL.len()],
    refused: [Counter; Full::ALL.len()],
}

#[derive(Debug, Default)]
struct Held {
    bytes: u64,
    by_tenant: HashMap<Tenant, u64>,
    by_holder: [u64; Holder::ALL.len()],
}

/// What holds memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holder {
    /// Requests, as they arrive and as they were read.
    Requests,
    /// Answers that are whole in memory before they are written.
    Answers,
    /// Events that are not taken yet.
    Streams,
}

/// Why nothing more can be held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Full {
    /// All tenants together hold the budget.
    #[error("the host's memory for requests is taken (memory.budget_bytes)")]
    Host,
    /// The tenant holds its share.
    #[error(
        "the tenant's share of the host's memory for requests is taken; its other requests must end first"
    )]
    Tenant,
}

impl Holder {
    const ALL: [Self; 3] = [Self::Requests, Self::Answers, Self::Streams];

    fn word(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Answers => "answers",
            Self::Streams => "streams",
        }
    }
}

impl Full {
    const ALL: [Self; 2] = [Self::Host, Self::Tenant];

    fn word(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Tenant => "tenant",
        }
    }
}

impl Memory {
    /// A budget of so many bytes.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        gauge!("taskyard_memory_budget_bytes").set(bytes as f64);
        let gauges = Holder::ALL
            .map(|holder| gauge!("taskyard_memory_held_bytes", "holder" => holder.word()));
        for gauge in &gauges {
            gauge.set(0.0);
        }
        let refused = Full::ALL
            .map(|full| counter!("taskyard_memory_refused_total", "budget" => full.word()));
        for counter in &refused {
            counter.absolute(0);
        }
        Self(Arc::new(Budget {
            bytes,
            held: Mutex::default(),
            gauges,
            refused,
        }))
    }

    /// An account that holds nothing yet.
    pub(crate) fn account(&self, tenant: &Tenant, holder: Holder) -> Account {
        Account {
            memory: self.clone(),
            tenant: tenant.clone(),
            holder,
            bytes: 0,
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, account: &Account, bytes: u64, may_refuse: bool) -> Result<(), Full> {
        let mut held = self.held();
        let of_tenant = held.by_tenant.get(&account.tenant);
        let of_tenant = others(of_tenant.copied().unwrap_or_default(), account) + bytes;
        let of_all = others(held.bytes, account) + bytes;
        if may_refuse && bytes > account.bytes {
            if of_tenant > self.0.bytes / SHARES {
                return Err(self.refuse(Full::Tenant));
            }
            if of_all > self.0.bytes {
                return Err(self.refuse(Full::Host));
            }
        }
        held.bytes = of_all;
        match of_tenant {
            0 => held.by_tenant.remove(&account.tenant),
            some => held.by_tenant.insert(account.tenant.clone(), some),
        };
        let holder = account.holder as usize;
        if let Some(of_holder) = held.by_holder.get_mut(holder) {
            *of_holder = others(*of_holder, account) + bytes;
            if let Some(gauge) = self.0.gauges.get(holder) {
                gauge.set(*of_holder as f64);
            }
        }
        Ok(())
    }

    fn refuse(&self, full: Full) -> Full {
        if let Some(counter) = self.0.refused.get(full as usize) {
            counter.increment(1);
        }
        full
    }
}

fn others(all: u64, account: &Account) -> u64 {
    all.saturating_sub(account.bytes)
}

/// What one request, answer or stream holds; given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Account {
    memory: Memory,
    tenant: Tenant,
    holder: Holder,
    bytes: u64,
}

impl Account {
    /// Holds exactly `bytes` from now on.
    ///
    /// # Errors
    /// If that is more than before and there is no room for it; what was held is still held then.
    pub(crate) fn hold(&mut self, bytes: usize) -> Result<(), Full> {
        self.set(bytes as u64, true)
    }

    /// Holds `bytes` from now on, for what is there already and cannot be refused any more. Others are refused
    /// instead, until there is room again.
    pub(crate) fn hold_anyway(&mut self, bytes: usize) {
        // Nothing is refused.
        let _ = self.set(bytes as u64, false);
    }

    fn set(&mut self, bytes: u64, may_refuse: bool) -> Result<(), Full> {
        if bytes != self.bytes {
            self.memory.change(self, bytes, may_refuse)?;
            self.bytes = bytes;
        }
        Ok(())
    }

    /// Holds the body of `response`, if it is whole in memory, until it is written.
    pub(crate) fn until_written(mut self, response: Response) -> Response {
        let bytes = response.body().size_hint().exact().unwrap_or_default();
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        if bytes <= SMALL_ANSWER_BYTES {
            return response;
        }
        self.hold_anyway(bytes);
        response.map(|body| {
            Body::new(Written {
                body,
                _account: self,
            })
        })
    }
}

/// A body that counts until it is written.
#[derive(Debug)]
struct Written {
    body: Body,
    _account: Account,
}

impl HttpBody for Written {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.hold_anyway(0);
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Held {
            bytes, by_holder, ..
        } = &*self.held();
        f.debug_struct("Memory")
            .field("budget", &self.0.bytes)
            .field("held", bytes)
            .field("by_holder", by_holder)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tenant(name: &str) -> Tenant {
        name.parse().unwrap()
    }

    #[test]
    fn a_tenant_has_a_share_and_all_have_the_budget() {
        let memory = Memory::new(100);
        let mut a = memory.account(&tenant("a"), Holder::Requests);
        let mut more_of_a = memory.account(&tenant("a"), Holder::Answers);
        assert_eq!(a.hold(50), Ok(()));
        assert_eq!(more_of_a.hold(1), Err(Full::Tenant));
        let mut b = memory.account(&tenant("b"), Holder::Requests);
        assert_eq!(b.hold(50), Ok(()));
        let mut c = memory.account(&tenant("c"), Holder::Requests);
        assert_eq!(c.hold(1), Err(Full::Host));
        drop(b);
        assert_eq!(c.hold(1), Ok(()));
        assert_eq!(a.hold(49), Ok(()));
        assert_eq!(more_of_a.hold(1), Ok(()));
    }

    #[test]
    fn what_is_there_already_counts_and_is_not_refused() {
        let memory = Memory::new(100);
        let large = || Response::new(Body::from(vec![7; SMALL_ANSWER_BYTES + 1]));
        let answer = memory
            .account(&tenant("a"), Holder::Answers)
            .until_written(large());
        assert_eq!(memory.held().bytes, SMALL_ANSWER_BYTES as u64 + 1);
        let mut other = memory.account(&tenant("b"), Holder::Requests);
        assert_eq!(other.hold(1), Err(Full::Host));
        drop(answer);
        assert_eq!(other.hold(1), Ok(()));
    }

    #[test]
    fn who_is_refused_keeps_what_it_has() {
        let memory = Memory::new(100);
        let mut account = memory.account(&tenant("a"), Holder::Streams);
        assert_eq!(account.hold(40), Ok(()));
        assert_eq!(account.hold(51), Err(Full::Tenant));
        assert_eq!(memory.held().bytes, 40);
    }

    proptest! {
        #[test]
        fn what_is_held_is_the_sum_and_within_the_budget(
            steps in prop::collection::vec((0..6usize, 0..80usize), 0..60),
        ) {
            let memory = Memory::new(100);
            let mut accounts: Vec<_> = (0..6)
                .map(|n| memory.account(&tenant(["a", "b", "c"][n % 3]), Holder::ALL[n % 2]))
                .collect();
            for (which, bytes) in steps {
                let _ = accounts[which].hold(bytes);
                let sum: u64 = accounts.iter().map(|account| account.bytes).sum();
                let held = memory.held();
                prop_assert_eq!(held.bytes, sum);
                prop_assert_eq!(held.by_holder.iter().sum::<u64>(), sum);
                prop_assert_eq!(held.by_tenant.values().sum::<u64>(), sum);
                prop_assert!(sum <= 100 && held.by_tenant.values().all(|of| *of <= 50));
            }
            accounts.clear();
            let held = memory.held();
            prop_assert_eq!(held.bytes, 0);
            prop_assert!(held.by_tenant.is_empty());
        }
    }
}
