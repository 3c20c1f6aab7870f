//! What one tenant has, tried by another in every way that bindings have. That operations refuse, that keys and
//! conversations are apart, and that nobody calls without credentials is in `bindings::tenants`; here is that
//! nothing can be told from the refusals, and what is reached by tokens, numbers and workers instead of ids.

use serde_json::{Value, json};

use crate::bindings::client::{Binding, Client, Refused};
use crate::support::agent::{follow_up, request_body};
use crate::support::{Agent, Error, Host, Settings, http, message, places, task};

/// A task that nobody has; as long as those that somebody has.
const NOBODYS: &str = "01900000-0000-7000-8000-000000000000";

async fn host() -> Host {
    let clients = r#"[{token = "of-acme", tenant = "acme", name = "a"}, {token = "of-globex", tenant = "globex", name = "g"}]"#;
    let settings = Settings::default()
        .set("api.clients", clients)
        .local_webhooks();
    let host = Host::with(&["approval", "echo"], settings).await;
    let chat = [
        ("name", "chat".to_owned()),
        ("answer_by_context", "true".to_owned()),
    ];
    host.admin().load(&places::plugin("approval"), &chat).await;
    host.admin().load(&places::plugin("notebook"), &[]).await;
    host
}

fn of(host: &Host, tenant: &str, agent: &str) -> Agent {
    let bearer = format!("Bearer of-{tenant}");
    host.agent(agent).with_header("authorization", &bearer)
}

fn over(binding: Binding, host: &Host, tenant: &str) -> Client {
    let bearer = format!("Bearer of-{tenant}");
    Client::new(binding, host, "approval").with_header("authorization", &bearer)
}

/// Everything that names a task, about this one.
fn operations(id: &str) -> Vec<(&'static str, Value)> {
    let push = json!({"taskId": id, "id": "theirs"});
    let mut create = push.clone();
    create["url"] = "http://127.0.0.1:9/".into();
    let mut answer = follow_up(id, "yes");
    answer["messageId"] = "m".into();
    let mut elsewhere = answer.clone();
    elsewhere["contextId"] = "another".into();
    vec![
        ("GetTask", json!({"id": id, "historyLength": 1})),
        ("CancelTask", json!({"id": id})),
        ("SendMessage", json!({"message": answer})),
        ("SendMessage", json!({"message": elsewhere})),
        ("SendStreamingMessage", json!({"message": answer})),
        ("SubscribeToTask", json!({"id": id})),
        ("CreateTaskPushNotificationConfig", create),
        ("GetTaskPushNotificationConfig", push.clone()),
        ("ListTaskPushNotificationConfigs", json!({"taskId": id})),
        ("DeleteTaskPushNotificationConfig", push),
    ]
}

async fn refused(client: &Client, operation: &str, params: Value) -> Refused {
    let refused = match operation {
        "SendStreamingMessage" | "SubscribeToTask" => client.open(operation, params).await.err(),
        _ => client.call(operation, params).await.err(),
    };
    refused.unwrap_or_else(|| panic!("{operation} over {:?} was answered", client.binding))
}

/// The answer to a request of HTTP as it is on the wire, without what differs in each.
async fn wire(request: reqwest::RequestBuilder, id: &str) -> (u16, Vec<(String, String)>, Value) {
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let headers = answer.headers().iter();
    let headers = headers.filter(|(name, _)| !["x-request-id", "date"].contains(&name.as_str()));
    let headers = headers.map(|(name, value)| (name.to_string(), format!("{value:?}")));
    let headers = headers.collect();
    let text = answer.text().await.unwrap().replace(id, "ID");
    let text = text.strip_prefix("data: ").unwrap_or(&text).trim_end();
    // The members of an object have no order.
    (status, headers, serde_json::from_str(text).unwrap())
}

