//! The addresses of agents, and what is served at each: calls by JSON-RPC, and the agent's card.

use std::sync::Arc;

use axum::Router;
use axum::routing::{MethodRouter, get};

use crate::{Config, Door, card, lost, rpc};

/// The addresses of agents: the default one, a named one, a named one for a tenant.
pub(crate) const BASES: [&str; 3] = ["", "/agents/{name}", "/{tenant}/agents/{name}"];

/// Where the card is, behind an agent's address.
pub(crate) const CARD_PATH: &str = "/.well-known/agent-card.json";
/// Where clients of 0.3 look for it.
const OLD_CARD_PATH: &str = "/.well-known/agent.json";

/// Where a client looks for a card that was given the address of an agent without a slash at its end, and
/// took the path of the card for a relative URL: the last segment gets lost.
const CUT_BASES: [&str; 2] = ["/agents", "/{tenant}/agents"];

/// Everything that is at the addresses of agents and has one path alone.
pub(crate) fn routes(config: &Config) -> Router<Arc<Door>> {
    let agents = BASES.iter().fold(Router::new(), |router, base| {
        let router = at_address(router, base);
        at_card(router, base, config, || get(card::show))
    });
    CUT_BASES.iter().fold(agents, |router, base| {
        at_card(router, base, config, || get(lost::cut_short))
    })
}

/// A person with a browser, or a client with the address alone, gets the card at the address itself.
fn at_address(router: Router<Arc<Door>>, base: &str) -> Router<Arc<Door>> {
    let served = || get(card::show).post(rpc::handle);
    let router = router.route(&format!("{base}/"), served());
    match base.is_empty() {
        true => router,
        false => router.route(base, served()),
    }
}

fn at_card(
    router: Router<Arc<Door>>,
    base: &str,
    config: &Config,
    served: impl Fn() -> MethodRouter<Arc<Door>>,
) -> Router<Arc<Door>> {
    let paths = [
        Some(CARD_PATH),
        config.protocol_0_3.then_some(OLD_CARD_PATH),
    ];
    let paths = paths.into_iter().flatten();
    paths.fold(router, |router, path| {
        router.route(&format!("{base}{path}"), served())
    })
}
