//! Which hosts a rule is about, as an operator writes it.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::InvalidEgress;

/// The longest text of a pattern: the longest name, a scheme and a port.
const MAX_PATTERN_BYTES: usize = 253 + "https://".len() + ":65535".len();
/// The longest name and label (RFC 1035 2.3.4).
const MAX_NAME_BYTES: usize = 253;
const MAX_LABEL_BYTES: usize = 63;

/// How a request travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scheme {
    /// In the open.
    Http,
    /// Encrypted, to a host that proved its name.
    Https,
}

impl Scheme {
    /// The port where nothing else is said.
    #[must_use]
    pub fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }

    fn prefix(self) -> &'static str {
        match self {
            Self::Http => "http://",
            Self::Https => "https://",
        }
    }
}

/// Where a request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// How.
    pub scheme: Scheme,
    /// To whom.
    pub host: OriginHost,
    /// The port, which the URL says or the scheme implies.
    pub port: u16,
}

/// To whom a request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OriginHost {
    /// A name in its canonical form: lower case, `xn--` for other scripts, no final dot.
    Name(String),
    /// An address that the URL spells out.
    Address(IpAddr),
}

impl fmt::Display for OriginHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(address) => write_address(f, *address),
        }
    }
}

/// As the narrowest pattern without a scheme that matches it.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.host.fmt(f)?;
        match self.port == self.scheme.default_port() {
            true => Ok(()),
            false => write!(f, ":{}", self.port),
        }
    }
}

/// Hosts that a rule is about, written as `[SCHEME://]HOST[:PORT]`.
///
/// The host is a name (`api.example.com`), all names below one (`*.example.com`), an address
/// (`192.0.2.7`, `[2001:db8::7]`), or anything (`*`). Without a port it is the usual one of the scheme,
/// without a scheme it is either. Compared in canonical form, so the case does not matter.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostPattern {
    scheme: Option<Scheme>,
    hosts: Hosts,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Hosts {
    Any,
    /// All names that end with a dot and this one.
    Below(String),
    Name(String),
    Address(IpAddr),
}

impl HostPattern {
    /// Whether a request that goes to `origin` is meant.
    #[must_use]
    pub fn matches(&self, origin: &Origin) -> bool {
        self.scheme.is_none_or(|scheme| scheme == origin.scheme)
            && self.port.unwrap_or(origin.scheme.default_port()) == origin.port
            && self.hosts.matches(&origin.host)
    }

    /// Whether it names this very address.
    #[must_use]
    pub fn names(&self, address: IpAddr) -> bool {
        self.hosts == Hosts::Address(address)
    }

    /// The scheme that it insists on.
    #[must_use]
    pub fn scheme(&self) -> Option<Scheme> {
        self.scheme
    }

    /// Greater for what says more. No two different patterns that match the same origin are equal in this.
    pub(super) fn specificity(&self) -> impl Ord + use<> {
        let hosts = match &self.hosts {
            Hosts::Any => (0, 0),
            Hosts::Below(name) => (1, name.len()),
            Hosts::Name(_) | Hosts::Address(_) => (2, 0),
        };
        (hosts, self.port.is_some(), self.scheme.is_some())
    }
}

impl Hosts {
    fn matches(&self, host: &OriginHost) -> bool {
        match (self, host) {
            (Self::Any, _) => true,
            (Self::Below(parent), OriginHost::Name(name)) => name
                .strip_suffix(parent)
                .is_some_and(|child| child.len() > 1 && child.ends_with('.')),
            (Self::Name(own), OriginHost::Name(name)) => own == name,
            (Self::Address(own), OriginHost::Address(address)) => own == address,
            (Self::Below(_) | Self::Name(_) | Self::Address(_), _) => false,
        }
    }

    fn parse(text: &str) -> Result<Self, &'static str> {
        if text == "*" {
            return Ok(Self::Any);
        }
        if let Some(parent) = text.strip_prefix("*.") {
            return Ok(Self::Below(canonical_name(parent)?));
        }
        match text.parse::<IpAddr>() {
            Ok(address) => Ok(Self::Address(address)),
            Err(_) => Ok(Self::Name(canonical_name(text)?)),
        }
    }
}

impl fmt::Display for Hosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Below(name) => write!(f, "*.{name}"),
            Self::Name(name) => f.write_str(name),
            Self::Address(address) => write_address(f, *address),
        }
    }
}

