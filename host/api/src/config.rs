//! What an operator can set about the public door.

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroU64};
use std::time::Duration;

use axum::http::Uri;
use axum::http::uri::Authority;
use serde::{Deserialize, Serialize};
use taskyard_task::{AccessScope, AgentName, Tenant};

use crate::base::Network;
use crate::body::Pace;
use crate::extension::Extension;
use crate::gate::JwtIssuer;
use crate::token::Token;

/// How the public door behaves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How clients reach this host, such as `https://agents.example.com`; agent cards name it. Without
    /// it they name the host that the request was addressed to, and are signed only if that is loopback.
    pub public_url: Option<String>,
    /// The proxies in front of this host whose `Forwarded` or `X-Forwarded-*` say how clients reach it.
    /// They count only without `public_url`.
    pub trusted_proxies: Vec<Network>,
    /// Where clients reach gRPC, as agent cards say it: `HOST:PORT`, or a URL.
    pub grpc_url: Option<String>,
    /// Whether agent cards offer gRPC at the host and port of `public_url` or of the request, if
    /// `grpc_url` is not set. It is served whether they do or not.
    pub advertise_grpc: bool,
    /// The largest request body, in bytes; larger ones are refused.
    pub max_body_bytes: usize,
    /// How long a body may stop in the middle, in seconds, and the time after which it must have come at
    /// 4 KiB per second.
    pub body_timeout_seconds: NonZeroU64,
    /// How long a client may take nothing at all of an answer that is ready, in seconds, before its
    /// connection is closed.
    pub write_timeout_seconds: NonZeroU64,
    /// How long a connection is kept that asks for nothing, in seconds. Longer than any load balancer keeps
    /// its side, or a request could meet a connection that is just being closed.
    pub idle_seconds: NonZeroU64,
    /// How many requests and streams may be under way over one HTTP/2 connection, gRPC included.
    pub max_streams_per_connection: NonZeroU32,
    /// How many connections there may be from one address; half of all that there may be if nothing is said.
    pub max_connections_per_address: Option<NonZeroU32>,
    /// How long a stream of server-sent events may be silent before a comment is sent, in seconds. 0 sends
    /// none: for clients that take a comment for an event.
    pub keep_alive_seconds: u64,
    /// Whether the stream of a `SendStreamingMessage` ends when the worker asks for an answer.
    /// `SubscribeToTask` stays open, and so do both when the worker asks for credentials.
    pub close_stream_on_input_required: bool,
    /// The protocol version of requests that name none. The protocol says 0.3; set `"1.0"` behind a
    /// gateway that swallows the header `A2A-Version`. The methods of 0.3 are served all the same.
    pub assume_version_when_absent: Option<String>,
    /// Whether answers can be streamed. If not, cards say so and the two operations are refused.
    pub streaming: bool,
    /// Whether webhooks can be registered. If not, cards say so and the four operations are refused.
    pub push_notifications: bool,
    /// Whether what is read back of webhooks leaves out their tokens and credentials. The answer to a
    /// registration has them, since whoever gets it has just sent them.
    pub redact_push_credentials: bool,
    /// Whether clients of the protocol's version 0.3 are served as well.
    pub protocol_0_3: bool,
    /// How often clients of version 0.3 encode the bytes of files over HTTP+JSON.
    pub file_encoding_0_3: FileEncoding,
    /// The extensions that clients of an agent must use, by the agent's name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub required_extensions: BTreeMap<AgentName, Vec<Extension>>,
    /// The ids of the skills that only the extended card of an agent shows, by the agent's name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub private_skills: BTreeMap<AgentName, Vec<String>>,
    /// Who offers the agents; part of agent cards.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<Provider>,
    /// Where people read about the agents; part of agent cards.
    pub documentation_url: Option<String>,
    /// A picture for the agents; part of agent cards.
    pub icon_url: Option<String>,
    /// Whether everybody must show who they are, even before anybody can: for a host whose first API key
    /// is made while it runs.
    pub require_credentials: bool,
    /// Who may call with a token that is written here.
    pub clients: Vec<ClientCredential>,
    /// Who may call with a token that somebody else issued.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub jwt: Vec<JwtIssuer>,
    /// Who may call with a certificate.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<ClientCertificate>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            public_url: None,
            trusted_proxies: Vec::new(),
            grpc_url: None,
            advertise_grpc: false,
            // A message of the largest size that workers take by default, with base64 around it.
            max_body_bytes: 32 << 20,
            body_timeout_seconds: BODY_TIMEOUT,
            write_timeout_seconds: WRITE_TIMEOUT,
            // The longest that is common: 600 s, of Google's load balancers. Others keep 60 s to 350 s.
            idle_seconds: IDLE,
            // Gateways share few connections among all their clients.
            max_streams_per_connection: STREAMS,
            max_connections_per_address: None,
            // The official Python client gives up after 5 s of silence, proxies after 30 s or a minute.
            keep_alive_seconds: 3,
            close_stream_on_input_required: true,
            assume_version_when_absent: None,
            streaming: true,
            push_notifications: true,
            redact_push_credentials: false,
            protocol_0_3: true,
            file_encoding_0_3: FileEncoding::ByClient,
            required_extensions: BTreeMap::new(),
            private_skills: BTreeMap::new(),
            provider: None,
            documentation_url: None,
            icon_url: None,
            require_credentials: false,
            clients: Vec::new(),
            jwt: Vec::new(),
            certificates: Vec::new(),
        }
    }
}

