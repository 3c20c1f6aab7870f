//! Where `fuzz/` reaches what reads bytes of others: functions that take anything, must not panic, and
//! check what must hold. The corpus of each is walked by an ordinary test.

use crate::shape;

/// A component that somebody wants to load.
pub fn component(bytes: &[u8]) {
    let _ = shape::check(bytes);
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
        walk("component", component);
    }
}