fn write_address(f: &mut fmt::Formatter<'_>, address: IpAddr) -> fmt::Result {
    match address {
        IpAddr::V4(address) => write!(f, "{address}"),
        IpAddr::V6(address) => write!(f, "[{address}]"),
    }
}

impl FromStr for HostPattern {
    type Err = InvalidEgress;

    fn from_str(text: &str) -> Result<Self, InvalidEgress> {
        parse(&text.trim().to_ascii_lowercase()).map_err(|problem| InvalidEgress::Host {
            text: text.chars().take(MAX_PATTERN_BYTES).collect(),
            problem,
        })
    }
}

fn parse(text: &str) -> Result<HostPattern, &'static str> {
    if text.len() > MAX_PATTERN_BYTES {
        return Err("is too long");
    }
    let (scheme, rest) = split_scheme(text);
    if rest.contains('/') {
        return Err(
            "must be written as [SCHEME://]HOST[:PORT], with the scheme http or https and without a path",
        );
    }
    if rest.contains('@') {
        return Err("must not have a user name; add an Authorization header instead");
    }
    let (hosts, port) = split_port(rest)?;
    let port = port.map(parse_port).transpose()?;
    Ok(HostPattern {
        scheme,
        hosts,
        port,
    })
}

fn split_scheme(text: &str) -> (Option<Scheme>, &str) {
    let known = [Scheme::Http, Scheme::Https];
    let found = known
        .into_iter()
        .find_map(|scheme| Some((scheme, text.strip_prefix(scheme.prefix())?)));
    match found {
        Some((scheme, rest)) => (Some(scheme), rest),
        None => (None, text),
    }
}

/// The colons of an IPv6 address do not begin a port.
fn split_port(text: &str) -> Result<(Hosts, Option<&str>), &'static str> {
    if let Some(rest) = text.strip_prefix('[') {
        let bracketed = rest
            .split_once(']')
            .ok_or("has a bracket without its other half")?;
        let (address, rest) = bracketed;
        let address = address.parse::<Ipv6Addr>();
        let address = address.map_err(|_| "has no IPv6 address in its brackets")?;
        let port = match rest {
            "" => None,
            rest => Some(
                rest.strip_prefix(':')
                    .ok_or("has more than a port behind the brackets")?,
            ),
        };
        return Ok((Hosts::Address(address.into()), port));
    }
    if let Ok(address) = text.parse::<Ipv6Addr>() {
        return Ok((Hosts::Address(address.into()), None));
    }
    match text.rsplit_once(':') {
        Some((host, port)) => Ok((Hosts::parse(host)?, Some(port))),
        None => Ok((Hosts::parse(text)?, None)),
    }
}

fn parse_port(text: &str) -> Result<u16, &'static str> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let port = text.parse().ok().filter(|port| digits && *port != 0);
    port.ok_or("has a port that is not a number from 1 to 65535")
}

/// The form in which URLs have names. `text` is in lower case already; a final dot means nothing more
/// than its absence.
fn canonical_name(text: &str) -> Result<String, &'static str> {
    let name = text.strip_suffix('.').unwrap_or(text);
    if name.is_empty() {
        return Err("is empty");
    }
    if !name.is_ascii() {
        return Err("has letters that are not ASCII; write it in its `xn--` form");
    }
    if name.contains('*') {
        return Err("may have a `*` only alone, or as its first label");
    }
    let is_label = |label: &str| {
        (1..=MAX_LABEL_BYTES).contains(&label.len()) && label.bytes().all(is_name_byte)
    };
    if name.len() > MAX_NAME_BYTES || !name.split('.').all(is_label) {
        return Err("is not a name, an address or a pattern such as `*.example.com`");
    }
    // URLs with such hosts are taken for addresses, so the pattern would match nothing.
    if name.rsplit('.').next().is_some_and(is_number) {
        return Err("looks like an address; write all four numbers of it");
    }
    Ok(name.to_owned())
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_'
}

fn is_number(label: &str) -> bool {
    let is_hex = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    label.bytes().all(|byte| byte.is_ascii_digit()) || label.strip_prefix("0x").is_some_and(is_hex)
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.scheme.map_or("", Scheme::prefix))?;
        self.hosts.fmt(f)?;
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

impl TryFrom<String> for HostPattern {
    type Error = InvalidEgress;

    fn try_from(text: String) -> Result<Self, InvalidEgress> {
        text.parse()
    }
}

impl From<HostPattern> for String {
    fn from(pattern: HostPattern) -> Self {
        pattern.to_string()
    }
}
