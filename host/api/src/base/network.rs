//! Which addresses an operator trusts as proxies.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// A network such as `10.0.0.0/8`, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network(IpNet);

/// A text that is no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither an address nor a network such as 10.0.0.0/8")]
pub struct InvalidNetwork(String);

impl Network {
    /// Whether `address` is in it. An IPv4 address that came over IPv6 counts as what it is.
    pub(super) fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl TryFrom<String> for Network {
    type Error = InvalidNetwork;

    fn try_from(text: String) -> Result<Self, InvalidNetwork> {
        let network = text.parse::<IpNet>().ok();
        let address = || text.parse::<IpAddr>().ok().map(IpNet::from);
        let parsed = network.or_else(address).and_then(canonical);
        parsed.map(Self).ok_or(InvalidNetwork(text))
    }
}

/// How many bits come before the IPv4 address in an IPv6 address that stands for one.
const MAPPED_BITS: u8 = 96;

/// A network of IPv4 addresses that is written as one of IPv6 is what it is: addresses are looked at so, too.
/// Nothing if it is wider than all of IPv4.
fn canonical(network: IpNet) -> Option<IpNet> {
    let IpNet::V6(v6) = network else {
        return Some(network);
    };
    let Some(address) = v6.addr().to_ipv4_mapped() else {
        return Some(network);
    };
    let bits = v6.prefix_len().checked_sub(MAPPED_BITS)?;
    IpNet::new(address.into(), bits).ok()
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.to_string()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_and_addresses_are_taken() {
        for (text, inside, outside) in [
            ("10.0.0.0/8", "10.1.2.3", "11.0.0.1"),
            ("192.168.0.7", "::ffff:192.168.0.7", "192.168.0.8"),
            ("fd00::/8", "fd00::1", "fe80::1"),
            ("::ffff:10.0.0.0/104", "10.1.2.3", "11.0.0.1"),
            ("::ffff:10.0.0.7", "::ffff:10.0.0.7", "10.0.0.8"),
        ] {
            let network = Network::try_from(text.to_owned()).unwrap();
            assert!(network.contains(inside.parse().unwrap()), "{text}");
            assert!(!network.contains(outside.parse().unwrap()), "{text}");
        }
        for wrong in [
            "",
            "proxy.internal",
            "10.0.0.0/99",
            "10.0.0",
            "::ffff:10.0.0.0/95",
        ] {
            assert!(Network::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }
}
