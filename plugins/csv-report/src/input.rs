//! Finds the CSV file among the parts of a message.

use taskyard_sdk::{Body, Message, Part};

/// The content of the first part that is a CSV file.
pub(crate) fn csv_file(message: &Message) -> Option<&[u8]> {
    let part = message.parts.iter().find(|part| is_csv(part))?;
    part.as_bytes()
}

/// A part says that it is CSV by its media type or else by its file name. Bytes that say nothing
/// are taken for CSV, because nothing else is of use here; text that says nothing is a remark.
fn is_csv(part: &Part) -> bool {
    if part.as_bytes().is_none() {
        return false;
    }
    if let Some(media_type) = &part.media_type {
        return essence(media_type).eq_ignore_ascii_case("text/csv");
    }
    match &part.filename {
        Some(name) => name.to_lowercase().ends_with(".csv"),
        None => matches!(part.body, Body::Bytes(_)),
    }
}

/// The media type without parameters such as `charset`.
fn essence(media_type: &str) -> &str {
    media_type.split(';').next().unwrap_or_default().trim()
}
