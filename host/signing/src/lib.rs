//! The host's own keys: they sign agent cards and notifications, and their public halves are published.
//!
//! Whoever has the public halves can tell that a card or a notification comes from this host and was not
//! changed on the way. `api` serves signed cards and the public halves, `notify` signs what it posts, and
//! the server opens the keys. This room knows keys and signatures; it knows neither HTTP nor tasks.

mod canonical;
mod card;
mod config;
mod error;
mod file;
mod key;
mod keyring;
#[cfg(test)]
mod tests;

pub use canonical::canonical_json;
pub use card::CardSignature;
pub use config::Config;
pub use error::Error;
pub use keyring::Keyring;
