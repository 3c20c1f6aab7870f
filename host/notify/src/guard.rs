//! Judges webhooks: where the host may be made to post to, and where not.
//!
//! The same rules hold three times: for the URL when it is registered, for the addresses that its name
//! has then, and for the addresses that its name has when a connection is made. The connection goes to
//! the very addresses that were checked, so a name that changes in between gains nothing.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use futures::future::BoxFuture;
use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use taskyard_broker::WebhookPolicy;
use url::{Host, Url};

use crate::address::special;
use crate::config::{Config, Error};
use crate::lookup::Lookup;

/// Longer URLs do not pass through what stands between hosts.
const MAX_URL_BYTES: usize = 2_048;

/// Why a URL cannot be a webhook. Reads on from the name of the field; never shows an address that
/// only the host's own resolver knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is too long to be one.
    #[error("must have at most {MAX_URL_BYTES} bytes")]
    TooLong,
    /// It cannot be parsed.
    #[error("is not a URL: {0}")]
    NotAUrl(url::ParseError),
    /// Only HTTP can be posted to.
    #[error("must begin with https:// or http://")]
    Scheme,
    /// Credentials have their own fields.
    #[error("must not contain a user name or a password; use `authentication` for them")]
    UserInfo,
    /// There is nothing to connect to.
    #[error("has no host")]
    NoHost,
    /// The host is not on the public internet.
    #[error("points to {0}; only the operator of this host can allow that")]
    Special(&'static str),
    /// The name means nothing here.
    #[error("names the host {host:?}, which cannot be resolved: {problem}")]
    Unresolved {
        /// The name.
        host: String,
        /// What the resolver said.
        problem: String,
    },
}

/// Says which URLs may be webhooks. Cheap to clone.
#[derive(Debug, Clone)]
pub struct UrlGuard {
    rules: Arc<Rules>,
    lookup: Lookup,
}

#[derive(Debug)]
struct Rules {
    allow_private: bool,
    hosts: BTreeSet<String>,
    networks: Vec<IpNet>,
}

impl UrlGuard {
    /// A guard with the operator's exceptions.
    ///
    /// # Errors
    /// If an exception is neither a host name nor an address nor a network.
    pub fn new(config: &Config) -> Result<Self, Error> {
        let mut rules = Rules {
            allow_private: config.allow_private,
            hosts: BTreeSet::new(),
            networks: Vec::new(),
        };
        for entry in &config.allow {
            rules.allow(entry)?;
        }
        Ok(Self {
            rules: Arc::new(rules),
            lookup: Lookup::new(),
        })
    }

    /// Checks all that can be seen without asking a resolver.
    ///
    /// # Errors
    /// What is wrong with the URL.
    pub fn parse(&self, url: &str) -> Result<Url, Refused> {
        if url.len() > MAX_URL_BYTES {
            return Err(Refused::TooLong);
        }
        let url = Url::parse(url).map_err(Refused::NotAUrl)?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(Refused::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refused::UserInfo);
        }
        match url.host() {
            None => return Err(Refused::NoHost),
            Some(Host::Ipv4(address)) => self.rules.judge(address.into())?,
            Some(Host::Ipv6(address)) => self.rules.judge(address.into())?,
            Some(Host::Domain(_)) => {}
        }
        Ok(url)
    }

    /// Checks a URL and the addresses that its name has now.
    ///
    /// # Errors
    /// What is wrong with the URL.
    pub async fn check(&self, url: &str) -> Result<(), Refused> {
        let url = self.parse(url)?;
        if let Some(Host::Domain(host)) = url.host() {
            let port = url.port_or_known_default().unwrap_or_default();
            self.resolve_checked(host, port).await?;
        }
        Ok(())
    }

    /// The addresses of `host`, all of which may be connected to.
    async fn resolve_checked(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Refused> {
        let found = self.lookup.addresses(host, port).await;
        let addresses = found.map_err(|error| Refused::Unresolved {
            host: host.to_owned(),
            problem: error.to_string(),
        })?;
        self.rules.judge_all(host, &addresses)?;
        Ok(addresses)
    }
}

impl Rules {
    fn allow(&mut self, entry: &str) -> Result<(), Error> {
        let entry = entry.trim();
        if let Ok(network) = entry.parse::<IpNet>() {
            self.networks.push(network);
        } else if let Ok(address) = entry.parse::<IpAddr>() {
            self.networks.push(address.into());
        } else if let Ok(Host::Domain(name)) = Host::parse(entry) {
            self.hosts.insert(canonical(&name).to_owned());
        } else {
            return Err(Error::Allow(entry.to_owned()));
        }
        Ok(())
    }

    // One special address among others is enough to refuse: a name that has both is no mistake.
    fn judge_all(&self, host: &str, addresses: &[SocketAddr]) -> Result<(), Refused> {
        if self.hosts.contains(canonical(host)) {
            return Ok(());
        }
        addresses
            .iter()
            .try_for_each(|address| self.judge(address.ip()))
    }

