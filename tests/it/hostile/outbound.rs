//! Requests that somebody makes the host send: to webhooks, for workers, and to remote agents. None of them gets to
//! the inside, and none brings headers of its sender's making. That redirects of webhooks are not followed is in
//! `webhooks`; which addresses are special is a table beside the rule, in the room `outbound`.

use std::io::ErrorKind;
use std::net::TcpListener;

use axum::Router;
use axum::http::{StatusCode, Uri, header};
use axum::response::IntoResponse as _;
use serde_json::{Value, json};

use crate::bindings::client::{Binding, Client};
use crate::support::{Agent, Host, Settings, Shim, eventually, message, places, task};

const CREATE: &str = "CreateTaskPushNotificationConfig";

/// Something inside that nobody outside may reach.
struct Inside(TcpListener);

impl Inside {
    fn at(address: &str) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    fn port(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }

    fn was_reached(&self) -> bool {
        match self.0.accept() {
            Ok(_) => true,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                false
            }
        }
    }
}

/// Spellings of addresses and hosts of the inside, and of nothing at all, that lead to a port.
fn spellings(port: u16) -> Vec<String> {
    let hosts = [
        "127.0.0.1",
        "127.1",
        "127.0.1",
        "127.0.0.1.",
        "2130706433",
        "017700000001",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "0x7f.0x0.0x0.0x1",
        "127.255.255.254",
        "127.0.0.01",
        "0",
        "0.0.0.0",
        "00000000",
        "[::1]",
        "[::]",
        "[0:0:0:0:0:0:0:1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b:1::7f00:1]",
        "[2002:7f00:1::]",
        "[2001:0:7f00:1::]",
        "[fe80::1]",
        "[fec0::1]",
        "[fd00:ec2::254]",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "a.localhost",
        "local%68ost",
        "%31%32%37.0.0.1",
        "①②⑦.⓪.⓪.①",
        "127。0。0。1",
        "１２７.0.0.1",
        "ｌｏｃａｌｈｏｓｔ",
        "169.254.169.254",
        "2852039166",
        "0xa9fea9fe",
        "[::ffff:a9fe:a9fe]",
        "100.100.100.200",
        "192.168.0.1",
        "10.0.0.1",
        "172.31.0.1",
        "8.8.8.8@127.0.0.1",
        "x:y@127.0.0.1",
    ];
    let by_host = hosts.iter().map(|host| format!("http://{host}:{port}/"));
    let whole = [
        format!("http://127.0.0.1:{port}#@8.8.8.8/"),
        format!("http://127.0.0.1:{port}?@8.8.8.8/"),
        format!("http://127.0.0.1:{port}\\@8.8.8.8/"),
        format!("http:\\\\127.0.0.1:{port}/"),
        format!("http:127.0.0.1:{port}/"),
        format!("http:////127.0.0.1:{port}/"),
        format!(" \thttp://127.0.0.1:{port}/"),
        format!("ht\ntp://127.0.0.1:{port}/"),
        format!("HTTP://127.0.0.1:{port}/"),
        format!("//127.0.0.1:{port}/"),
        format!("127.0.0.1:{port}/"),
        format!("ws://127.0.0.1:{port}/"),
        format!("ftp://127.0.0.1:{port}/"),
        format!("gopher://127.0.0.1:{port}/_x"),
        format!("unix://127.0.0.1:{port}/"),
        format!("http://[::1%25lo]:{port}/"),
        format!("http://[127.0.0.1]:{port}/"),
        format!("http://127.0.0.1:0{port}/"),
        "http://127.0.0.1:99999/".to_owned(),
        "http://:80/".to_owned(),
        "http:///".to_owned(),
        "file:///etc/passwd".to_owned(),
        "file://localhost/etc/passwd".to_owned(),
        "data:text/plain,x".to_owned(),
        "javascript:alert(1)".to_owned(),
        "jar:http://127.0.0.1/!/".to_owned(),
        "http://8.8.8.8/\u{0}".repeat(2_000),
    ];
    by_host.chain(whole).collect()
}

