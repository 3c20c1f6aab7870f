//! Where and how an agent is called (A2A 8.3).

use a2a::{
    AgentInterface, TRANSPORT_PROTOCOL_GRPC, TRANSPORT_PROTOCOL_HTTP_JSON,
    TRANSPORT_PROTOCOL_JSONRPC,
};

use crate::base::Base;
use crate::target::Target;
use crate::{Config, compat};

/// All ways to call the agent `name` for whoever asks at `target`, the preferred one first.
pub(super) fn all(
    config: &Config,
    base: &Base,
    target: &Target,
    name: &str,
) -> Vec<AgentInterface> {
    let path = target.path_of(name);
    let url = base.join(&path);
    let http = |binding| AgentInterface {
        tenant: target.tenant.clone(),
        ..AgentInterface::new(url.as_str(), binding)
    };
    let mut interfaces = vec![
        http(TRANSPORT_PROTOCOL_JSONRPC),
        http(TRANSPORT_PROTOCOL_HTTP_JSON),
    ];
    // The paths of gRPC name operations alone, so its tenant says which agent is meant.
    interfaces.extend(grpc_address(config, base).map(|address| AgentInterface {
        tenant: Some(path),
        ..AgentInterface::new(address, TRANSPORT_PROTOCOL_GRPC)
    }));
    if config.protocol_0_3 {
        interfaces.extend(compat::card::interfaces(&url));
    }
    interfaces
}

/// Where gRPC is served, if cards are to say so. Unasked they are silent: the protocol's form of it,
/// `HOST:PORT`, is no URL, and clients that read every `url` as one refuse the whole card.
fn grpc_address(config: &Config, base: &Base) -> Option<String> {
    let own = || base.authority().filter(|_| config.advertise_grpc);
    config.grpc_url.clone().or_else(own)
}
