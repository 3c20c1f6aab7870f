//! Files as parts of a message.

use std::path::Path;

use a2a::Part;
use anyhow::{Context, ensure};

/// Bigger files are better sent as a URL: a message is held in memory several times on its way.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// Media types of what people send from a command line. Others are sent without one; the agent sees
/// the file's name.
const MEDIA_TYPES: &[(&str, &str)] = &[
    ("csv", "text/csv"),
    ("gif", "image/gif"),
    ("html", "text/html"),
    ("jpeg", "image/jpeg"),
    ("jpg", "image/jpeg"),
    ("json", "application/json"),
    ("md", "text/markdown"),
    ("pdf", "application/pdf"),
    ("png", "image/png"),
    ("svg", "image/svg+xml"),
    ("txt", "text/plain"),
    ("webp", "image/webp"),
    ("xml", "application/xml"),
    ("zip", "application/zip"),
];

/// The file at `path` as a part; `media_type` if it is given, else by the file's name.
///
/// # Errors
/// If the file cannot be read or is too big.
pub(super) fn part(path: &Path, media_type: Option<&str>) -> anyhow::Result<Part> {
    let cannot = || format!("cannot read {}", path.display());
    let size = path.metadata().with_context(cannot)?.len();
    ensure!(
        size <= MAX_FILE_BYTES,
        "{} has {size} bytes; at most {MAX_FILE_BYTES} can be sent",
        path.display()
    );
    let mut part = Part::raw(std::fs::read(path).with_context(cannot)?);
    part.filename = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    part.media_type = media_type.or_else(|| guess(path)).map(str::to_owned);
    Ok(part)
}

fn guess(path: &Path) -> Option<&'static str> {
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    let known = MEDIA_TYPES.iter().find(|(known, _)| *known == extension);
    known.map(|(_, media_type)| *media_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_keeps_its_name_and_gets_a_media_type() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("Prices.CSV");
        std::fs::write(&path, "a,b\n").unwrap();

        let guessed = part(&path, None).unwrap();
        assert_eq!(guessed.filename.as_deref(), Some("Prices.CSV"));
        assert_eq!(guessed.media_type.as_deref(), Some("text/csv"));
        assert_eq!(guessed.content, a2a::PartContent::Raw(b"a,b\n".to_vec()));

        let told = part(&path, Some("text/x-prices")).unwrap();
        assert_eq!(told.media_type.as_deref(), Some("text/x-prices"));
        assert!(part(&folder.path().join("none.txt"), None).is_err());
    }
}
