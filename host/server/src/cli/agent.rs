//! Finds an agent by its card and makes a client for it: any A2A server, not only this host.

use a2a::A2AError;
use anyhow::{Context, anyhow};
use clap::Args;
use taskyard_delegate::{ConnectError, RemoteAgent};
use taskyard_outbound::Direct;

use super::NotFound;
use super::credentials::{Credentialed, Token};
use super::output::quoted;
use crate::addresses::Addresses;
use crate::config::Config;
use crate::http;

/// Which agent a command talks to.
#[derive(Debug, Args)]
pub(crate) struct AgentArgs {
    /// The agent's name on its host [default: the agent at the host's root, if there is one]
    #[arg(long, global = true, value_name = "NAME")]
    agent: Option<String>,
    /// The host, or with no --agent any A2A agent [default: the host on this machine]
    #[arg(long, global = true, env = "TASKYARD_URL", value_name = "URL")]
    url: Option<String>,
    /// The bearer token to present; sent to the host of --url and to no other
    #[arg(long, global = true, env = "TASKYARD_TOKEN", hide_env_values = true)]
    token: Option<String>,
}

/// A client of one agent, over whichever binding its card offers.
pub(crate) type AgentClient = RemoteAgent<Credentialed>;

impl AgentArgs {
    /// Finds the agent by its card, as hosts find remote children, and makes a client for it. The official
    /// client sends the protocol's version with each request.
    ///
    /// # Errors
    /// If there is no such agent, or it cannot be reached.
    pub(crate) async fn connect(&self, config: &Config) -> anyhow::Result<AgentClient> {
        let base = self.base(config)?;
        let http = http::agent_client(&base, config).context("cannot set up the HTTP client")?;
        let carrier = Credentialed::new(Direct::new(http), self.token(&base, config)?);
        let client = taskyard_delegate::connect(carrier, &base).await;
        client.map_err(|error| match error {
            ConnectError::NoAgent(problem) => {
                NotFound(format!("no agent at {base}: {problem}")).into()
            }
            ConnectError::Unusable(problem) => {
                anyhow!("cannot talk to the agent at {base}: {problem}")
            }
            ConnectError::Unreachable(problem) => {
                anyhow!("no agent answers at {base}; `taskyard serve` runs the host: {problem}")
            }
        })
    }

    /// The token, for the host at `base`. The host of this machine is also that of its public address: both are
    /// in the same configuration.
    fn token(&self, base: &str, config: &Config) -> anyhow::Result<Option<Token>> {
        let public = config.public_url.as_deref().filter(|_| self.is_here());
        let addresses: Vec<_> = public.into_iter().chain([base]).collect();
        // A variable that is set to nothing is not set.
        let token = self.token.as_deref().filter(|token| !token.is_empty());
        token.map(|token| Token::new(token, &addresses)).transpose()
    }

    /// Whether the agent is on the host of this machine.
    pub(crate) fn is_here(&self) -> bool {
        self.url.is_none()
    }

    /// The agent's name, if one was given.
    pub(crate) fn name(&self) -> Option<&str> {
        self.agent.as_deref()
    }

    /// What follows `taskyard task` in a command about the same agent.
    pub(crate) fn again(&self) -> String {
        let given = [("agent", &self.agent), ("url", &self.url)];
        let given = given
            .into_iter()
            .filter_map(|(flag, value)| Some((flag, value.as_ref()?)));
        given
            .map(|(flag, value)| format!(" --{flag} {}", quoted(value)))
            .collect()
    }

    fn base(&self, config: &Config) -> anyhow::Result<String> {
        let host = match &self.url {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => Addresses::of_local_host(config)?.url(),
        };
        Ok(match &self.agent {
            Some(name) => format!("{host}/agents/{name}"),
            None => host,
        })
    }
}

/// What an agent's refusal means for the command line.
pub(crate) fn refused(error: A2AError) -> anyhow::Error {
    match error.code {
        a2a::error_code::TASK_NOT_FOUND => NotFound(error.message).into(),
        _ => anyhow!(error.message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(agent: Option<&str>, url: Option<&str>) -> String {
        let args = AgentArgs {
            agent: agent.map(str::to_owned),
            url: url.map(str::to_owned),
            token: None,
        };
        let nowhere = Config {
            data_dir: "/nonexistent".into(),
            ..Config::default()
        };
        args.base(&nowhere).unwrap()
    }

    #[test]
    fn an_agent_is_found_by_name_and_by_url() {
        let own = "http://127.0.0.1:7420";
        assert_eq!(base(None, None), own);
        assert_eq!(base(Some("echo"), None), format!("{own}/agents/echo"));
        assert_eq!(
            base(None, Some("https://a.example/x/")),
            "https://a.example/x"
        );
        assert_eq!(
            base(Some("b"), Some("https://a.example")),
            "https://a.example/agents/b"
        );
    }

    #[test]
    fn the_public_address_of_the_host_here_gets_the_token_too() {
        let yard = "https://yard.example/agents/echo";
        let config = Config {
            data_dir: "/nonexistent".into(),
            public_url: Some("https://yard.example".to_owned()),
            ..Config::default()
        };
        for (url, token, is_for) in [
            (None, "s3cret", Some(true)),
            (Some("http://127.0.0.1:7420"), "s3cret", Some(false)),
            (None, "", None),
        ] {
            let args = AgentArgs {
                agent: None,
                url: url.map(str::to_owned),
                token: Some(token.to_owned()),
            };
            let token = args.token(&args.base(&config).unwrap(), &config).unwrap();
            assert_eq!(token.map(|token| token.is_for(yard).is_ok()), is_for);
        }
    }

    #[test]
    fn the_next_command_is_about_the_same_agent() {
        let args = AgentArgs {
            agent: Some("echo".to_owned()),
            url: None,
            token: Some("s3cret".to_owned()),
        };
        assert_eq!(args.again(), " --agent echo");
    }

    #[test]
    fn a_missing_task_is_not_just_an_error() {
        assert!(refused(A2AError::task_not_found("1")).is::<NotFound>());
        assert!(!refused(A2AError::internal("x")).is::<NotFound>());
    }
}
