//! Judges addresses: where the host may be made to connect to, and where not.
//!
//! Names are judged by the addresses that they have when a connection is made. The connection goes to
//! the very addresses that were judged, so a name that changes in between gains nothing.

use std::collections::BTreeSet;
use std::error::Error as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::Host;

use crate::address::special;
use crate::lookup::{Failed, Lookup};

/// The exceptions that an operator makes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GuardConfig {
    /// Whether private, local and otherwise special addresses are allowed.
    pub allow_private: bool,
    /// Host names, addresses and networks (`10.1.0.0/16`) that are allowed all the same.
    pub allow: Vec<String>,
}

/// An exception that is none. The operator's to mend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither a host name nor an address nor a network such as 10.1.0.0/16")]
pub struct NoException(pub String);

/// Why the host does not connect. Reads on from what was asked for; never shows an address that only the
/// host's own resolver knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is not on the public internet.
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
    /// Too much is being looked up to look this up as well.
    #[error("names a host, and too many are being looked up now")]
    Busy,
}

impl Refused {
    /// Whether a request failed only because too much is being looked up.
    #[must_use]
    pub fn is_busy(error: &reqwest::Error) -> bool {
        let causes = std::iter::successors(error.source(), |&error| error.source());
        let mut refused = causes.filter_map(|cause| cause.downcast_ref::<Self>());
        refused.any(|refused| *refused == Self::Busy)
    }
}

/// Says which hosts may be connected to. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Guard {
    rules: Arc<Rules>,
    lookup: Lookup,
}

#[derive(Debug)]
struct Rules {
    allow_private: bool,
    hosts: BTreeSet<String>,
    networks: Vec<IpNet>,
}

impl Guard {
    /// A guard with the operator's exceptions.
    ///
    /// # Errors
    /// If an exception is neither a host name nor an address nor a network.
    pub fn new(config: &GuardConfig) -> Result<Self, NoException> {
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

    /// Judges an address that somebody spelled out.
    ///
    /// # Errors
    /// If it is special, and the operator made no exception.
    pub fn judge(&self, address: IpAddr) -> Result<(), Refused> {
        self.rules.judge(address)
    }

    /// The addresses of `host`, all of which may be connected to.
    ///
    /// # Errors
    /// If there are none, or one of them is special and the operator made no exception.
    pub async fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Refused> {
        let found = self.lookup.addresses(host, port);
        self.judge_found(host, port, found.await)
    }

    fn judge_found(
        &self,
        host: &str,
        port: u16,
        found: Result<Vec<SocketAddr>, Failed>,
    ) -> Result<Vec<SocketAddr>, Refused> {
        match found {
            Ok(addresses) => {
                self.rules.judge_all(host, &addresses)?;
                Ok(addresses)
            }
            Err(Failed::Busy) => Err(Refused::Busy),
            Err(Failed::Unresolved(error)) => {
                if is_loopback(host) {
                    // Some resolvers know it by one spelling only.
                    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
                    self.rules.judge_all(host, &[loopback])?;
                }
                Err(Refused::Unresolved {
                    host: host.to_owned(),
                    problem: error.to_string(),
                })
            }
        }
    }
}

impl Rules {
    fn allow(&mut self, entry: &str) -> Result<(), NoException> {
        let entry = entry.trim();
        if let Ok(network) = entry.parse::<IpNet>() {
            self.networks.push(network);
        } else if let Ok(address) = entry.parse::<IpAddr>() {
            self.networks.push(address.into());
        } else if let Ok(Host::Domain(name)) = Host::parse(entry) {
            self.hosts.insert(canonical(&name).to_owned());
        } else {
            return Err(NoException(entry.to_owned()));
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

/// `host` without its final dot, which means nothing more than its absence. URLs have put names into lower
/// case already.
pub(crate) fn canonical(host: &str) -> &str {
    host.strip_suffix('.').unwrap_or(host)
}

/// Whether a name means this machine wherever it is resolved (RFC 6761, 6.3).
fn is_loopback(host: &str) -> bool {
    let name = canonical(host);
    name == "localhost" || name.ends_with(".localhost")
}

/// The resolver of clients. Addresses that are spelled out never come here; [`Guard::judge`] sees them.
impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        // Port 0 stands for that of the URL. Who asks is known here and now.
        let found = self.lookup.addresses(name.as_str(), 0);
        Box::pin(async move {
            let addresses = guard.judge_found(name.as_str(), 0, found.await)?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(allow: &[&str]) -> Guard {
        Guard::new(&GuardConfig {
            allow_private: false,
            allow: allow.iter().copied().map(str::to_owned).collect(),
        })
        .unwrap()
    }

    #[tokio::test]
    async fn names_are_judged_by_their_addresses() {
        let found = guard(&[]).resolve("localhost", 80).await;
        assert_eq!(found, Err(Refused::Special("a loopback address")));
        // Whether the resolver knows them or not.
        for name in ["localhost.", "a.localhost"] {
            let found = guard(&[]).resolve(name, 80).await;
            assert_eq!(found, Err(Refused::Special("a loopback address")), "{name}");
        }
        let unknown = guard(&[]).resolve("nothing.invalid", 80).await;
        assert!(
            matches!(unknown, Err(Refused::Unresolved { .. })),
            "{unknown:?}"
        );
    }

    #[tokio::test]
    async fn the_client_is_given_checked_addresses_only() {
        let name = || "localhost".parse::<Name>().unwrap();
        assert!(Resolve::resolve(&guard(&[]), name()).await.is_err());
        assert!(
            Resolve::resolve(&guard(&["localhost"]), name())
                .await
                .is_ok()
        );
    }

    #[tokio::test]
    async fn an_operator_allows_hosts_addresses_and_networks() {
        let allowed = guard(&["LocalHost.", "10.1.0.0/16", "192.168.0.7", "fd00::/8"]);
        assert!(allowed.resolve("localhost", 80).await.is_ok());
        for (address, expected) in [
            ("10.1.2.3", true),
            ("192.168.0.7", true),
            ("fd00::1", true),
            ("127.0.0.1", false),
            ("10.2.0.1", false),
            ("192.168.0.8", false),
        ] {
            let judged = allowed.judge(address.parse().unwrap());
            assert_eq!(judged.is_ok(), expected, "{address}");
        }
        for wrong in ["10.0.0.0/99", "a b", ""] {
            let config = GuardConfig {
                allow: vec![wrong.to_owned()],
                ..GuardConfig::default()
            };
            assert_eq!(
                Guard::new(&config).unwrap_err(),
                NoException(wrong.to_owned())
            );
        }
    }

    #[tokio::test]
    async fn all_is_allowed_at_once_if_the_operator_says_so() {
        let config = GuardConfig {
            allow_private: true,
            ..GuardConfig::default()
        };
        let guard = Guard::new(&config).unwrap();
        assert_eq!(guard.judge("127.0.0.1".parse().unwrap()), Ok(()));
        assert!(guard.resolve("localhost", 9).await.is_ok());
    }
}
