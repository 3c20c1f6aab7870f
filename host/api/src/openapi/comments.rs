//! What the authors of the protocol wrote above its messages, fields and operations.

use std::collections::HashMap;

use crate::definition;

/// Descriptions, by the path of what they describe within the definition's file.
#[derive(Debug, Default)]
pub(super) struct Comments(HashMap<Vec<i32>, String>);

impl Comments {
    /// Those of `a2a.proto`.
    pub(super) fn read() -> Self {
        let file = definition::pool().get_file_by_name(definition::FILE);
        let source = file.and_then(|file| file.file_descriptor_proto().source_code_info.clone());
        let locations = source.map(|source| source.location).unwrap_or_default();
        let described = locations.into_iter().filter_map(|location| {
            let text = tidy(location.leading_comments.as_deref()?);
            (!text.is_empty()).then_some((location.path, text))
        });
        Self(described.collect())
    }

    /// What is said about the thing at `path`.
    pub(super) fn at(&self, path: &[i32]) -> Option<&str> {
        self.0.get(path).map(String::as_str)
    }
}

/// The text without what is meant for linters.
fn tidy(comment: &str) -> String {
    let mut lines = Vec::new();
    let mut for_linters = false;
    for line in comment.lines().map(str::trim) {
        for_linters |= line.starts_with("(--");
        if !for_linters && !line.starts_with("protolint:") && !line.starts_with("Next ID:") {
            lines.push(line);
        }
        for_linters &= !line.ends_with("--)");
    }
    lines.join("\n").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linters_are_not_readers() {
        let comment = " (-- api-linter: x=disabled\n     aip.dev: y --)\n Makes a thing.\n protolint:disable Z\n Twice.\n";
        assert_eq!(tidy(comment), "Makes a thing.\nTwice.");
        assert_eq!(tidy(" Next ID: 20"), "");
    }

    #[test]
    fn messages_are_described() {
        let comments = Comments::read();
        let part = "lf.a2a.v1.Part";
        let part = definition::pool().get_message_by_name(part).unwrap();
        assert!(comments.at(part.path()).unwrap().starts_with("`Part`"));
        for text in comments.0.values() {
            assert!(!text.contains("lint"), "{text}");
        }
    }
}
