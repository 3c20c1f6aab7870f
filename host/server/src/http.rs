//! The HTTP client of the command line.

use std::time::Duration;

use reqwest::redirect::Policy;

use crate::config::Config;
use crate::tls;

/// Long enough for a host on the other side of the world; a host that does not answer at all is
/// noticed soon. There is no limit on answers: some wait for tasks.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A client for calls to `url`. Proxies are for the outside: a host on this machine is called directly.
///
/// # Errors
/// If a file of `[cli]` cannot be used, or the client cannot be set up.
pub(crate) fn client(url: &str, config: &Config) -> anyhow::Result<reqwest::Client> {
    Ok(builder(url, config)?.build()?)
}

/// A client for calls to an agent at `url`, which leaves redirects to its user.
///
/// # Errors
/// As those of [`client`].
pub(crate) fn agent_client(url: &str, config: &Config) -> anyhow::Result<reqwest::Client> {
    Ok(builder(url, config)?.redirect(Policy::none()).build()?)
}

fn builder(url: &str, config: &Config) -> anyhow::Result<reqwest::ClientBuilder> {
    let builder = reqwest::Client::builder()
        .user_agent(concat!("taskyard-cli/", env!("CARGO_PKG_VERSION")))
        .tcp_nodelay(true)
        .connect_timeout(CONNECT_TIMEOUT)
        .tls_backend_preconfigured(tls::client_config(config)?);
    Ok(match is_loopback(url) {
        true => builder.no_proxy(),
        false => builder,
    })
}

fn is_loopback(url: &str) -> bool {
    let url = url::Url::parse(url).ok();
    match url.as_ref().and_then(url::Url::host) {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
