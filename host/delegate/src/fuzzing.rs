//! Where `fuzz/` reaches what reads bytes of others: functions that take anything, must not panic, and
//! check what must hold. The corpus of each is walked by an ordinary test there.

use url::Url;

use crate::card;

/// An agent card from another host.
pub fn card(bytes: &[u8]) {
    let Ok(value) = taskyard_json::from_slice(bytes) else {
        return;
    };
    let Ok(found) = Url::parse("https://a.example/x/.well-known/agent-card.json") else {
        return;
    };
    if let Ok(card) = card::read(&value, &found, None) {
        assert!(matches!(card.endpoint.scheme(), "http" | "https"));
    }
}
