//! Bounds the memory and the tables of an instance.

use wasmtime::ResourceLimiter;

use crate::sandbox::{
    CORE_INSTANCES_PER_WORKER, MEMORIES_PER_WORKER, TABLE_ELEMENTS, TABLES_PER_WORKER,
};

/// What one instance may hold. A worker can observe all of it, so nothing here may depend on how
/// busy the host is.
pub(crate) struct Limiter {
    memory_bytes: usize,
    used_bytes: usize,
    refused: bool,
}

impl Limiter {
    /// Allows `memory_bytes` of linear memory in total.
    pub(crate) fn new(memory_bytes: u64) -> Self {
        Self {
            memory_bytes: usize::try_from(memory_bytes).unwrap_or(usize::MAX),
            used_bytes: 0,
            refused: false,
        }
    }

    /// The limit, if memory was ever refused.
    pub(crate) fn exceeded(&self) -> Option<usize> {
        self.refused.then_some(self.memory_bytes)
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        // What the memory's own type forbids fails anyway, and uses nothing.
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let growth = desired.saturating_sub(current);
        let wanted = self.used_bytes.saturating_add(growth);
        if wanted > self.memory_bytes {
            self.refused = true;
            return Ok(false);
        }
        self.used_bytes = wanted;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE_ELEMENTS)
    }

    fn instances(&self) -> usize {
        CORE_INSTANCES_PER_WORKER as usize
    }

    fn tables(&self) -> usize {
        TABLES_PER_WORKER as usize
    }

    fn memories(&self) -> usize {
        MEMORIES_PER_WORKER as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_share_the_limit_and_a_refusal_is_remembered() {
        let mut limiter = Limiter::new(100);
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        assert!(limiter.memory_growing(0, 40, None).unwrap());
        assert_eq!(limiter.exceeded(), None);
        assert!(!limiter.memory_growing(40, 41, None).unwrap());
        assert_eq!(limiter.exceeded(), Some(100));
    }
}
