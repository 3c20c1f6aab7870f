//! Two tenants, every operation, every binding: nothing that one has exists for the other.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::client::{Binding, Client, Refused};
use crate::support::{Host, Settings, http};

/// A host that knows two clients, each of a tenant of its own.
async fn host() -> Host {
    let clients = r#"[{token = "of-acme", tenant = "acme", name = "a"}, {token = "of-globex", tenant = "globex", name = "g"}]"#;
    let settings = Settings::default()
        .set("api.clients", clients)
        .local_webhooks();
    Host::with(&["approval"], settings).await
}

fn client(binding: Binding, host: &Host, of: &str) -> Client {
    let bearer = format!("Bearer of-{of}");
    Client::new(binding, host, "approval").with_header("authorization", &bearer)
}

fn message(text: &str) -> Value {
    json!({"messageId": "m", "role": "ROLE_USER", "parts": [{"text": text}], "contextId": "shared-name"})
}

/// All operations that the host serves, as it says itself.
async fn operations(host: &Host) -> BTreeSet<String> {
    let document = http::client().get(format!("{}/openapi.json", host.url()));
    let document: Value = document.send().await.unwrap().json().await.unwrap();
    let paths = document["paths"].as_object().unwrap().values();
    let operations = paths.flat_map(|path| path.as_object().unwrap().values());
    operations
        .filter_map(|operation| operation["operationId"].as_str())
        // Routes that say the same in another way.
        .map(|id| id.trim_end_matches("ForTenant").trim_end_matches("ByPost"))
        .map(str::to_owned)
        .collect()
}

/// What acme has.
struct Theirs {
    task: String,
    push: &'static str,
}

/// Asks for what is acme's in every way that `operation` has.
fn attempts(operation: &str, theirs: &Theirs) -> Vec<Value> {
    let Theirs { task, push } = theirs;
    match operation {
        "SendMessage" | "SendStreamingMessage" => {
            let mut follow_up = message("yes");
            follow_up["taskId"] = task.as_str().into();
            vec![json!({"message": follow_up})]
        }
        "GetTask" | "CancelTask" | "SubscribeToTask" => vec![json!({"id": task})],
        "CreateTaskPushNotificationConfig" => {
            vec![json!({"taskId": task, "id": push, "url": "http://127.0.0.1:9/"})]
        }
        "GetTaskPushNotificationConfig" | "DeleteTaskPushNotificationConfig" => {
            vec![json!({"taskId": task, "id": push})]
        }
        "ListTaskPushNotificationConfigs" => vec![json!({"taskId": task})],
        // These name no task; what they show is looked at by itself.
        "ListTasks" | "GetExtendedAgentCard" => Vec::new(),
        other => panic!("{other} is new: say how a stranger would misuse it"),
    }
}

/// What a stranger is told of a message that refers to `task`.
async fn referred(client: &Client, task: &str) -> Value {
    let mut about = message("Deploy");
    about["referenceTaskIds"] = json!([task]);
    let sent = client.call("SendMessage", json!({"message": about})).await;
    sent.unwrap()["task"]["history"][0]["referenceTaskIds"].clone()
}

async fn attempt(client: &Client, operation: &str, params: Value) -> Refused {
    let refused = match operation {
        "SendStreamingMessage" | "SubscribeToTask" => client.open(operation, params).await.err(),
        _ => client.call(operation, params).await.err(),
    };
    refused.unwrap_or_else(|| panic!("{operation} over {:?} was answered", client.binding))
}

