//! Where and how an agent is called (A2A 8.3).

use a2a::{
    AgentInterface, TRANSPORT_PROTOCOL_GRPC, TRANSPORT_PROTOCOL_HTTP_JSON,
    TRANSPORT_PROTOCOL_JSONRPC,
};

use super::base::Base;
use crate::compat;
use crate::target::Target;

/// All ways to call the agent `name` for whoever asks at `target`, the preferred one first.
pub(super) fn all(base: &Base, target: &Target, name: &str, old: bool) -> Vec<AgentInterface> {
    let path = target.path_of(name);
    let url = base.join(&path);
    let http = |binding| AgentInterface {
        tenant: target.tenant.clone(),
        ..AgentInterface::new(url.as_str(), binding)
    };
    let mut interfaces = vec![
        http(TRANSPORT_PROTOCOL_JSONRPC),
        http(TRANSPORT_PROTOCOL_HTTP_JSON),
        // The paths of gRPC name operations alone, so its tenant says which agent is meant.
        AgentInterface {
            tenant: Some(path),
            ..AgentInterface::new(base.authority(), TRANSPORT_PROTOCOL_GRPC)
        },
    ];
    if old {
        interfaces.extend(compat::card::interfaces(&url));
    }
    interfaces
}
