//! Refuses values that the types allow but that make no sense, or that are dangerous by accident.

use std::net::SocketAddr;

use anyhow::{bail, ensure};
use taskyard_task::egress::Template;
use url::Url;

use crate::documents;
use crate::findings::Findings;
use crate::telemetry::logs;

use super::{Config, TlsConfig, secrets};

/// A shorter admin token could be guessed.
const MIN_ADMIN_TOKEN: usize = 16;

impl Config {
    /// Checks what the types do not.
    pub(crate) fn check(&self, findings: &mut Findings) {
        findings.keep(self.check_exposure());
        findings.keep(self.check_addresses());
        findings.keep(self.check_admin_token());
        findings.keep(self.check_public_url());
        self.check_numbers(findings);
        findings.keep(self.memory.check());
        findings.keep(self.storage.check());
        findings.keep(self.check_api());
        findings.keep(self.check_issuers());
        findings.keep(self.check_certificates());
        findings.keep(self.tls.as_ref().map_or(Ok(()), TlsConfig::check));
        findings.keep(self.notify.check());
        findings.keep(self.egress.check());
        findings.keep(secrets::check(&self.secrets));
        findings.keep(self.check_agents());
        findings.keep(logs::filter(&self.log));
    }

    /// Whether clients must show who they are.
    pub(crate) fn is_guarded(&self) -> bool {
        self.api.is_guarded() || self.asks_for_certificates()
    }

