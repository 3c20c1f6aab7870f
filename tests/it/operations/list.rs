//! `ListTasks`: order, pages, filters.

use serde_json::{Value, json};

use crate::support::{Agent, Host, message, task};

/// Sends a message within a conversation of its own for the test.
async fn send_in(agent: &Agent, context: &str, text: &str) -> Value {
    let mut message = message(text);
    message["contextId"] = context.into();
    agent.send(message).await
}

fn ids(tasks: &Value) -> Vec<String> {
    let tasks = tasks.as_array().unwrap();
    tasks.iter().map(|one| task::id(one).to_owned()).collect()
}

#[tokio::test]
async fn pages_hold_each_task_once_the_newest_first() {
    let host = Host::shared().await;
    let echo = host.agent("echo");
    let mut sent = Vec::new();
    for number in 0..7 {
        sent.push(send_in(&echo, "list-pages", &number.to_string()).await);
    }

    let (mut found, mut token, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let params = json!({"contextId": "list-pages", "pageSize": 3, "pageToken": token});
        let page = echo.call("ListTasks", params).await;
        assert_eq!(page["totalSize"], 7);
        assert_eq!(page["pageSize"], 3);
        found.extend(page["tasks"].as_array().unwrap().clone());
        pages += 1;
        token = page["nextPageToken"].as_str().unwrap().to_owned();
        if token.is_empty() {
            break;
        }
    }

    assert_eq!(pages, 3);
    // A whole second is written without a fraction, so the texts compare only without their `Z`.
    let moment = |task: &Value| {
        let text = task["status"]["timestamp"].as_str().unwrap();
        text.strip_suffix('Z').unwrap().to_owned()
    };
    let moments: Vec<_> = found.iter().map(moment).collect();
    assert!(moments.is_sorted_by(|a, b| a >= b), "{moments:?}");
    let mut found: Vec<_> = found.iter().map(task::id).collect();
    let mut sent: Vec<_> = sent.iter().map(task::id).collect();
    found.sort_unstable();
    sent.sort_unstable();
    assert_eq!(found, sent);
}

#[tokio::test]
async fn filters_are_all_applied() {
    let host = Host::shared().await;
    let approval = host.agent("approval");
    let context = "list-filters";
    let waiting = send_in(&approval, context, "one").await;
    let done = send_in(&approval, context, "two").await;
    let done = approval.answer(task::id(&done), "yes").await;

    let list = async |filter: Value| {
        let mut params = filter;
        params["contextId"] = context.into();
        ids(&approval.call("ListTasks", params).await["tasks"])
    };
    assert_eq!(
        list(json!({"status": "TASK_STATE_INPUT_REQUIRED"})).await,
        [task::id(&waiting)]
    );
    assert_eq!(
        list(json!({"status": "TASK_STATE_COMPLETED"})).await,
        [task::id(&done)]
    );
    assert_eq!(list(json!({"status": "TASK_STATE_FAILED"})).await, [""; 0]);
    let since = &done["status"]["timestamp"];
    assert_eq!(
        list(json!({"statusTimestampAfter": since})).await,
        [task::id(&done)]
    );
    let later = "2999-01-01T00:00:00Z";
    assert_eq!(list(json!({"statusTimestampAfter": later})).await, [""; 0]);
    assert_eq!(list(json!({})).await.len(), 2);
}

#[tokio::test]
async fn an_unknown_conversation_is_an_empty_list() {
    let host = Host::shared().await;
    let list = host
        .agent("echo")
        .call("ListTasks", json!({"contextId": "nobody-knows"}))
        .await;
    let empty = json!({"tasks": [], "nextPageToken": "", "pageSize": 50, "totalSize": 0});
    assert_eq!(list, empty);
}

#[tokio::test]
async fn artifacts_and_history_are_listed_as_asked_for() {
    let host = Host::shared().await;
    let echo = host.agent("echo");
    send_in(&echo, "list-content", "x").await;
    let list = async |params: Value| {
        let mut page = echo.call("ListTasks", params).await;
        page["tasks"][0].take()
    };

    let plain = list(json!({"contextId": "list-content"})).await;
    assert_eq!(plain.get("artifacts"), None);
    let asked = json!({"contextId": "list-content", "includeArtifacts": true, "historyLength": 0});
    let whole = list(asked).await;
    assert_eq!(task::artifact(&whole, "echo"), "x");
    assert_eq!(whole.get("history"), None);
}

#[tokio::test]
async fn conversations_with_similar_names_do_not_mix() {
    let host = Host::shared().await;
    let echo = host.agent("echo");
    let longest = "n".repeat(256);
    let names = [
        "name",
        "nam",
        "name ",
        "Name",
        "name\0",
        "name\0x",
        "name/",
        "name\u{10ffff}",
        "näme",
        "../name",
        "%",
        "\"",
        &longest,
    ];
    for name in names {
        let done = send_in(&echo, name, name).await;
        assert_eq!(task::context(&done), name);
    }
    for name in names {
        let list = echo
            .call(
                "ListTasks",
                json!({"contextId": name, "includeArtifacts": true}),
            )
            .await;
        assert_eq!(list["totalSize"], 1, "{name:?}: {list}");
        assert_eq!(task::artifact(&list["tasks"][0], "echo"), name);
    }
}
