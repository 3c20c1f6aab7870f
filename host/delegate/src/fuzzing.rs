//! Where `fuzz/` reaches what reads bytes of others: functions that take anything, must not panic, and
//! check what must hold. The corpus of each is walked by an ordinary test.

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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn walk(target: &str, run: fn(&[u8])) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
        let files = std::fs::read_dir(folder.join(target)).unwrap();
        let files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
        assert!(!files.is_empty());
        for file in files {
            run(&std::fs::read(file).unwrap());
        }
    }

    #[test]
    fn the_corpus_breaks_nothing() {
        walk("card", card);
    }
}