    fn judge(&self, address: IpAddr) -> Result<(), Refused> {
        let allowed = self.allow_private || self.networks.iter().any(|net| net.contains(&address));
        match special(address) {
            Some(what) if !allowed => Err(Refused::Special(what)),
            _ => Ok(()),
        }
    }
}

// `Url` has put names into lower case already; a final dot means nothing more than its absence.
fn canonical(host: &str) -> &str {
    host.strip_suffix('.').unwrap_or(host)
}

impl WebhookPolicy for UrlGuard {
    fn check<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move { self.check(url).await.map_err(|refused| refused.to_string()) })
    }
}

/// The resolver of the client that posts. Addresses in URLs never come here; [`UrlGuard::parse`] sees them.
impl Resolve for UrlGuard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            // Port 0 stands for that of the URL.
            let addresses = guard.resolve_checked(name.as_str(), 0).await?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(allow: &[&str]) -> UrlGuard {
        let config = Config {
            allow: allow.iter().copied().map(str::to_owned).collect(),
            ..Config::default()
        };
        UrlGuard::new(&config).unwrap()
    }

    #[test]
    fn urls_are_judged_by_what_they_say() {
        let refused = |url: &str| {
            guard(&[])
                .parse(url)
                .err()
                .map(|refused| refused.to_string())
        };
        assert_eq!(refused("https://hooks.example.com/a?b=c"), None);
        assert_eq!(refused("http://8.8.8.8:8080/"), None);
        for (url, why) in [
            ("", "is not a URL: relative URL without a base"),
            (
                "hooks.example.com/a",
                "is not a URL: relative URL without a base",
            ),
            ("ftp://example.com/", "must begin with https:// or http://"),
            ("file:///etc/passwd", "must begin with https:// or http://"),
            ("https://", "is not a URL: empty host"),
            (
                "https://me:pw@example.com/",
                "must not contain a user name or a password; use `authentication` for them",
            ),
        ] {
            assert_eq!(refused(url).as_deref(), Some(why), "{url}");
        }
        let long = format!("https://example.com/{}", "a".repeat(MAX_URL_BYTES));
        assert_eq!(
            refused(&long).as_deref(),
            Some("must have at most 2048 bytes")
        );
    }

    #[test]
    fn addresses_are_refused_however_they_are_written() {
        for url in [
            "http://127.0.0.1/",
            "http://127.1/",
            "http://2130706433/",
            "http://0x7f.0.0.1/",
            "http://0177.0.0.1/",
            "http://169.254.169.254/latest/meta-data",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:7f00:1]/",
            "http://[64:ff9b::7f00:1]/",
            "http://[fd00::1]/",
        ] {
            let judged = guard(&[]).parse(url);
            assert!(
                matches!(judged, Err(Refused::Special(_))),
                "{url}: {judged:?}"
            );
        }
    }

    #[tokio::test]
    async fn names_are_judged_by_their_addresses() {
        assert_eq!(
            guard(&[]).check("http://localhost/").await,
            Err(Refused::Special("a loopback address"))
        );
        let unknown = guard(&[]).check("http://nothing.invalid/").await;
        assert!(
            matches!(unknown, Err(Refused::Unresolved { .. })),
            "{unknown:?}"
        );
    }

    #[tokio::test]
    async fn the_client_is_given_checked_addresses_only() {
        let name = || "localhost".parse::<Name>().unwrap();
        assert!(guard(&[]).resolve(name()).await.is_err());
        assert!(guard(&["localhost"]).resolve(name()).await.is_ok());
    }

    #[tokio::test]
    async fn an_operator_allows_hosts_addresses_and_networks() {
        let allowed = guard(&["LocalHost", "10.1.0.0/16", "192.168.0.7", "fd00::/8"]);
        for url in [
            "http://localhost:8080/",
            "http://10.1.2.3/",
            "http://192.168.0.7/",
            "http://[fd00::1]/",
        ] {
            assert_eq!(allowed.check(url).await, Ok(()), "{url}");
        }
        for url in [
            "http://127.0.0.1/",
            "http://10.2.0.1/",
            "http://192.168.0.8/",
        ] {
            assert!(allowed.check(url).await.is_err(), "{url}");
        }
        let config = Config {
            allow: vec!["10.0.0.0/99".to_owned()],
            ..Config::default()
        };
        assert!(matches!(UrlGuard::new(&config), Err(Error::Allow(_))));
    }

    #[tokio::test]
    async fn all_is_allowed_at_once_if_the_operator_says_so() {
        let config = Config {
            allow_private: true,
            ..Config::default()
        };
        let guard = UrlGuard::new(&config).unwrap();
        assert_eq!(guard.check("http://127.0.0.1:9/").await, Ok(()));
        assert_eq!(guard.check("http://localhost:9/").await, Ok(()));
    }
}