#[tokio::test]
async fn tasks_of_others_are_refused_in_the_words_for_unknown_ones() {
    let host = host().await;
    let acme = of(&host, "acme", "approval");
    let asked = acme.send(message("Deploy")).await;
    let theirs = task::id(&asked).to_owned();
    let push = json!({"taskId": theirs, "id": "theirs", "url": "http://127.0.0.1:9/"});
    acme.call("CreateTaskPushNotificationConfig", push).await;
    // One that has ended, too: it is refused otherwise if it is one's own.
    let ended = acme.send(message("Deploy")).await;
    let ended = task::id(&acme.answer(task::id(&ended), "yes").await).to_owned();

    for id in [&theirs, &ended] {
        for binding in Binding::ALL.into_iter().chain([Binding::V03]) {
            let globex = over(binding, &host, "globex");
            let pairs = operations(id).into_iter().zip(operations(NOBODYS));
            for ((operation, known), (_, unknown)) in pairs {
                if binding == Binding::V03 && operation.contains("Push") {
                    continue;
                }
                let mut about_theirs = refused(&globex, operation, known).await;
                about_theirs.message = about_theirs.message.replace(id.as_str(), NOBODYS);
                let about_nobodys = refused(&globex, operation, unknown).await;
                assert_eq!(about_theirs, about_nobodys, "{operation} over {binding:?}");
            }
        }
        // The bindings of HTTP with all that they say, and 0.3 with its webhooks.
        let globex = of(&host, "globex", "approval");
        let config = |id: &str| json!({"taskId": id, "pushNotificationConfig": {"url": "http://127.0.0.1:9/"}});
        let one = |id: &str| json!({"id": id, "pushNotificationConfigId": "theirs"});
        type About<'a> = &'a dyn Fn(&str) -> Value;
        let calls: [(&str, &str, About<'_>); 7] = [
            ("1.0", "GetTask", &|id| json!({"id": id})),
            ("1.0", "SubscribeToTask", &|id| json!({"id": id})),
            ("0.3", "tasks/resubscribe", &|id| json!({"id": id})),
            ("0.3", "tasks/pushNotificationConfig/set", &config),
            ("0.3", "tasks/pushNotificationConfig/get", &one),
            (
                "0.3",
                "tasks/pushNotificationConfig/list",
                &|id| json!({"id": id}),
            ),
            ("0.3", "tasks/pushNotificationConfig/delete", &one),
        ];
        for (version, method, params) in calls {
            let call = |id: &str| {
                let request = globex.post().json(&request_body(method, params(id)));
                let mut request = request.build().unwrap();
                request
                    .headers_mut()
                    .insert("a2a-version", version.parse().unwrap());
                reqwest::RequestBuilder::from_parts(http::client(), request)
            };
            let (known, unknown) = (wire(call(id), id).await, wire(call(NOBODYS), NOBODYS).await);
            assert_eq!(known, unknown, "{method}");
            assert!(known.2["error"].is_object(), "{method}: {known:?}");
        }
        for path in [
            "",
            ":cancel",
            ":subscribe",
            "/pushNotificationConfigs",
            "/pushNotificationConfigs/theirs",
        ] {
            let call = |id: &str| {
                let path = format!("{}/tasks/{id}{path}", globex.url());
                let method = match path.ends_with("cancel") {
                    true => reqwest::Method::POST,
                    false => reqwest::Method::GET,
                };
                let request = http::client().request(method, path);
                let request = request
                    .bearer_auth("of-globex")
                    .header("a2a-version", "1.0");
                request.header("last-event-id", "1")
            };
            let (known, unknown) = (wire(call(id), id).await, wire(call(NOBODYS), NOBODYS).await);
            assert_eq!(known, unknown, "{path}");
            assert_eq!(known.0, 404, "{path}: {known:?}");
        }
    }
    assert_eq!(acme.get(&theirs).await, asked, "nothing happened to it");
}

#[tokio::test]
async fn tokens_and_numbers_of_others_lead_to_ones_own_or_nowhere() {
    let host = host().await;
    let acme = of(&host, "acme", "approval");
    for _ in 0..3 {
        acme.send(message("Deploy")).await;
    }
    let page = acme.call("ListTasks", json!({"pageSize": 1})).await;
    let theirs = page["nextPageToken"].as_str().unwrap();
    assert!(!theirs.is_empty());
    let globex = of(&host, "globex", "approval");
    let own = globex.send(message("Deploy")).await;
    for binding in Binding::ALL {
        let globex = over(binding, &host, "globex");
        let page = json!({"pageSize": 5, "pageToken": theirs});
        if let Ok(page) = globex.call("ListTasks", page).await {
            let tasks = page["tasks"].as_array().cloned().unwrap_or_default();
            assert!(tasks.iter().all(|task| task["id"] == own["id"]), "{page}");
        }
        // Made-up ones are invalid, whatever is in them.
        for made_up in [
            NOBODYS,
            "0",
            "AAAA",
            "\u{0}",
            &"A".repeat(5_000),
            &format!("{theirs}A"),
        ] {
            let page = json!({"pageSize": 5, "pageToken": made_up});
            if let Ok(page) = globex.call("ListTasks", page).await {
                let tasks = page["tasks"].as_array().cloned().unwrap_or_default();
                assert!(tasks.iter().all(|task| task["id"] == own["id"]), "{page}");
            }
        }
    }
    // A stream that was cut cannot be taken over by its number.
    let id = task::id(&page["tasks"][0]).to_owned();
    for after in [0, 1, u64::MAX] {
        match globex.try_subscribe(&id, Some(after)).await {
            Err(Error::Refused(refusal)) => assert_eq!(refusal.reason, "TASK_NOT_FOUND"),
            Err(Error::Lost(how)) => panic!("{how}"),
            Ok(_) => panic!("a stream of another tenant"),
        }
    }
}

#[tokio::test]
async fn a_conversation_of_the_same_name_is_another_one() {
    let host = host().await;
    let said = |text: &str| {
        let mut message = message(text);
        message["contextId"] = "shared".into();
        message
    };
    // A worker that reads earlier tasks reads those of its tenant.
    let (acme, globex) = (
        of(&host, "acme", "notebook"),
        of(&host, "globex", "notebook"),
    );
    let note = acme.send(said("the secret of acme")).await;
    globex.send(said("a note")).await;
    let mut all = said("all");
    all["referenceTaskIds"] = json!([task::id(&note)]);
    for message in [said("all"), all] {
        let all = globex.send(message).await;
        assert!(!all.to_string().contains("secret of acme"), "{all}");
        assert!(!all.to_string().contains(task::id(&note)), "{all}");
    }
    // A message to a conversation answers questions of its tenant.
    let (acme, globex) = (of(&host, "acme", "chat"), of(&host, "globex", "chat"));
    let asked = acme.send(said("Deploy")).await;
    let other = globex.send(said("yes")).await;
    assert_ne!(task::id(&asked), task::id(&other));
    assert_eq!(acme.get(task::id(&asked)).await, asked);
    let done = acme.send(said("yes")).await;
    assert_eq!(
        (task::id(&done), task::state(&done)),
        (task::id(&asked), "COMPLETED")
    );
}
