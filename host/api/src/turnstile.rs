//! Turns between tenants at the door.
//!
//! What was sent stands in lines that know no tenants: for a processor, for the committer, for the sync. As long
//! as more than one tenant sends, each of them may therefore have a few sends in there at once, and its others
//! wait at the door: so nobody waits for long behind a flood of somebody else. Who is alone is not held up.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use taskyard_broker::Error;
use taskyard_clock::Clock;
use taskyard_task::Tenant;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Sends of one tenant that may be busy at once: some in a group commit, and some on their way to the next.
const PLACES: usize = 4;
/// How long a send counts as busy. What takes longer mostly waits for its worker, which keeps nobody up.
const BUSY: Duration = Duration::from_millis(5);
/// Sends of one tenant that may wait at the door. Further ones are refused.
const MAX_WAITING: usize = 1_024;
/// When it may be worth trying again then.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// How long a tenant is remembered that called.
const MEMORY: Duration = Duration::from_secs(10);
/// Tenants whose places are kept; beyond, those go that nobody uses.
const MAX_KEPT: usize = 1_024;

#[derive(Debug)]
pub(crate) struct Turnstile {
    state: Mutex<State>,
    clock: Clock,
}

#[derive(Debug, Default)]
struct State {
    /// Who called last.
    last: Option<Tenant>,
    /// When that was last somebody else than before.
    changed: Option<Instant>,
    places: HashMap<Tenant, Arc<Places>>,
}

/// What one tenant has.
#[derive(Debug)]
struct Places {
    free: Arc<Semaphore>,
    /// Where those wait that found none.
    room: Semaphore,
}

impl Turnstile {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            state: Mutex::default(),
            clock,
        }
    }

    /// Does `work` when the tenant has a place.
    ///
    /// # Errors
    /// [`Error::QueueFull`] if too many of its sends wait for one.
    pub(crate) async fn pass<T>(
        &self,
        tenant: &Tenant,
        work: impl Future<Output = T>,
    ) -> Result<T, Error> {
        let places = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.places(tenant, self.clock.instant())
        };
        let Some(places) = places else {
            return Ok(work.await);
        };
        let place = places.take().await?;
        // Only who waits keeps them.
        drop(places);
        let mut work = pin!(work);
        match tokio::time::timeout(BUSY, &mut work).await {
            Ok(done) => Ok(done),
            Err(_) => {
                drop(place);
                Ok(work.await)
            }
        }
    }
}

impl Places {
    fn new() -> Self {
        Self {
            free: Arc::new(Semaphore::new(PLACES)),
            room: Semaphore::new(MAX_WAITING),
        }
    }

    async fn take(&self) -> Result<OwnedSemaphorePermit, Error> {
        let full = || Error::QueueFull {
            what: "as many sends of the tenant wait at the door as may".to_owned(),
            retry_after: RETRY_AFTER,
        };
        let _room = self.room.try_acquire().map_err(|_| full())?;
        let place = Arc::clone(&self.free).acquire_owned().await;
        place.map_err(|_| full())
    }
}

impl State {
    /// The tenant's places; `None` if nobody else called for a while.
    fn places(&mut self, tenant: &Tenant, now: Instant) -> Option<Arc<Places>> {
        if self.last.as_ref() != Some(tenant) {
            self.changed = self.last.is_some().then_some(now);
            self.last = Some(tenant.clone());
        }
        let changed = self.changed?;
        if now.duration_since(changed) > MEMORY {
            return None;
        }
        if self.places.len() >= MAX_KEPT {
            self.places
                .retain(|_, places| Arc::strong_count(places) > 1);
        }
        let places = self.places.entry(tenant.clone());
        let places = places.or_insert_with(|| Arc::new(Places::new()));
        Some(Arc::clone(places))
    }
}

#[cfg(test)]
mod tests {
    use futures::poll;

    use super::*;

    fn tenant(name: &str) -> Tenant {
        name.parse().unwrap()
    }

    #[test]
    fn who_is_alone_is_not_held_up() {
        let (mut state, now) = (State::default(), Clock::default().instant());
        let a = tenant("a");
        assert!(state.places(&a, now).is_none());
        assert!(state.places(&a, now).is_none());
        assert!(state.places(&tenant("b"), now).is_some());
        assert!(state.places(&a, now + MEMORY).is_some());
        let later = now + MEMORY * 3;
        assert!(state.places(&a, later).is_none());
    }

    #[tokio::test]
    async fn a_flood_waits_at_the_door_and_others_do_not() {
        let turnstile = Turnstile::new(Clock::default());
        let (a, b) = (tenant("a"), tenant("b"));
        turnstile.pass(&a, async {}).await.unwrap();
        turnstile.pass(&b, async {}).await.unwrap();

        let forever = std::future::pending::<()>;
        let mut flood: Vec<_> = (0..PLACES + MAX_WAITING)
            .map(|_| Box::pin(turnstile.pass(&a, forever())))
            .collect();
        for send in &mut flood {
            assert!(poll!(send).is_pending());
        }
        let refused = turnstile.pass(&a, async {}).await;
        assert!(matches!(refused, Err(Error::QueueFull { .. })));
        turnstile.pass(&b, async {}).await.unwrap();

        flood.truncate(PLACES);
        let one_more = turnstile.pass(&a, async {});
        // Once those only wait for their workers, there is room.
        let flood = futures::future::join_all(flood);
        tokio::select! {
            _ = flood => unreachable!("they wait for ever"),
            passed = one_more => passed.unwrap(),
        }
    }
}
