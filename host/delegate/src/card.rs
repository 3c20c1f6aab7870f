//! Agent cards of strangers: where they are, and what matters of one. Pure.
//!
//! Of a card this host needs an address that it can speak to, and nothing else: so nothing else can be
//! wrong with it. What is needed is read leniently, and a card that cannot be used says which field is to
//! blame.

use serde_json::Value;
use url::Url;

use crate::problem::Problem;

/// Where agents have their cards (A2A 8.2).
const WELL_KNOWN: &str = "/.well-known/agent-card.json";
/// Interfaces that are looked at. Cards have one for each binding and version.
const MAX_INTERFACES: usize = 64;

/// A way to speak to an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Binding {
    JsonRpc,
    HttpJson,
}

/// What matters of an agent's card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Card {
    /// Where the agent takes requests.
    pub(crate) endpoint: Url,
    pub(crate) binding: Binding,
    /// What each request must name (A2A 8.3.2).
    pub(crate) tenant: Option<String>,
    /// Whether tasks can be followed by a stream.
    pub(crate) streams: bool,
}

/// Where the card of an agent may be, the likeliest place first.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Places {
    /// The address that was given.
    pub(crate) address: Url,
    /// Where the card of that address is.
    pub(crate) own: Url,
    /// The card of the whole host, which counts only if it names the address.
    pub(crate) of_origin: Option<Url>,
}

/// The address of a card is that of a JSON document; anything else is that of a host or an agent.
pub(crate) fn places(text: &str) -> Result<Places, Problem> {
    let wrong = |error| Problem::Denied(format!("{text:?} is not a URL: {error}"));
    let address = Url::parse(text).map_err(wrong)?;
    let path = address.path().trim_end_matches('/').to_owned();
    let mut own = address.clone();
    if path.ends_with(".json") {
        return Ok(Places {
            address,
            own,
            of_origin: None,
        });
    }
    own.set_path(&format!("{path}{WELL_KNOWN}"));
    let of_origin = (!path.is_empty()).then(|| {
        let mut of_origin = own.clone();
        of_origin.set_path(WELL_KNOWN);
        of_origin
    });
    Ok(Places {
        address,
        own,
        of_origin,
    })
}

/// Reads a card that was found at `found`. With `named`, only interfaces at that address count.
///
/// # Errors
/// What is wrong with it, by field.
pub(crate) fn read(card: &Value, found: &Url, named: Option<&Url>) -> Result<Card, String> {
    let interfaces = field(card, "supportedInterfaces", "supported_interfaces");
    let Some(interfaces) = interfaces else {
        return Err(without_interfaces(card));
    };
    let Value::Array(interfaces) = interfaces else {
        return Err("supportedInterfaces is not a list".to_owned());
    };
    let base = base(found);
    let mut usable = Vec::new();
    let mut problems = Vec::new();
    for (index, interface) in interfaces.iter().take(MAX_INTERFACES).enumerate() {
        let read = interface_of(interface, &base);
        match read {
            Ok((endpoint, ..)) if named.is_some_and(|named| !is_same(&endpoint, named)) => {
                problems.push(format!(
                    "supportedInterfaces[{index}].url is another address"
                ));
            }
            Ok(read) => usable.push(read),
            Err(problem) => problems.push(format!("supportedInterfaces[{index}]{problem}")),
        }
    }
    // JSON-RPC first: what a refusal means for a message is clearer there.
    usable.sort_by_key(|(_, binding, _)| *binding != Binding::JsonRpc);
    let Some((endpoint, binding, tenant)) = usable.into_iter().next() else {
        return Err(match problems.as_slice() {
            [] => "supportedInterfaces is empty".to_owned(),
            _ => problems.join("; "),
        });
    };
    let capabilities = field(card, "capabilities", "capabilities").unwrap_or(&Value::Null);
    Ok(Card {
        endpoint,
        binding,
        tenant,
        streams: capabilities.get("streaming") == Some(&Value::Bool(true)),
    })
}

/// Whether a card that was found at `found` names an address, as one of its interfaces.
pub(crate) fn names(card: &Value, found: &Url, address: &Url) -> bool {
    let interfaces = field(card, "supportedInterfaces", "supported_interfaces");
    let interfaces = interfaces.and_then(Value::as_array).into_iter().flatten();
    let base = base(found);
    interfaces.take(MAX_INTERFACES).any(|interface| {
        let url = field(interface, "url", "url").and_then(Value::as_str);
        let url = url.and_then(|url| base.join(url.trim()).ok());
        url.is_some_and(|url| is_same(&url, address))
    })
}

