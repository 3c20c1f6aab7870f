//! The host's secrets: known by name everywhere else, by value only here.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Secrets by name. Cheap to clone; never shows a value.
#[derive(Clone, Default)]
pub struct Secrets(Arc<BTreeMap<String, String>>);

impl Secrets {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

impl FromIterator<(String, String)> for Secrets {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(secrets: I) -> Self {
        Self(Arc::new(secrets.into_iter().collect()))
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_not_shown() {
        let secrets = Secrets::from_iter([("key".to_owned(), "s3cret".to_owned())]);
        assert_eq!(format!("{secrets:?}"), r#"{"key"}"#);
        assert_eq!(
            (secrets.get("key"), secrets.get("kez")),
            (Some("s3cret"), None)
        );
    }
}
