//! What an operator can set about the public door.

use std::collections::BTreeMap;
use std::num::NonZeroU64;

use serde::{Deserialize, Serialize};
use taskyard_task::{AgentName, Tenant};

use crate::extension::Extension;
use crate::token::Token;

/// How the public door behaves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How clients reach this host, such as `https://agents.example.com`; agent cards name it. Without
    /// it they name the host that the request was addressed to, over plain HTTP.
    pub public_url: Option<String>,
    /// The largest request body, in bytes; larger ones are refused.
    pub max_body_bytes: usize,
    /// How long a stream may be silent before a comment is sent, in seconds.
    pub keep_alive_seconds: NonZeroU64,
    /// Whether the stream of a `SendStreamingMessage` ends when the worker asks for an answer.
    /// `SubscribeToTask` stays open, and so do both when the worker asks for credentials.
    pub close_stream_on_input_required: bool,
    /// The protocol version of requests that name none. The protocol says 0.3, which this host does
    /// not speak; set `"1.0"` behind a gateway that swallows the header `A2A-Version`.
    pub assume_version_when_absent: Option<String>,
    /// Whether answers can be streamed. If not, cards say so and the two operations are refused.
    pub streaming: bool,
    /// Whether webhooks can be registered. If not, cards say so and the four operations are refused.
    pub push_notifications: bool,
    /// Whether clients of the protocol's version 0.3 are served as well.
    pub protocol_0_3: bool,
    /// The extensions that clients of an agent must use, by the agent's name.
    pub required_extensions: BTreeMap<AgentName, Vec<Extension>>,
    /// Who may call. Empty: anybody, for any tenant.
    pub clients: Vec<ClientCredential>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            public_url: None,
            // A message of the largest size that workers take by default, with base64 around it.
            max_body_bytes: 32 << 20,
            // Proxies cut connections that are silent for a minute, some after 30 s.
            keep_alive_seconds: KEEP_ALIVE,
            close_stream_on_input_required: true,
            assume_version_when_absent: None,
            streaming: true,
            push_notifications: true,
            protocol_0_3: true,
            required_extensions: BTreeMap::new(),
            clients: Vec::new(),
        }
    }
}

impl Config {
    /// The extensions that clients of `agent` must use.
    pub(crate) fn required_extensions_of(&self, agent: &AgentName) -> &[Extension] {
        self.required_extensions
            .get(agent)
            .map(Vec::as_slice)
            .unwrap_or_default()
    }
}

const KEEP_ALIVE: NonZeroU64 = NonZeroU64::MIN.saturating_add(14);

/// One client that may call, and on whose behalf.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientCredential {
    /// What the client shows in `Authorization: Bearer`.
    pub token: Token,
    /// Whose work it does.
    pub tenant: Tenant,
    /// What operators call it.
    pub name: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_what_an_empty_file_says() {
        let config: Config = serde_json::from_str("{}").unwrap();
        assert_eq!(config, Config::default());
        assert_eq!(config.keep_alive_seconds.get(), 15);
    }

    #[test]
    fn unknown_keys_and_useless_values_are_refused() {
        for wrong in [
            r#"{"publicUrl": "x"}"#,
            r#"{"keep_alive_seconds": 0}"#,
            r#"{"clients": [{"token": "", "tenant": "a", "name": "b"}]}"#,
            r#"{"clients": [{"token": "t", "tenant": "a/b", "name": "b"}]}"#,
        ] {
            assert!(serde_json::from_str::<Config>(wrong).is_err(), "{wrong}");
        }
    }
}
