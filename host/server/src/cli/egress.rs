//! What an agent's workers may ask of the outside, as it is said and shown on the command line.

use std::str::FromStr;

use anyhow::{Context, anyhow, bail};
use clap::Args;
use taskyard_api::admin::{AgentView, StatusView};
use taskyard_task::egress::{InjectedHeader, Template};
use taskyard_task::{AgentName, EgressPolicy, EgressRule, HostPattern};

use super::{NotFound, Output};
use crate::admin_client::AdminClient;

/// All rules of an agent.
#[derive(Debug, Default, Args)]
pub(super) struct RulesArgs {
    /// Allow its requests to HOST: `[SCHEME://]NAME-OR-ADDRESS[:PORT]`, `*.example.com`, or `*` for all public
    /// hosts; may be repeated [default: those of the deployment before]
    #[arg(long, value_name = "HOST")]
    allow_host: Vec<HostPattern>,
    /// Add a header to its requests to HOST, such as 'Authorization: Bearer {openai}' with the secret that the
    /// host's configuration calls `openai`; may be repeated
    #[arg(long, num_args = 2, value_names = ["HOST", "HEADER: VALUE"])]
    inject: Vec<String>,
}

impl RulesArgs {
    /// The rules, if there are any.
    ///
    /// # Errors
    /// If something is no host or no header, or it is too much.
    pub(super) fn policy(&self) -> anyhow::Result<Option<EgressPolicy>> {
        let mut policy = EgressPolicy::default();
        for host in &self.allow_host {
            rule_for(&mut policy, host);
        }
        for pair in self.inject.chunks(2) {
            let [host, header] = pair else {
                bail!("--inject takes a host and a header");
            };
            let host = host.parse().context("--inject")?;
            let header: Header = header.parse().context("--inject")?;
            rule_for(&mut policy, &host)
                .inject
                .insert(header.name, header.value);
        }
        if policy.rules.is_empty() {
            return Ok(None);
        }
        Ok(Some(EgressPolicy::try_from(policy.rules)?))
    }
}

/// The rule for `host`, which is made if there is none.
fn rule_for<'a>(policy: &'a mut EgressPolicy, host: &HostPattern) -> &'a mut EgressRule {
    let rules = &mut policy.rules;
    let place = rules.iter().position(|rule| rule.host == *host);
    let place = place.unwrap_or(rules.len());
    if place == rules.len() {
        rules.push(EgressRule {
            host: host.clone(),
            inject: [].into(),
        });
    }
    #[expect(
        clippy::indexing_slicing,
        reason = "it was found, or has just been added"
    )]
    &mut rules[place]
}

/// One more rule.
#[derive(Debug, Args)]
pub(super) struct AllowArgs {
    /// The agent
    name: AgentName,
    /// Whom its workers may ask: `[SCHEME://]NAME-OR-ADDRESS[:PORT]`, `*.example.com`, or `*` for all public
    /// hosts
    host: HostPattern,
    /// Add a header to these requests, such as 'Authorization: Bearer {openai}' with the secret that the
    /// host's configuration calls `openai`; may be repeated
    #[arg(long, value_name = "HEADER: VALUE")]
    inject: Vec<Header>,
}

/// One rule less.
#[derive(Debug, Args)]
pub(super) struct DenyArgs {
    /// The agent
    name: AgentName,
    /// The host, as it was allowed
    host: HostPattern,
}

/// A header that is added, written as `NAME: VALUE`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Header {
    name: InjectedHeader,
    value: Template,
}

impl FromStr for Header {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let parts = text.split_once(':');
        let (name, value) = parts.ok_or_else(|| anyhow!("{text:?} is not NAME: VALUE"))?;
        Ok(Self {
            name: name.parse()?,
            value: value.parse()?,
        })
    }
}