/// Whether a document is a card at all, right or wrong.
pub(crate) fn is_card(document: &Value) -> bool {
    let has = |name| document.get(name).is_some();
    document.is_object()
        && (has("supportedInterfaces")
            || has("supported_interfaces")
            || has("capabilities")
            || has("protocolVersion")
            || (has("name") && has("skills")))
}

fn without_interfaces(card: &Value) -> String {
    match card.get("protocolVersion").and_then(Value::as_str) {
        Some(version) => format!(
            "protocolVersion is {:?} and supportedInterfaces is missing: it does not speak A2A 1.0",
            short(version)
        ),
        None => "supportedInterfaces is missing".to_owned(),
    }
}

type Interface = (Url, Binding, Option<String>);

fn interface_of(interface: &Value, base: &Url) -> Result<Interface, String> {
    if !interface.is_object() {
        return Err(" is not an object".to_owned());
    }
    let binding = binding_of(text(interface, "protocolBinding", "protocol_binding")?)?;
    let version = text(interface, "protocolVersion", "protocol_version")?.unwrap_or_default();
    if !is_version_1(version) {
        return Err(format!(
            ".protocolVersion is {:?}, and this host speaks 1.0",
            short(version)
        ));
    }
    let url = text(interface, "url", "url")?.unwrap_or_default().trim();
    if url.is_empty() {
        return Err(".url is missing".to_owned());
    }
    let wrong = |problem: &str| format!(".url is {:?}: {problem}", short(url));
    let endpoint = base.join(url).map_err(|error| wrong(&error.to_string()))?;
    if !matches!(endpoint.scheme(), "http" | "https") {
        return Err(wrong("it must begin with https:// or http://"));
    }
    let tenant = text(interface, "tenant", "tenant")?.filter(|tenant| !tenant.is_empty());
    Ok((endpoint, binding, tenant.map(str::to_owned)))
}

/// The name of a binding, in whatever case and with whatever between its words.
fn binding_of(name: Option<&str>) -> Result<Binding, String> {
    let Some(name) = name.filter(|name| !name.trim().is_empty()) else {
        return Err(".protocolBinding is missing".to_owned());
    };
    let letters = name.chars().filter(char::is_ascii_alphanumeric);
    match letters.collect::<String>().to_ascii_uppercase().as_str() {
        "JSONRPC" => Ok(Binding::JsonRpc),
        "HTTPJSON" | "REST" => Ok(Binding::HttpJson),
        _ => Err(format!(
            ".protocolBinding is {:?}, and this host speaks JSONRPC and HTTP+JSON",
            short(name)
        )),
    }
}

/// `1`, `v1`, `1.0`, `1.0.3`. A server that leaves it out is taken at its word that it has a 1.0 card.
fn is_version_1(version: &str) -> bool {
    let version = version.trim().trim_start_matches(['v', 'V']);
    matches!(version.split('.').next(), Some("1" | ""))
}

/// What relative URLs in a card are relative to: the address that the card is the card of.
fn base(found: &Url) -> Url {
    let mut base = found.clone();
    base.set_query(None);
    if let Some(path) = found.path().strip_suffix(WELL_KNOWN) {
        base.set_path(&format!("{path}/"));
    }
    base
}

/// Whether two URLs are one address. A slash at the end makes no difference.
fn is_same(one: &Url, other: &Url) -> bool {
    let path = |url: &Url| url.path().trim_end_matches('/').to_owned();
    one.origin() == other.origin() && path(one) == path(other)
}

/// A field by either of its names in ProtoJSON; one that is null is not there.
fn field<'v>(value: &'v Value, name: &str, other: &str) -> Option<&'v Value> {
    let found = value.get(name).or_else(|| value.get(other));
    found.filter(|value| !value.is_null())
}

fn text<'v>(value: &'v Value, name: &str, other: &str) -> Result<Option<&'v str>, String> {
    match field(value, name, other) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!(".{name} is not text")),
    }
}

/// What is quoted of a stranger's words.
fn short(text: &str) -> String {
    text.chars().take(100).collect()
}

#[cfg(test)]
mod tests;