#[tokio::test]
async fn nothing_leaks_to_another_tenant() {
    let host = host().await;
    let acme = client(Binding::JsonRpc, &host, "acme");
    let asked = acme
        .call("SendMessage", json!({"message": message("Deploy")}))
        .await;
    let asked = asked.unwrap()["task"].clone();
    let theirs = Theirs {
        task: asked["id"].as_str().unwrap().to_owned(),
        push: "theirs",
    };
    let push = json!({"taskId": theirs.task, "id": theirs.push, "url": "http://127.0.0.1:9/"});
    acme.call("CreateTaskPushNotificationConfig", push)
        .await
        .unwrap();

    for binding in Binding::ALL {
        let globex = client(binding, &host, "globex");
        for operation in operations(&host).await {
            for params in attempts(&operation, &theirs) {
                for stranger in [globex.clone(), globex.clone().of_tenant("acme")] {
                    let refused = attempt(&stranger, &operation, params.clone()).await;
                    let hidden = ["TASK_NOT_FOUND", "FORBIDDEN"].contains(&refused.reason.as_str());
                    assert!(hidden, "{operation} over {binding:?}: {refused:?}");
                    let said = refused.message;
                    assert!(!said.contains(&theirs.task), "{operation}: {said}");
                }
            }
        }
        for filter in [json!({}), json!({"contextId": "shared-name"})] {
            let list = globex.call("ListTasks", filter).await.unwrap();
            let tasks = list["tasks"].as_array().map_or(0, Vec::len);
            assert_eq!(tasks, 0, "{list}");
        }
        let card = globex
            .call("GetExtendedAgentCard", json!({}))
            .await
            .unwrap();
        assert!(!card.to_string().contains("acme"), "{card}");
    }
    for binding in Binding::ALL {
        let globex = client(binding, &host, "globex");
        // A task of others looks like none at all.
        for id in [&theirs.task, "01900000-0000-7000-8000-000000000000"] {
            assert_eq!(referred(&globex, id).await, Value::Null, "{binding:?}");
        }
    }
    assert_eq!(
        acme.call("GetTask", json!({"id": theirs.task})).await,
        Ok(asked)
    );
}

#[tokio::test]
async fn nobody_calls_anything_without_credentials() {
    let host = host().await;
    let theirs = Theirs {
        task: "01900000-0000-7000-8000-000000000000".to_owned(),
        push: "x",
    };
    for binding in Binding::ALL {
        let stranger = Client::new(binding, &host, "approval");
        for operation in operations(&host).await {
            let mut all = attempts(&operation, &theirs);
            all.push(json!({}));
            for mut params in all {
                // Paths of HTTP+JSON need something in their places.
                for place in ["id", "taskId"] {
                    if params.get(place).is_none()
                        && operation.contains("Task")
                        && operation != "ListTasks"
                    {
                        params[place] = "x".into();
                    }
                }
                let params = known_members(&operation, params);
                let refused = attempt(&stranger, &operation, params).await;
                assert_eq!(
                    refused.reason, "UNAUTHENTICATED",
                    "{operation} over {binding:?}: {refused:?}"
                );
            }
        }
    }
}

/// What the operation's message has; gRPC clients cannot send anything else.
fn known_members(operation: &str, params: Value) -> Value {
    let known: &[&str] = match operation {
        "GetTask" | "CancelTask" | "SubscribeToTask" => &["id"],
        "ListTaskPushNotificationConfigs" => &["taskId"],
        "GetTaskPushNotificationConfig" | "DeleteTaskPushNotificationConfig" => &["taskId", "id"],
        "CreateTaskPushNotificationConfig" => &["taskId", "id", "url"],
        _ => &["message"],
    };
    let members = params.as_object().unwrap().clone().into_iter();
    members
        .filter(|(name, _)| known.contains(&name.as_str()))
        .collect()
}

#[tokio::test]
async fn a_key_and_a_conversation_belong_to_their_tenant() {
    let host = host().await;
    for binding in Binding::ALL {
        let key = format!("key-{binding:?}");
        let send = async |of: &str| {
            let client = client(binding, &host, of).with_header("idempotency-key", &key);
            let sent = client
                .call("SendMessage", json!({"message": message("Deploy")}))
                .await;
            sent.unwrap()["task"]["id"].clone()
        };
        let (acmes, globexs) = (send("acme").await, send("globex").await);
        assert_ne!(acmes, globexs);
        assert_eq!(send("acme").await, acmes, "the key is still acme's");
        let filter = json!({"contextId": "shared-name"});
        let list = client(binding, &host, "globex")
            .call("ListTasks", filter)
            .await
            .unwrap();
        let tasks = list["tasks"].as_array().unwrap();
        assert!(tasks.iter().all(|task| task["id"] != acmes));
        assert!(tasks.iter().any(|task| task["id"] == globexs));
    }
}
