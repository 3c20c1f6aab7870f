//! How callers show who they are, in the words of OpenAPI. The gate says which ways there are.

use serde_json::{Map, Value, json};

use crate::gate::{API_KEY_HEADER, Scheme, SchemeKind};

/// Declares `schemes`, any one of which is enough. A host without any serves anybody.
pub(super) fn require(document: &mut Value, schemes: &[Scheme]) {
    let Some(members) = document.as_object_mut().filter(|_| !schemes.is_empty()) else {
        return;
    };
    let any_of = schemes.iter().map(|scheme| json!({&scheme.name: []}));
    members.insert("security".to_owned(), any_of.collect());
    if let Some(Value::Object(components)) = members.get_mut("components") {
        let named = schemes
            .iter()
            .map(|scheme| (scheme.name.clone(), declared(scheme)));
        let named: Map<_, _> = named.collect();
        components.insert("securitySchemes".to_owned(), Value::Object(named));
    }
}

fn declared(scheme: &Scheme) -> Value {
    match &scheme.kind {
        SchemeKind::Bearer => json!({"type": "http", "scheme": "bearer"}),
        SchemeKind::ApiKey => json!({"type": "apiKey", "in": "header", "name": API_KEY_HEADER}),
        SchemeKind::OpenIdConnect { url } => {
            json!({"type": "openIdConnect", "openIdConnectUrl": url})
        }
        SchemeKind::MutualTls => json!({"type": "mutualTLS"}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_is_declared_and_enough() {
        let mut open = json!({"components": {}});
        require(&mut open, &[]);
        assert_eq!(open, json!({"components": {}}));
        let scheme = |name: &str, kind| Scheme {
            name: name.to_owned(),
            kind,
        };
        let url = "https://issuer/.well-known/openid-configuration".to_owned();
        let schemes = [
            scheme("bearer", SchemeKind::Bearer),
            scheme("key", SchemeKind::ApiKey),
            scheme("oidc", SchemeKind::OpenIdConnect { url }),
            scheme("mtls", SchemeKind::MutualTls),
        ];
        let mut guarded = json!({"components": {}});
        require(&mut guarded, &schemes);
        let any_of = json!([{"bearer": []}, {"key": []}, {"oidc": []}, {"mtls": []}]);
        assert_eq!(guarded["security"], any_of);
        let declared = &guarded["components"]["securitySchemes"];
        assert_eq!(declared["key"]["name"], API_KEY_HEADER);
        assert_eq!(declared["mtls"], json!({"type": "mutualTLS"}));
    }
}
