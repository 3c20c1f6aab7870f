//! Judges webhooks: where the host may be made to post to, and where not.
//!
//! The same rules hold three times: for the URL when it is registered, for the addresses that its name
//! has then, and for the addresses that its name has when a connection is made. A name that has no address
//! when it is registered may have one by then, so it is taken.

use futures::TryFutureExt as _;
use futures::future::BoxFuture;
use taskyard_broker::{NotTaken, WebhookPolicy};
use taskyard_outbound::{Guard, on_behalf_of};
use taskyard_task::Tenant;
use url::{Host, Url};

use crate::config::{Config, Error};

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
    /// The host does not connect there.
    #[error(transparent)]
    Host(#[from] taskyard_outbound::Refused),
}

/// Says which URLs may be webhooks. Cheap to clone.
#[derive(Debug, Clone)]
pub struct UrlGuard(Guard);

impl UrlGuard {
    /// A guard with the operator's exceptions.
    ///
    /// # Errors
    /// If an exception is neither a host name nor an address nor a network.
    pub fn new(config: &Config) -> Result<Self, Error> {
        Ok(Self(Guard::new(&config.guard())?))
    }

    /// The guard of addresses alone.
    pub(crate) fn addresses(&self) -> &Guard {
        &self.0
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
            Some(Host::Ipv4(address)) => self.0.judge(address.into())?,
            Some(Host::Ipv6(address)) => self.0.judge(address.into())?,
            Some(Host::Domain(_)) => {}
        }
        Ok(url)
    }

    /// Checks a URL and the addresses that its name has now. The resolver may be out of order, or the name
    /// not yet there: what cannot be resolved is judged at each delivery.
    ///
    /// # Errors
    /// What is wrong with the URL.
    pub async fn check(&self, tenant: &Tenant, url: &str) -> Result<(), Refused> {
        let url = self.parse(url)?;
        let Some(Host::Domain(host)) = url.host() else {
            return Ok(());
        };
        let port = url.port_or_known_default().unwrap_or_default();
        let found = on_behalf_of(tenant.as_str(), self.0.resolve(host, port));
        match found.await {
            Ok(_) | Err(taskyard_outbound::Refused::Unresolved { .. }) => Ok(()),
            Err(special) => Err(special.into()),
        }
    }
}

impl WebhookPolicy for UrlGuard {
    fn check<'a>(
        &'a self,
        tenant: &'a Tenant,
        url: &'a str,
    ) -> BoxFuture<'a, Result<(), NotTaken>> {
        let checked = self.check(tenant, url);
        Box::pin(checked.map_err(|refused| match refused {
            Refused::Host(taskyard_outbound::Refused::Busy) => {
                NotTaken::Busy(format!("the webhook's URL {refused}"))
            }
            refused => NotTaken::Refused(refused.to_string()),
        }))
    }
}

#[cfg(test)]
mod tests {
    use taskyard_outbound::Refused::{Special, Unresolved};

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
                matches!(judged, Err(Refused::Host(Special(_)))),
                "{url}: {judged:?}"
            );
        }
    }

    #[tokio::test]
    async fn names_are_judged_by_their_addresses() {
        assert_eq!(
            guard(&[])
                .check(&Tenant::default(), "http://localhost/")
                .await,
            Err(Refused::Host(Special("a loopback address")))
        );
    }

    #[tokio::test]
    async fn a_name_without_an_address_is_judged_at_each_delivery() {
        let guard = guard(&[]);
        assert_eq!(
            guard
                .check(&Tenant::default(), "http://nothing.invalid/")
                .await,
            Ok(())
        );
        let unresolved = guard.addresses().resolve("nothing.invalid", 80).await;
        assert!(
            matches!(unresolved, Err(Unresolved { .. })),
            "{unresolved:?}"
        );
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
            assert_eq!(
                allowed.check(&Tenant::default(), url).await,
                Ok(()),
                "{url}"
            );
        }
        for url in [
            "http://127.0.0.1/",
            "http://10.2.0.1/",
            "http://192.168.0.8/",
        ] {
            assert!(
                allowed.check(&Tenant::default(), url).await.is_err(),
                "{url}"
            );
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
        assert_eq!(
            guard.check(&Tenant::default(), "http://127.0.0.1:9/").await,
            Ok(())
        );
        assert_eq!(
            guard.check(&Tenant::default(), "http://localhost:9/").await,
            Ok(())
        );
    }
}