    /// Whether clients are asked for certificates: whoever does that wants to know who calls.
    pub(crate) fn asks_for_certificates(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some())
    }

    // A host that anybody can use must be meant to be one.
    fn check_exposure(&self) -> anyhow::Result<()> {
        let open = !self.is_guarded() && !self.allow_anonymous;
        ensure!(
            is_local(self.listen) || !open,
            "listen: {} can be reached from other machines, and no clients are configured; \
             set api.require_credentials = true and make API keys, add [[api.clients]], or set \
             allow_anonymous = true if everybody may use the agents",
            self.listen
        );
        ensure!(
            is_local(self.admin_listen) || self.admin_token.is_some(),
            "admin_listen: {} can be reached from other machines; set an admin_token of your own",
            self.admin_listen
        );
        Ok(())
    }

    // Both would be taken, and only the first could be listened at.
    fn check_addresses(&self) -> anyhow::Result<()> {
        let (clients, operators) = (self.listen, self.admin_listen);
        let is_one = clients.port() != 0
            && clients.port() == operators.port()
            && (clients.ip() == operators.ip()
                || covers(clients, operators)
                || covers(operators, clients));
        ensure!(
            !is_one,
            "admin_listen: {operators} is taken by listen, {clients}; choose another port"
        );
        Ok(())
    }

    fn check_admin_token(&self) -> anyhow::Result<()> {
        let Some(token) = self.admin_token.as_ref().map(super::Secret::reveal) else {
            return Ok(());
        };
        ensure!(
            token.len() >= MIN_ADMIN_TOKEN && token.bytes().all(|byte| byte.is_ascii_graphic()),
            "admin_token: must be at least {MIN_ADMIN_TOKEN} printable ASCII characters without spaces"
        );
        Ok(())
    }

    // The room gets the URL from the top of the file.
    fn check_api(&self) -> anyhow::Result<()> {
        let api = taskyard_api::Config {
            public_url: self.public_url.clone(),
            ..self.api.clone()
        };
        Ok(api.check()?)
    }

    fn check_public_url(&self) -> anyhow::Result<()> {
        // One thing, one key: rooms get it from the top.
        ensure!(
            self.api.public_url.is_none(),
            "api.public_url: set public_url at the top of the file instead"
        );
        let Some(text) = &self.public_url else {
            return Ok(());
        };
        match Url::parse(text) {
            // Agent cards show it to everybody.
            Ok(url) if !url.username().is_empty() || url.password().is_some() => {
                bail!("public_url: must not hold a user name or a password")
            }
            Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(()),
            Ok(_) => bail!("public_url: must begin with https:// or http://"),
            Err(error) => bail!("public_url: is not a URL: {error}"),
        }
    }

    // Here, because only the server knows URLs; the room that uses them checks everything else.
    fn check_issuers(&self) -> anyhow::Result<()> {
        for (n, issuer) in self.api.jwt.iter().enumerate() {
            let urls = [
                ("issuer", issuer.discovery_url()),
                ("jwks_url", issuer.jwks_url.clone()),
            ];
            for (key, url) in urls {
                let checked = url.as_deref().map_or(Ok(()), documents::check_url);
                ensure!(
                    checked.is_ok(),
                    "api.jwt[{n}].{key}: must begin with https://, unless it is on this machine"
                );
            }
        }
        Ok(())
    }

    // Without it nobody would ever be asked for one, and the entries would only look as if they did.
    fn check_certificates(&self) -> anyhow::Result<()> {
        let asked_for = self.asks_for_certificates();
        ensure!(
            asked_for || self.api.certificates.is_empty(),
            "api.certificates: set tls.client_ca as well, or no certificate could be believed"
        );
        Ok(())
    }

    // Rules that are deployed otherwise may name secrets that come later; here both are in one place.
    fn check_agents(&self) -> anyhow::Result<()> {
        for (name, agent) in &self.agents {
            let rules = agent.egress.iter().flat_map(|egress| &egress.rules);
            let templates = rules.flat_map(|rule| rule.inject.values());
            for secret in templates.flat_map(Template::secrets) {
                ensure!(
                    self.secrets.contains_key(secret),
                    "agents.{name}.egress: names the secret {secret:?}, which is not in [secrets]"
                );
            }
        }
        Ok(())
    }

    fn check_numbers(&self, findings: &mut Findings) {
        let limits = &self.limits;
        let at_least_one = [
            ("max_runs", limits.max_runs),
            ("max_runs_per_agent", limits.max_runs_per_agent),
            ("max_runs_per_tenant", limits.max_runs_per_tenant),
            ("max_queued", limits.max_queued),
            ("max_queued_per_tenant", limits.max_queued_per_tenant),
        ];
        for (key, limit) in at_least_one {
            findings.require(limit >= 1, || {
                format!("limits.{key}: must be at least 1, or nothing would ever run")
            });
        }
        findings.require(self.clock.max_step_seconds >= 1, || "clock.max_step_seconds: must be at least 1, or every drift of the clock would be a step".to_owned());
        findings.require(self.clock.max_absence_days >= 1, || "clock.max_absence_days: must be at least 1, or each start would ask for an operator".to_owned());
        findings.require(limits.max_bytes_per_tenant != Some(0), || "limits.max_bytes_per_tenant: 0 would refuse everything; leave it out if there is to be no limit".to_owned());
        let retry = &self.retry;
        findings.require(retry.max_attempts >= 1, || {
            "retry.max_attempts: must be at least 1".to_owned()
        });
        findings.require(retry.factor >= 1.0, || {
            "retry.factor: must be at least 1".to_owned()
        });
        findings.require((0.0..=1.0).contains(&retry.jitter), || {
            "retry.jitter: must be from 0 to 1".to_owned()
        });
        findings.require(self.task.deadline_seconds >= 1, || {
            "task.deadline_seconds: must be at least 1".to_owned()
        });
        let retention = &self.retention;
        for (key, most) in [
            ("max_age_seconds", retention.max_age_seconds),
            ("max_tasks_per_tenant", retention.max_tasks_per_tenant),
        ] {
            findings.require(most != Some(0), || format!("retention.{key}: 0 would delete tasks before anybody sees how they ended; leave it out to keep them for good"));
        }
    }
}

/// Whether a socket at `all` gets the connections to `one` as well.
fn covers(all: SocketAddr, one: SocketAddr) -> bool {
    all.ip().is_unspecified() && (all.is_ipv6() || one.is_ipv4())
}

/// Whether only this machine can reach an address.
pub(crate) fn is_local(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}