impl Config {
    /// How long a stream of server-sent events may be silent; `None`: for ever.
    pub(crate) fn keep_alive(&self) -> Option<Duration> {
        let seconds = Some(self.keep_alive_seconds).filter(|seconds| *seconds > 0);
        seconds.map(Duration::from_secs)
    }

    pub(crate) fn pace(&self) -> Pace {
        Pace {
            grace: Duration::from_secs(self.body_timeout_seconds.get()),
        }
    }

    /// Whether everybody must show who they are, whatever is made while the host runs.
    #[must_use]
    pub fn is_guarded(&self) -> bool {
        let known = !self.clients.is_empty() || !self.jwt.is_empty();
        self.require_credentials || known || !self.certificates.is_empty()
    }

    /// Checks what the types do not.
    ///
    /// # Errors
    /// For the operator: which key is wrong, and why.
    pub fn check(&self) -> Result<(), ConfigError> {
        if self
            .grpc_url
            .as_deref()
            .is_some_and(|url| !is_grpc_url(url))
        {
            let problem = "must be HOST:PORT or a URL";
            let key = "grpc_url".to_owned();
            return Err(ConfigError { key, problem });
        }
        if self.advertise_grpc && self.grpc_url.is_none() && self.has_path() {
            let problem = "cannot be guessed behind the path in public_url; set api.grpc_url";
            let key = "advertise_grpc".to_owned();
            return Err(ConfigError { key, problem });
        }
        for (n, issuer) in self.jwt.iter().enumerate() {
            if let Some((key, problem)) = issuer.problem() {
                let key = format!("jwt[{n}].{key}");
                return Err(ConfigError { key, problem });
            }
        }
        for (n, certificate) in self.certificates.iter().enumerate() {
            let mut before = self.certificates.iter().take(n);
            let is_double = before.any(|other| other.subject == certificate.subject);
            if certificate.subject.is_empty() || is_double {
                let key = format!("certificates[{n}].subject");
                let problem = "must be a text that no other entry has";
                return Err(ConfigError { key, problem });
            }
        }
        Ok(())
    }

    /// Whether clients reach this host below a path.
    fn has_path(&self) -> bool {
        let url = self.public_url.as_deref().map(str::parse::<Uri>);
        url.is_some_and(|url| url.is_ok_and(|url| url.path() != "/"))
    }

