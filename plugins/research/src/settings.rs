//! What the operator configured.

use taskyard_sdk::prelude::*;

/// Where the model and the tools are. The operator also has to allow requests to these hosts.
pub(crate) struct Settings {
    /// The address of an OpenAI-compatible API, such as `https://api.openai.com/v1`.
    pub(crate) base_url: String,
    pub(crate) model: String,
    /// Both tools take the query as the parameter `q`.
    pub(crate) search_url: String,
    pub(crate) facts_url: String,
    /// Where approved reports are posted; without it nobody is asked.
    pub(crate) publish_url: Option<String>,
}

impl Settings {
    /// # Errors
    /// `invalid-config`, with the key that the operator must set.
    pub(crate) fn of(task: &Task) -> Result<Self> {
        let required = |key: &str| -> Result<String> {
            let missing = format!("the operator must set {key:?} in the agent's configuration");
            task.config().get(key)?.or_fail("invalid-config", &missing)
        };
        Ok(Self {
            base_url: required("base_url")?.trim_end_matches('/').to_owned(),
            model: required("model")?,
            search_url: required("search_url")?,
            facts_url: required("facts_url")?,
            publish_url: task.config().get("publish_url")?,
        })
    }
}