/// Adds a rule to those of an agent, or replaces the one for the same host.
///
/// # Errors
/// If there is no such agent, or the host cannot be reached.
pub(super) async fn allow(
    admin: &AdminClient,
    args: AllowArgs,
    output: Output,
) -> anyhow::Result<()> {
    let mut policy = rules(admin, &args.name).await?;
    let added = args.inject.into_iter();
    policy.put(EgressRule {
        host: args.host,
        inject: added.map(|header| (header.name, header.value)).collect(),
    });
    replace(admin, &args.name, policy, output).await
}

/// Removes a rule from those of an agent.
///
/// # Errors
/// If there is no such agent or no such rule, or the host cannot be reached.
pub(super) async fn deny(
    admin: &AdminClient,
    args: DenyArgs,
    output: Output,
) -> anyhow::Result<()> {
    let mut policy = rules(admin, &args.name).await?;
    if !policy.remove(&args.host) {
        let DenyArgs { name, host } = args;
        return Err(NotFound(format!("{name} has no rule for {host}")).into());
    }
    replace(admin, &args.name, policy, output).await
}

async fn rules(admin: &AdminClient, name: &AgentName) -> anyhow::Result<EgressPolicy> {
    let status: StatusView = admin.get(&format!("/v1/agents/{name}")).await?;
    Ok(status.agent.egress)
}

async fn replace(
    admin: &AdminClient,
    name: &AgentName,
    policy: EgressPolicy,
    output: Output,
) -> anyhow::Result<()> {
    let path = format!("/v1/agents/{name}/egress");
    let changed: AgentView = admin.put(&path, &policy).await?;
    match output.is_json() {
        true => output.document(&changed),
        false => lines(&changed.egress)
            .into_iter()
            .try_for_each(|line| Ok(output.line(line)?)),
    }
}

/// The rules, for people.
pub(super) fn lines(policy: &EgressPolicy) -> Vec<String> {
    if policy.rules.is_empty() {
        return vec!["requests to no host are allowed".to_owned()];
    }
    let line = |rule: &EgressRule| {
        let added = rule.inject.iter();
        let added = added.map(|(name, value)| format!(", adding {name}: {value}"));
        let added: String = added.collect();
        format!("requests to {} are allowed{added}", rule.host)
    };
    policy.rules.iter().map(line).collect()
}

/// The hosts alone, for a column.
pub(super) fn hosts(policy: &EgressPolicy) -> String {
    let hosts = policy.rules.iter().map(|rule| rule.host.to_string());
    hosts.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(allow: &[&str], inject: &[&str]) -> RulesArgs {
        RulesArgs {
            allow_host: allow.iter().map(|host| host.parse().unwrap()).collect(),
            inject: inject.iter().copied().map(str::to_owned).collect(),
        }
    }

    #[test]
    fn headers_belong_to_the_rule_of_their_host() {
        let args = args(
            &["a.example", "*.b.example"],
            &[
                "A.example",
                "X-Key: {k}",
                "c.example",
                "X: y",
                "a.example",
                "Z: 1:2",
            ],
        );
        let policy = args.policy().unwrap().unwrap();
        assert_eq!(
            lines(&policy),
            [
                "requests to a.example are allowed, adding x-key: {k}, adding z: 1:2",
                "requests to *.b.example are allowed",
                "requests to c.example are allowed, adding x: y",
            ]
        );
        assert_eq!(hosts(&policy), "a.example *.b.example c.example");
    }

    #[test]
    fn nothing_said_is_not_nothing_allowed() {
        assert_eq!(args(&[], &[]).policy().unwrap(), None);
        assert_eq!(
            lines(&EgressPolicy::default()),
            ["requests to no host are allowed"]
        );
    }

    #[test]
    fn what_is_no_header_is_refused() {
        for inject in [["a", "b"], ["a", "b: {"], ["a b", "c: d"], ["a", "Host: x"]] {
            assert!(args(&[], &inject).policy().is_err(), "{inject:?}");
        }
    }
}
