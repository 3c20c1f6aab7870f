//! Random numbers that follow from the task's secret seed. Class: derived.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;

// Numbers of the ChaCha stream; whoever sees one stream can guess nothing about the others.
const SECURE: u64 = 0;
const INSECURE: u64 = 1;
const INSECURE_SEED: u64 = 2;
const NUMBERS: u64 = 3;

/// For `taskyard:worker/wait`.
pub(crate) struct Numbers(ChaCha20Rng);

impl Numbers {
    /// The numbers of a task with this seed.
    pub(super) fn new(seed: [u8; 32]) -> Self {
        Self(stream(seed, NUMBERS))
    }

    /// The next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// The next UUID (version 4).
    pub(crate) fn new_id(&mut self) -> String {
        let random = u128::from(self.next()) << 64 | u128::from(self.next());
        let bytes = random.to_be_bytes();
        uuid::Builder::from_random_bytes(bytes)
            .into_uuid()
            .to_string()
    }
}

/// For `wasi:random/random`. As good as the seed is secret.
pub(super) fn secure(seed: [u8; 32]) -> ChaCha20Rng {
    stream(seed, SECURE)
}

/// For `wasi:random/insecure`.
pub(super) fn insecure(seed: [u8; 32]) -> ChaCha20Rng {
    stream(seed, INSECURE)
}

/// For `wasi:random/insecure-seed`, from which Rust seeds its hash maps.
pub(super) fn insecure_seed(seed: [u8; 32]) -> u128 {
    let mut numbers = stream(seed, INSECURE_SEED);
    u128::from(numbers.next_u64()) << 64 | u128::from(numbers.next_u64())
}

fn stream(seed: [u8; 32], number: u64) -> ChaCha20Rng {
    let mut numbers = ChaCha20Rng::from_seed(seed);
    numbers.set_stream(number);
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A replay depends on these very numbers.
    #[test]
    fn the_streams_are_fixed() {
        let seed = [7; 32];
        assert_eq!(secure(seed).next_u64(), secure(seed).next_u64());
        assert_ne!(secure(seed).next_u64(), insecure(seed).next_u64());
        let numbers = [secure(seed).next_u64(), insecure(seed).next_u64()];
        assert_eq!(
            numbers,
            [4_753_173_749_397_848_308, 17_250_399_114_163_879_021]
        );
        let seed = insecure_seed(seed);
        assert_eq!(seed, 268_327_656_707_228_868_863_500_074_006_208_451_264);
    }
}
