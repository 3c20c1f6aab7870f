//! The document as a whole.

use serde_json::{Map, Value, json};

use super::operation::operation;
use super::response;
use super::rule::Rule;
use super::schema::Schemas;
use super::security;
use crate::Config;
use crate::extension::Extension;
use crate::gate::Scheme;

const DESCRIPTION: &str = "The HTTP+JSON binding of the A2A protocol. Paths follow the base URL of an \
    agent, as its card names it; without an agent's name they mean the host's default agent, if it has one. Members and \
    parameters may also be written in snake_case, and unknown ones are ignored.";

/// The document of a host that wants to see one of `schemes`, or nothing if there are none.
pub(crate) fn document(config: &Config, schemes: &[Scheme]) -> Value {
    let mut schemas = Schemas::new();
    let mut paths = Map::new();
    for rule in Rule::all() {
        let described = operation(&rule, &mut schemas);
        let at_path = paths.entry(rule.path).or_insert_with(|| json!({}));
        if let Value::Object(methods) = at_path {
            methods.insert(rule.verb.to_owned(), described);
        }
    }
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Taskyard",
            "description": DESCRIPTION,
            "version": env!("CARGO_PKG_VERSION"),
        },
        "servers": servers(config.public_url.as_deref()),
        "paths": paths,
        "components": components(config, schemas),
    });
    security::require(&mut document, schemes);
    document
}

/// The base URLs. A relative one starts from where the document is.
fn servers(public_url: Option<&str>) -> Value {
    let base = public_url.unwrap_or_default().trim_end_matches('/');
    let of = |name: &str| json!({"default": name});
    json!([
        {
            "url": format!("{base}/"),
            "description": "the default agent, if there is one",
        },
        {
            "url": format!("{base}/agents/{{agent}}"),
            "description": "an agent, by its name",
            "variables": {"agent": of("echo")},
        },
        {
            "url": format!("{base}/{{client}}/agents/{{agent}}"),
            "description": "an agent, on behalf of a tenant",
            "variables": {"client": of("acme"), "agent": of("echo")},
        },
    ])
}

fn components(config: &Config, schemas: Schemas) -> Value {
    let mut schemas = schemas.into_components();
    if let Value::Object(named) = &mut schemas {
        named.insert("Error".to_owned(), response::error_schema());
    }
    json!({
        "schemas": schemas,
        "parameters": parameters(config),
        "responses": response::errors(),
    })
}

fn parameters(config: &Config) -> Value {
    let extensions = Extension::ALL.map(Extension::uri).join(", ");
    json!({
        "Version": {
            "name": a2a::SVC_PARAM_VERSION,
            "in": "header",
            "required": config.assume_version_when_absent.is_none(),
            "description": "The version of the protocol that the request is written in. It may also be a \
                parameter of the query.",
            "schema": {"type": "string", "enum": [a2a::VERSION]},
        },
        "Extensions": {
            "name": "A2A-Extensions",
            "in": "header",
            "description": format!("The extensions that the request uses, separated by commas. This host \
                knows {extensions}."),
            "schema": {"type": "string"},
        },
        "IdempotencyKey": {
            "name": "Idempotency-Key",
            "in": "header",
            "description": "A send that is repeated with the same key takes effect once. A key has no \
                comma in it.",
            "schema": {"type": "string", "pattern": "^[!-+\\--~]{1,255}$"},
        },
        "LastEventId": {
            "name": "Last-Event-ID",
            "in": "header",
            "description": "The last event that the client has seen; the stream goes on behind it.",
            "schema": {"type": "integer", "minimum": 0},
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_where_clients_reach_the_host() {
        assert_eq!(servers(None)[0]["url"], "/");
        let public = servers(Some("https://agents.example.com/yard/"));
        let url = "https://agents.example.com/yard/agents/{agent}";
        assert_eq!(public[1]["url"], url);
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document = document(&Config::default(), &[]);
        let text = document.to_string();
        let references: Vec<_> = text.split("\"$ref\":\"#").skip(1).collect();
        assert!(references.len() > 100);
        for rest in references {
            let pointer = rest.split('"').next().unwrap();
            assert!(document.pointer(pointer).is_some(), "{pointer}");
        }
    }

    #[test]
    fn every_schema_is_one() {
        let document = document(&Config::default(), &[]);
        let schemas = document["components"]["schemas"].as_object().unwrap();
        for (name, schema) in schemas {
            assert!(jsonschema::meta::is_valid(schema), "{name}");
        }
    }
}