/// Every way to name a webhook, over every binding.
async fn refused_fields(host: &Host, task: &str, push: Value) -> Vec<Vec<String>> {
    let mut refused = Vec::new();
    for binding in Binding::ALL {
        let echo = Client::new(binding, host, "echo");
        let mut config = push.clone();
        config["taskId"] = task.into();
        let configuration = json!({"taskPushNotificationConfig": push, "returnImmediately": true});
        let send = json!({"message": message("x"), "configuration": configuration});
        for (operation, params) in [(CREATE, config), ("SendMessage", send)] {
            let result = echo.call(operation, params).await;
            let error = result.expect_err(&format!("{operation} over {binding:?}: {push}"));
            refused.push(error.fields);
        }
    }
    refused
}

#[tokio::test]
async fn no_spelling_of_an_address_leads_inside() {
    let inside = Inside::at("127.0.0.1:0");
    let host = Host::with(&["echo"], Settings::default()).await;
    for guest in ["stock-rust", "delegating"] {
        // The rules of the agent let everything pass; that is not what keeps the inside closed.
        let rules = json!([{"host": "*"}, {"host": format!("*:{}", inside.port())}]).to_string();
        host.admin()
            .load(&places::guest(guest), &[("egress", rules)])
            .await;
    }
    let done = host.agent("echo").send(message("x")).await;
    for url in spellings(inside.port()) {
        let push = json!({"url": url});
        for fields in refused_fields(&host, task::id(&done), push).await {
            assert!(
                fields.iter().all(|field| field.ends_with("url")),
                "{url:?}: {fields:?}"
            );
            assert!(!fields.is_empty(), "{url:?}");
        }
        // Workers separate their words by blanks.
        if url.len() > 1_000 || url.contains(char::is_whitespace) {
            continue;
        }
        for (agent, text) in [
            ("stock-rust", format!("refused {url}")),
            ("delegating", format!("{url} x")),
        ] {
            let asked = host.agent(agent).send(message(&text)).await;
            let done = host.agent(agent).ended(task::id(&asked)).await;
            assert!(!done.to_string().contains("root:"), "{done}");
        }
        assert!(!inside.was_reached(), "{url}");
    }
    assert!(!host.log().contains("panicked"));
    // It is the address that kept them out: where an operator spells it out, they get there.
    for guest in ["stock-rust", "delegating"] {
        check_reached(&host, guest, &inside).await;
    }
}

/// The operator allows this one place, and then the worker reaches it.
async fn check_reached(host: &Host, guest: &str, inside: &Inside) {
    let url = format!("http://127.0.0.1:{}", inside.port());
    let rules = json!([{"host": url}]).to_string();
    let file = places::guest(guest);
    host.admin().load(&file, &[("egress", rules)]).await;
    let text = match guest {
        "delegating" => format!("{url}/x hello"),
        _ => format!("refused {url}"),
    };
    host.agent(guest).begin(message(&text)).await;
    eventually("a connection", async || inside.was_reached().then_some(())).await;
}

/// Begins a task whose events go to `url`.
async fn begin_with(agent: &Agent, url: &str) -> String {
    let configuration =
        json!({"returnImmediately": true, "taskPushNotificationConfig": {"url": url}});
    let params = json!({"message": message("x"), "configuration": configuration});
    let begun = agent.call("SendMessage", params).await;
    task::id(&begun["task"]).to_owned()
}