    /// The extensions that clients of `agent` must use.
    pub(crate) fn required_extensions_of(&self, agent: &AgentName) -> &[Extension] {
        self.required_extensions
            .get(agent)
            .map(Vec::as_slice)
            .unwrap_or_default()
    }

    /// The ids of the skills of `agent` that only its extended card shows, if the operator named any.
    pub(crate) fn private_skills_of(&self, agent: &AgentName) -> Option<&[String]> {
        self.private_skills.get(agent).map(Vec::as_slice)
    }
}

/// What gRPC clients connect to: `HOST:PORT` as the protocol has it, or a URL for clients that want one.
fn is_grpc_url(text: &str) -> bool {
    let authority = text.parse::<Authority>();
    let is_authority = authority.is_ok_and(|authority| authority.port_u16().is_some());
    is_authority || text.contains("://") && text.parse::<url::Url>().is_ok()
}

/// How often clients of version 0.3 encode the bytes of files in base64, over HTTP+JSON. Their definition
/// says once; some official clients do it twice, and a file does not show which it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileEncoding {
    /// Twice, if the client's user agent is that of an official client which does so; once otherwise.
    ByClient,
    /// Once.
    Once,
    /// Twice.
    Twice,
}

/// Who offers the agents of this host (A2A 4.4.2).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// Their name.
    pub organization: String,
    /// Where they are on the web.
    pub url: String,
}

const BODY_TIMEOUT: NonZeroU64 = NonZeroU64::MIN.saturating_add(29);
const WRITE_TIMEOUT: NonZeroU64 = NonZeroU64::MIN.saturating_add(59);
const IDLE: NonZeroU64 = NonZeroU64::MIN.saturating_add(619);
const STREAMS: NonZeroU32 = NonZeroU32::MIN.saturating_add(1_023);

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
    /// What the token is good for.
    #[serde(default)]
    pub scope: AccessScope,
}

/// One client that shows a certificate while it connects, and on whose behalf it may call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientCertificate {
    /// To whom the certificate was made out: one of its subject alternative names.
    pub subject: String,
    /// Whether `subject` is the common name instead, for authorities that check common names and issue no
    /// alternative ones.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_common_name: bool,
    /// Whose work the client does.
    pub tenant: Tenant,
    /// What operators call it.
    pub name: String,
    /// What the certificate is good for.
    #[serde(default)]
    pub scope: AccessScope,
}

/// A key of this configuration that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("api.{key} {problem}")]
pub struct ConfigError {
    key: String,
    problem: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_what_an_empty_file_says() {
        let config: Config = serde_json::from_str("{}").unwrap();
        assert_eq!(config, Config::default());
        assert_eq!(config.keep_alive(), Some(Duration::from_secs(3)));
        assert_eq!(config.idle_seconds.get(), 620);
        assert_eq!(config.max_streams_per_connection.get(), 1_024);
    }

