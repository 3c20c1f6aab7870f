//! The HTTP client of the command line.

use std::time::Duration;

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
    let builder = reqwest::Client::builder()
        .user_agent(concat!("taskyard-cli/", env!("CARGO_PKG_VERSION")))
        .tcp_nodelay(true)
        .connect_timeout(CONNECT_TIMEOUT)
        .tls_backend_preconfigured(tls::client_config(config)?);
    let builder = if is_loopback(url) {
        builder.no_proxy()
    } else {
        builder
    };
    Ok(builder.build()?)
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