#[tokio::test]
async fn a_name_that_changes_between_the_look_and_the_connection_gains_nothing() {
    let inside = Inside::at("127.0.0.1:0");
    let names = Shim::build("names");
    // An address that the operator allows stands for one of the outside.
    let settings = names
        .settings()
        .set("notify.allow", r#"["127.0.0.2"]"#)
        .set("egress.allow", r#"["127.0.0.2"]"#)
        .set("notify.initial_ms", 10)
        .set("notify.max_ms", 20)
        .set("notify.max_attempts", 12);
    let host = Host::with(&["echo"], settings).await;
    let rules = json!([{"host": "*"}, {"host": format!("*:{}", inside.port())}]).to_string();
    host.admin()
        .load(&places::guest("stock-rust"), &[("egress", rules)])
        .await;
    let url = format!("http://rebound.example:{}", inside.port());
    // Every order of the two, so that each look-up is at some time the one for the connection.
    for order in [
        "127.0.0.2 127.0.0.1",
        "127.0.0.2 127.0.0.2 127.0.0.1",
        "127.0.0.2 127.0.0.1 127.0.0.1",
    ] {
        names.tell(order);
        let id = loop {
            let configuration =
                json!({"returnImmediately": true, "taskPushNotificationConfig": {"url": url}});
            let params = json!({"message": message("x"), "configuration": configuration});
            // The look-up for the registration may be the one that is refused.
            if let Ok(begun) = host.agent("echo").try_call("SendMessage", params).await {
                break task::id(&begun["task"]).to_owned();
            }
        };
        eventually("the webhook to be given up", async || {
            let deliveries = host.admin().get("/v1/deliveries").await.ok();
            let mut deliveries = deliveries["deliveries"].as_array().unwrap().iter();
            deliveries
                .any(|one| one["task"] == id.as_str() && one["retry_at"].is_null())
                .then_some(())
        })
        .await;
        for _ in 0..6 {
            let text = format!("refused {url}");
            let asked = host.agent("stock-rust").send(message(&text)).await;
            host.agent("stock-rust").ended(task::id(&asked)).await;
        }
        assert!(!inside.was_reached(), "{order}");
    }
    // The shim works, and so does the exception.
    let outside = Inside::at(&format!("127.0.0.2:{}", inside.port()));
    names.tell("127.0.0.2");
    begin_with(&host.agent("echo"), &url).await;
    eventually("a connection", async || outside.was_reached().then_some(())).await;
    assert!(!inside.was_reached());
}

/// An agent of another host that leads those that ask for it elsewhere.
async fn misleading(to: String) -> (String, tokio::task::JoinHandle<()>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own = format!("http://{}", listener.local_addr().unwrap());
    let answer = move |uri: Uri| {
        let to = to.clone();
        async move {
            if uri.path().starts_with("/moved") {
                let location = [(header::LOCATION, to)];
                return (StatusCode::TEMPORARY_REDIRECT, location).into_response();
            }
            let card = json!({
                "name": "x", "description": "x", "version": "1", "capabilities": {}, "skills": [],
                "defaultInputModes": ["text/plain"], "defaultOutputModes": ["text/plain"],
                "supportedInterfaces": [{"url": to, "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}],
            });
            axum::Json(card).into_response()
        }
    };
    let router = Router::new().fallback(answer);
    let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (own, server)
}

#[tokio::test]
async fn a_remote_agent_leads_nobody_inside() {
    let inside = Inside::at("127.0.0.1:0");
    let host = Host::start(Settings::default()).await;
    for spelling in [
        "127.0.0.1",
        "localhost",
        "[::ffff:127.0.0.1]",
        "2130706433",
        "a.localhost",
    ] {
        let (url, server) = misleading(format!("http://{spelling}:{}/", inside.port())).await;
        // The operator spells out where it is, which allows that one place.
        let rules = json!([{"host": url}, {"host": "*"}]).to_string();
        host.admin()
            .load(&places::guest("delegating"), &[("egress", rules)])
            .await;
        for path in ["moved", "agents/x"] {
            let text = format!("{url}/{path} hello");
            let asked = host.agent("delegating").send(message(&text)).await;
            host.agent("delegating").ended(task::id(&asked)).await;
            assert!(!inside.was_reached(), "{spelling} {path}");
        }
        server.abort();
    }
}

#[tokio::test]
async fn nobody_writes_headers_of_a_notification() {
    let host = Host::with(&["echo"], Settings::default().local_webhooks()).await;
    let done = host.agent("echo").send(message("x")).await;
    let url = "http://127.0.0.1:9/";
    for evil in [
        "a\r\nx-evil: 1",
        "a\nx",
        "a\rx",
        "a\u{0}",
        "a\u{b}",
        "a\u{7f}",
        "\r\n",
    ] {
        for (push, part) in [
            (json!({"url": url, "token": evil}), "token"),
            (
                json!({"url": url, "authentication": {"scheme": "Bearer", "credentials": evil}}),
                "authentication",
            ),
            (
                json!({"url": url, "authentication": {"scheme": evil, "credentials": "x"}}),
                "authentication",
            ),
        ] {
            for fields in refused_fields(&host, task::id(&done), push.clone()).await {
                let named = fields.iter().any(|field| field.contains(part));
                assert!(named, "{push}: {fields:?}");
            }
        }
    }
}