    #[test]
    fn nothing_keeps_streams_alive_if_the_operator_says_so() {
        let config: Config = serde_json::from_str(r#"{"keep_alive_seconds": 0}"#).unwrap();
        assert_eq!(config.keep_alive(), None);
    }

    #[test]
    fn unknown_keys_and_useless_values_are_refused() {
        for wrong in [
            r#"{"publicUrl": "x"}"#,
            r#"{"keep_alive_seconds": -1}"#,
            r#"{"idle_seconds": 0}"#,
            r#"{"max_streams_per_connection": 0}"#,
            r#"{"max_connections_per_address": 0}"#,
            r#"{"trusted_proxies": ["my proxy"]}"#,
            r#"{"file_encoding_0_3": "thrice"}"#,
            r#"{"clients": [{"token": "", "tenant": "a", "name": "b"}]}"#,
            r#"{"clients": [{"token": "t", "tenant": "a/b", "name": "b"}]}"#,
            r#"{"clients": [{"token": "t", "tenant": "a", "name": "b", "scope": {"agent": "x"}}]}"#,
            r#"{"jwt": [{"issuer": "i"}]}"#,
            r#"{"jwt": [{"issuer": "i", "audiences": ["a"], "algorithms": ["HS256"]}]}"#,
            r#"{"certificates": [{"subject": "s"}]}"#,
        ] {
            assert!(serde_json::from_str::<Config>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_contradicts_itself_is_refused_with_its_place() {
        let jwt =
            |more: &str| format!(r#"{{"jwt": [{{"issuer": "i", "audiences": ["a"]{more}}}]}}"#);
        let checked = |text: &str| serde_json::from_str::<Config>(text).unwrap().check();
        assert_eq!(checked(&jwt("")), Ok(()));
        for (text, wrong) in [
            (jwt(r#", "jwks_url": "u", "jwks_file": "f""#), "jwks_file"),
            (
                jwt(r#", "tenant": "t", "tenant_claim": "c""#),
                "tenant_claim",
            ),
            (jwt(r#", "algorithms": []"#), "algorithms"),
            (jwt(r#", "audience_claim": """#), "audience_claim"),
            (jwt(r#", "leeway_seconds": 301"#), "leeway_seconds"),
            (jwt(r#", "refresh_seconds": 601"#), "refresh_seconds"),
            (
                r#"{"jwt": [{"issuer": "i", "audiences": []}]}"#.to_owned(),
                "audiences",
            ),
            (
                r#"{"jwt": [{"issuer": "", "audiences": ["a"]}]}"#.to_owned(),
                "issuer",
            ),
        ] {
            let problem = checked(&text).unwrap_err().to_string();
            assert!(
                problem.starts_with(&format!("api.jwt[0].{wrong} ")),
                "{problem}"
            );
        }
        let twice = r#"{"subject": "s", "tenant": "a", "name": "n"}"#;
        let twice = format!(r#"{{"certificates": [{twice}, {twice}]}}"#);
        let problem = checked(&twice).unwrap_err().to_string();
        assert!(
            problem.starts_with("api.certificates[1].subject "),
            "{problem}"
        );
    }

    #[test]
    fn grpc_is_offered_where_it_can_be() {
        let checked = |text: &str| serde_json::from_str::<Config>(text).unwrap().check();
        for fine in [
            r#"{"grpc_url": "grpc.example.com:443"}"#,
            r#"{"grpc_url": "[::1]:7420"}"#,
            r#"{"grpc_url": "https://grpc.example.com"}"#,
            r#"{"grpc_url": "dns:///grpc.example.com:443"}"#,
            r#"{"advertise_grpc": true}"#,
            r#"{"advertise_grpc": true, "public_url": "https://a.example/"}"#,
            r#"{"advertise_grpc": true, "public_url": "https://a.example/yard", "grpc_url": "a.example:50051"}"#,
        ] {
            assert_eq!(checked(fine), Ok(()), "{fine}");
        }
        for (wrong, key) in [
            (r#"{"grpc_url": ""}"#, "grpc_url"),
            (r#"{"grpc_url": "grpc.example.com"}"#, "grpc_url"),
            (r#"{"grpc_url": "://"}"#, "grpc_url"),
            (
                r#"{"advertise_grpc": true, "public_url": "https://a.example/yard"}"#,
                "advertise_grpc",
            ),
        ] {
            let problem = checked(wrong).unwrap_err().to_string();
            assert!(problem.starts_with(&format!("api.{key} ")), "{problem}");
        }
    }

    #[test]
    fn any_way_to_show_who_one_is_guards_the_host() {
        assert!(!Config::default().is_guarded());
        for text in [
            r#"{"require_credentials": true}"#,
            r#"{"clients": [{"token": "t", "tenant": "a", "name": "b"}]}"#,
            r#"{"jwt": [{"issuer": "i", "audiences": ["a"]}]}"#,
            r#"{"certificates": [{"subject": "s", "tenant": "a", "name": "b"}]}"#,
        ] {
            let config: Config = serde_json::from_str(text).unwrap();
            assert!(config.is_guarded(), "{text}");
        }
    }
}
