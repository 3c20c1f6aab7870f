//! New identifiers and secret random numbers: the system's, or the same ones in every test run.

use std::sync::{Arc, Mutex, PoisonError};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use taskyard_task::{Partition, TaskId};
use uuid::Uuid;

/// Makes identifiers and seeds. Cheap to clone; clones share what a seeded source still has to give.
#[derive(Debug, Clone, Default)]
pub struct IdSource(Option<Arc<Mutex<StdRng>>>);

impl IdSource {
    /// Unpredictable ones.
    #[must_use]
    pub fn system() -> Self {
        Self(None)
    }

    /// The same sequence for the same seed.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self(Some(Arc::new(Mutex::new(StdRng::seed_from_u64(seed)))))
    }

    /// A new task id in `partition`, or in any. Ids of the system begin with the time, so that tasks of
    /// the same age are neighbours on disk.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one source")]
    pub fn task_id(&self, partition: Option<Partition>) -> TaskId {
        let fresh = match &self.0 {
            None => Uuid::now_v7(),
            Some(_) => Uuid::from_bytes(self.random()),
        };
        let any = || Partition::of_hash(self.random::<1>()[0]);
        TaskId::new(fresh, partition.unwrap_or_else(any))
    }

    /// A new identifier for anything else.
    #[must_use]
    pub fn unique(&self) -> String {
        Uuid::from_bytes(self.random()).to_string()
    }

    /// Random bytes, fit for secrets.
    #[must_use]
    pub fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        match &self.0 {
            None => rand::rng().fill_bytes(&mut bytes),
            Some(rng) => rng
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .fill_bytes(&mut bytes),
        }
        bytes
    }

    /// A random number from 0 to `most`.
    #[must_use]
    pub fn up_to(&self, most: u32) -> u32 {
        ((u64::from(u32::from_le_bytes(self.random())) * (u64::from(most) + 1)) >> 32) as u32
    }
}
