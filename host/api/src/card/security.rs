//! What callers must show, as the card says it (A2A 4.5).

use std::collections::HashMap;

use a2a::{
    ApiKeySecurityScheme, HttpAuthSecurityScheme, MutualTlsSecurityScheme,
    OpenIdConnectSecurityScheme, SecurityRequirement, SecurityScheme,
};

use crate::gate::{API_KEY_HEADER, Gate, Scheme, SchemeKind};

/// Two members of a card.
pub(super) struct Security {
    /// The ways to show who one is, by name.
    pub(super) schemes: Option<HashMap<String, SecurityScheme>>,
    /// Any one of these is enough.
    pub(super) requirements: Option<Vec<SecurityRequirement>>,
}

/// What `gate` wants to see. Nothing if it is open.
pub(super) fn of(gate: &Gate) -> Security {
    if gate.is_open() {
        return Security {
            schemes: None,
            requirements: None,
        };
    }
    let schemes = gate.schemes();
    let requirements = schemes
        .iter()
        .map(|scheme| HashMap::from([(scheme.name.clone(), Vec::new())]));
    Security {
        requirements: Some(requirements.collect()),
        schemes: Some(schemes.into_iter().map(declared).collect()),
    }
}

fn declared(scheme: Scheme) -> (String, SecurityScheme) {
    let description = None;
    let declared = match scheme.kind {
        SchemeKind::Bearer => SecurityScheme::HttpAuth(HttpAuthSecurityScheme {
            scheme: "Bearer".to_owned(),
            description,
            bearer_format: None,
        }),
        SchemeKind::ApiKey => SecurityScheme::ApiKey(ApiKeySecurityScheme {
            location: "header".to_owned(),
            name: API_KEY_HEADER.to_owned(),
            description,
        }),
        SchemeKind::OpenIdConnect { url } => {
            SecurityScheme::OpenIdConnect(OpenIdConnectSecurityScheme {
                open_id_connect_url: url,
                description,
            })
        }
        SchemeKind::MutualTls => SecurityScheme::MutualTls(MutualTlsSecurityScheme { description }),
    };
    (scheme.name, declared)
}
