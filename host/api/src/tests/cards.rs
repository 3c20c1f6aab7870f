//! Agent cards over HTTP.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use taskyard_broker::DeployRequest;

use super::host::Host;
use super::http::{Answer, ask};
use crate::{ClientCredential, Config, Extension, Provider, Token};

const ECHO: &str = "/agents/echo/.well-known/agent-card.json";

/// A host that knows how clients reach it, and so signs what it says about that.
fn known() -> Config {
    Config {
        public_url: Some("http://10.0.0.1:8080".to_owned()),
        ..Config::default()
    }
}

async fn get(host: &Host, uri: &str, headers: &[(&str, &str)]) -> Answer {
    let request = Request::get(uri).header("host", "10.0.0.1:8080");
    let request = headers.iter().fold(request, |request, (name, value)| {
        request.header(*name, *value)
    });
    ask(&host.public, request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn cards_are_where_clients_look_for_them() {
    let host = Host::new(Config::default()).await;
    for (uri, url) in [
        (
            "/.well-known/agent-card.json",
            "http://10.0.0.1:8080/agents/echo",
        ),
        (
            "/agents/echo/.well-known/agent-card.json",
            "http://10.0.0.1:8080/agents/echo",
        ),
        (
            "/acme/agents/echo/.well-known/agent-card.json",
            "http://10.0.0.1:8080/acme/agents/echo",
        ),
    ] {
        let answer = get(&host, uri, &[]).await;
        assert_eq!(answer.status, StatusCode::OK, "{uri}");
        assert_eq!(answer.header("content-type"), "application/json");
        let card = answer.json();
        assert_eq!(card["supportedInterfaces"][0]["url"], url);
        assert_eq!(card["defaultInputModes"][0], "text/*");
    }
}

#[tokio::test]
async fn agents_that_do_not_exist_have_no_card() {
    let host = Host::new(Config::default()).await;
    for uri in [
        "/agents/other/.well-known/agent-card.json",
        "/a%20b/agents/echo/.well-known/agent-card.json",
    ] {
        assert_eq!(
            get(&host, uri, &[]).await.status,
            StatusCode::NOT_FOUND,
            "{uri}"
        );
    }
    let empty = Host::without_agents(Config::default());
    let answer = get(&empty, "/.well-known/agent-card.json", &[]).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert_eq!(answer.json()["error"]["code"], "agent-not-found");
}

#[tokio::test]
async fn the_address_of_an_agent_shows_its_card() {
    let host = Host::new(known()).await;
    for address in [
        "/",
        "/agents/echo",
        "/agents/echo/",
        "/acme/agents/echo",
        "/acme/agents/echo/",
    ] {
        let at_address = get(&host, address, &[]).await;
        assert_eq!(at_address.status, StatusCode::OK, "{address}");
        let address = address.trim_end_matches('/');
        for path in ["/.well-known/agent-card.json", "/.well-known/agent.json"] {
            let card = get(&host, &format!("{address}{path}"), &[]).await;
            assert_eq!(card.body, at_address.body, "{address}{path}");
        }
    }
    let new = Host::new(Config {
        protocol_0_3: false,
        ..known()
    })
    .await;
    let old = get(&new, "/agents/echo/.well-known/agent.json", &[]).await;
    assert_eq!(old.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn only_the_default_agent_or_the_only_one_is_at_the_root() {
    let guessing = Host::of_two(known(), None).await;
    for root in ["/", "/.well-known/agent-card.json"] {
        let nobody = get(&guessing, root, &[]).await;
        assert_eq!(nobody.status, StatusCode::NOT_FOUND, "{root}");
        let message = nobody.json()["error"]["message"].take();
        let message = message.as_str().unwrap();
        assert!(
            message.contains("http://10.0.0.1:8080/agents/NAME"),
            "{message}"
        );
    }
    let told = Host::of_two(known(), Some("echo")).await;
    let card = get(&told, "/", &[]).await;
    assert_eq!(card.json()["name"], "echo");
    assert!(!card.header("last-modified").is_empty());
}

#[tokio::test]
async fn a_client_whose_relative_url_lost_the_agent_is_told_so() {
    let host = Host::new(known()).await;
    for cut in [
        "/agents/.well-known/agent-card.json",
        "/agents/.well-known/agent.json",
        "/acme/agents/.well-known/agent-card.json",
    ] {
        let answer = get(&host, cut, &[]).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{cut}");
        let text = answer.text();
        assert!(text.contains("a slash at its end"), "{text}");
        assert!(text.contains("http://10.0.0.1:8080/agents/NAME/"), "{text}");
    }
}

/// All addresses in a card, in the members of both versions.
fn addresses(card: &Value) -> Vec<String> {
    let lists = [&card["supportedInterfaces"], &card["additionalInterfaces"]];
    let entries = lists.iter().filter_map(|list| list.as_array()).flatten();
    let urls = entries.map(|entry| &entry["url"]).chain([&card["url"]]);
    urls.filter_map(|url| url.as_str().map(str::to_owned))
        .collect()
}

#[tokio::test]
async fn every_address_in_a_card_is_a_url_that_leads_there() {
    for (public_url, base) in [
        (None, "http://10.0.0.1:8080"),
        (
            Some("https://agents.example.com"),
            "https://agents.example.com",
        ),
        (
            Some("https://example.com/yard/"),
            "https://example.com/yard",
        ),
    ] {
        let host = Host::new(Config {
            public_url: public_url.map(str::to_owned),
            ..Config::default()
        })
        .await;
        for path in ["/agents/echo", "/acme/agents/echo"] {
            let card = get(&host, path, &[]).await.json();
            let addresses = addresses(&card);
            assert_eq!(addresses.len(), 7);
            for address in addresses {
                // As the strictest readers do: WHATWG's rules, and nothing is left to repair.
                let url = url::Url::parse(&address).unwrap();
                assert_eq!(url.as_str(), address);
                assert_eq!(address, format!("{base}{path}"));
            }
        }
    }
}

#[tokio::test]
async fn grpc_is_offered_if_the_operator_says_so() {
    let offered = async |config: Config| {
        let host = Host::new(config).await;
        let card = get(&host, ECHO, &[]).await.json();
        let all = card["supportedInterfaces"].as_array().unwrap().clone();
        let mut grpc = all
            .into_iter()
            .filter(|one| one["protocolBinding"] == "GRPC");
        grpc.next()
    };
    let entry = |url: &str| {
        Some(json!({
            "url": url, "protocolBinding": "GRPC", "protocolVersion": "1.0",
            "tenant": "agents/echo",
        }))
    };
    let advertised = || Config {
        advertise_grpc: true,
        ..Config::default()
    };
    assert_eq!(offered(Config::default()).await, None);
    assert_eq!(offered(advertised()).await, entry("10.0.0.1:8080"));
    let with_path = Config {
        public_url: Some("https://example.com/yard".to_owned()),
        ..advertised()
    };
    assert_eq!(
        offered(with_path.clone()).await,
        None,
        "it is never guessed"
    );
    let told = Config {
        grpc_url: Some("grpc.example.com:443".to_owned()),
        ..with_path
    };
    assert_eq!(offered(told).await, entry("grpc.example.com:443"));
}

#[tokio::test]
async fn a_copy_is_good_until_the_next_deployment() {
    let host = Host::new(known()).await;
    let uri = "/.well-known/agent-card.json";
    let tag = get(&host, uri, &[]).await.header("etag").to_owned();
    let known = [("if-none-match", tag.as_str())];
    let answer = get(&host, uri, &known).await;
    assert_eq!(answer.status, StatusCode::NOT_MODIFIED);
    assert_eq!(answer.header("etag"), tag);
    assert!(answer.body.is_empty());

    let next = DeployRequest {
        agent: None,
        component: b"1.0.1".to_vec(),
        config: None,
        limits: taskyard_task::LimitChanges::default(),
        max_runs: None,
        egress: None,
        answer_by_context: None,
        replace: false,
    };
    host.broker.deploy(next).await.unwrap();
    let answer = get(&host, uri, &known).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.json()["version"], "1.0.1");
}

#[tokio::test]
async fn the_card_of_an_open_host() {
    let host = Host::new(Config {
        protocol_0_3: false,
        streaming: false,
        provider: Some(Provider {
            organization: "Acme".to_owned(),
            url: "https://acme.example".to_owned(),
        }),
        documentation_url: Some("https://acme.example/docs".to_owned()),
        required_extensions: [("echo".parse().unwrap(), vec![Extension::Priority])].into(),
        ..known()
    })
    .await;
    let mut card = get(&host, ECHO, &[]).await.json();
    let extensions = card["capabilities"]["extensions"].take();
    let signatures = card["signatures"].take();
    let skill = |id: &str| {
        json!({
            "id": id, "name": id.to_uppercase(), "description": format!("Can {id} it."),
            "tags": ["echo"], "outputModes": ["text/plain"],
        })
    };
    assert_eq!(
        card,
        json!({
            "name": "echo",
            "description": "Does as it is told.",
            "version": "1.0.0",
            "supportedInterfaces": [
                {"url": "http://10.0.0.1:8080/agents/echo", "protocolBinding": "JSONRPC",
                 "protocolVersion": "1.0"},
                {"url": "http://10.0.0.1:8080/agents/echo", "protocolBinding": "HTTP+JSON",
                 "protocolVersion": "1.0"},
            ],
            "capabilities": {
                "streaming": false, "pushNotifications": true, "extendedAgentCard": false,
                "extensions": null,
            },
            "defaultInputModes": ["text/*"],
            "defaultOutputModes": ["text/plain"],
            "skills": [skill("say"), skill("whisper")],
            "provider": {"organization": "Acme", "url": "https://acme.example"},
            "documentationUrl": "https://acme.example/docs",
            "signatures": null,
        })
    );
    assert_eq!(signatures.as_array().unwrap().len(), 1);
    let extensions = extensions.as_array().unwrap();
    assert_eq!(extensions.len(), Extension::ALL.len());
    for (declared, extension) in extensions.iter().zip(Extension::ALL) {
        assert_eq!(declared["uri"], extension.uri());
        let required = declared
            .get("required")
            .is_some_and(|required| required == true);
        assert_eq!(required, extension == Extension::Priority);
    }
}

#[tokio::test]
async fn a_tenants_card_leads_to_the_tenants_door() {
    let host = Host::new(Config::default()).await;
    let uri = "/acme/agents/echo/.well-known/agent-card.json";
    let card = get(&host, uri, &[]).await.json();
    let url = "http://10.0.0.1:8080/acme/agents/echo";
    assert_eq!(
        card["supportedInterfaces"],
        json!([
            {"url": url, "protocolBinding": "JSONRPC", "protocolVersion": "1.0", "tenant": "acme"},
            {"url": url, "protocolBinding": "HTTP+JSON", "protocolVersion": "1.0", "tenant": "acme"},
            {"url": url, "protocolBinding": "JSONRPC", "protocolVersion": "0.3"},
            {"url": url, "protocolBinding": "HTTP+JSON", "protocolVersion": "0.3"},
        ])
    );
}

#[tokio::test]
async fn clients_that_name_the_version_get_nothing_of_the_older_one() {
    let host = Host::new(known()).await;
    let old = get(&host, ECHO, &[]).await;
    let new = get(&host, ECHO, &[("a2a-version", "1.0")]).await;
    assert_eq!(old.json()["preferredTransport"], "JSONRPC");
    assert!(new.json().get("preferredTransport").is_none());
    assert_eq!(
        old.json()["signatures"],
        new.json()["signatures"],
        "one card is signed"
    );
    assert_ne!(old.header("etag"), new.header("etag"));
    assert_eq!(
        (old.header("vary"), new.header("vary")),
        ("a2a-version", "a2a-version")
    );
}

#[tokio::test]
async fn a_card_says_how_long_it_is_good_and_which_one_it_is() {
    let host = Host::new(Config::default()).await;
    let first = get(&host, ECHO, &[]).await;
    assert_eq!(
        first.header("cache-control"),
        "public, max-age=0, must-revalidate"
    );
    let again = get(&host, ECHO, &[]).await;
    assert_eq!(again.body, first.body);
    for name in ["etag", "last-modified"] {
        assert_eq!(again.header(name), first.header(name));
    }

    let date = first.header("last-modified").to_owned();
    let since = get(&host, ECHO, &[("if-modified-since", &date)]).await;
    assert_eq!(since.status, StatusCode::NOT_MODIFIED);
    let both = [
        ("if-modified-since", date.as_str()),
        ("if-none-match", "\"other\""),
    ];
    assert_eq!(get(&host, ECHO, &both).await.status, StatusCode::OK);

    let root = get(&host, "/.well-known/agent-card.json", &[]).await;
    for name in ["etag", "last-modified"] {
        assert_eq!(root.header(name), first.header(name));
    }

    let head = Request::head(ECHO).header("host", "10.0.0.1:8080");
    let head = ask(&host.public, head.body(Body::empty()).unwrap()).await;
    assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));
    assert_eq!(head.header("etag"), first.header("etag"));
}

#[tokio::test]
async fn the_keys_are_published() {
    let host = Host::new(known()).await;
    let jwks = get(&host, "/.well-known/jwks.json", &[]).await;
    assert_eq!(jwks.header("cache-control"), "public, max-age=300");
    let kid = jwks.json()["keys"][0]["kid"].take();
    let card = get(&host, ECHO, &[]).await.json();
    let header = protected(&card["signatures"][0]);
    assert_eq!(
        header,
        json!({
            "alg": "EdDSA", "typ": "JOSE", "kid": kid,
            "jku": "http://10.0.0.1:8080/.well-known/jwks.json",
        })
    );
    let known = [("if-none-match", jwks.header("etag"))];
    let again = get(&host, "/.well-known/jwks.json", &known).await;
    assert_eq!(again.status, StatusCode::NOT_MODIFIED);
}

#[tokio::test]
async fn nothing_is_signed_for_an_address_that_only_the_request_names() {
    let host = guarded_at(None, None).await;
    let public = get(&host, ECHO, &[]).await;
    assert_eq!(public.json().get("signatures"), None);
    let known = [("if-none-match", public.header("etag"))];
    let again = get(&host, ECHO, &known).await;
    assert_eq!(again.status, StatusCode::NOT_MODIFIED);
    assert_eq!(extended(&host).await["result"].get("signatures"), None);

    let local = Request::get(ECHO).header("host", "127.0.0.1:7420");
    let local = ask(&host.public, local.body(Body::empty()).unwrap()).await;
    let header = protected(&local.json()["signatures"][0]);
    assert_eq!(header["jku"], "http://127.0.0.1:7420/.well-known/jwks.json");
}

fn protected(signature: &Value) -> Value {
    let text = signature["protected"].as_str().unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
}

/// A host that wants a token, with these skills kept private.
async fn guarded(private: Option<&[&str]>) -> Host {
    guarded_at(known().public_url, private).await
}

async fn guarded_at(public_url: Option<String>, private: Option<&[&str]>) -> Host {
    let client = ClientCredential {
        token: Token::try_from("acme-token".to_owned()).unwrap(),
        tenant: "acme".parse().unwrap(),
        name: "acme".to_owned(),
        scope: taskyard_task::AccessScope::default(),
    };
    let private = private.map(|ids| ids.iter().copied().map(str::to_owned).collect());
    let private = private.map(|ids| ("echo".parse().unwrap(), ids));
    Host::new(Config {
        public_url,
        clients: vec![client],
        private_skills: private.into_iter().collect(),
        ..Config::default()
    })
    .await
}

async fn extended(host: &Host) -> Value {
    let headers = [
        ("authorization", "Bearer acme-token"),
        ("host", "10.0.0.1:8080"),
    ];
    let answer = host.call_at("/", &headers, "GetExtendedAgentCard", json!({}));
    answer.await.json()
}

fn skills(card: &Value) -> Vec<&str> {
    let skills = card["skills"].as_array().unwrap().iter();
    skills.map(|skill| skill["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn private_skills_are_shown_to_known_callers_only() {
    let host = guarded(Some(&["whisper", "not of this version"])).await;
    let public = get(&host, ECHO, &[]).await.json();
    assert_eq!(skills(&public), ["say"]);
    assert_eq!(public["capabilities"]["extendedAgentCard"], true);
    let whole = extended(&host).await;
    assert_eq!(skills(&whole["result"]), ["say", "whisper"]);
    assert_ne!(whole["result"]["signatures"], public["signatures"]);
}

#[tokio::test]
async fn where_nothing_is_private_the_extended_card_is_the_public_one() {
    let host = guarded(None).await;
    let public = get(&host, ECHO, &[("a2a-version", "1.0")]).await.json();
    assert_eq!(extended(&host).await["result"], public);
    assert_eq!(
        public["securitySchemes"]["bearer"],
        json!({"httpAuthSecurityScheme": {"scheme": "Bearer"}})
    );
    assert_eq!(
        public["signatures"].as_array().unwrap().len(),
        2,
        "one for each reading"
    );
}

#[tokio::test]
async fn an_extended_card_that_cannot_be_made_is_not_configured() {
    for private in [&[][..], &["not of this version"]] {
        let host = guarded(Some(private)).await;
        assert_eq!(
            extended(&host).await["error"]["code"],
            -32007,
            "{private:?}"
        );
    }
}

#[tokio::test]
async fn people_find_the_agents() {
    let host = Host::new(Config::default()).await;
    let agents = get(&host, "/agents", &[]).await.json();
    assert_eq!(agents["agents"][0]["name"], "echo");
    assert_eq!(
        agents["agents"][0]["card"],
        "http://10.0.0.1:8080/agents/echo/.well-known/agent-card.json"
    );
}
