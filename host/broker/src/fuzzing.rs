//! Where `fuzz/` reaches what reads bytes of others: functions that take anything, must not panic, and
//! check what must hold. The corpus of each is walked by an ordinary test there.

use crate::operations::{page_token, read_page_token};

/// A page token.
///
/// # Panics
/// If a token that was read is another one when it is written.
pub fn token(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(position) = read_page_token(text) {
        let written = page_token(position);
        let again = read_page_token(&written).ok();
        assert_eq!(again.map(page_token), Some(written), "a token changed");
    }
}
