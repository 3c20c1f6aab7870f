//! Pipeline on the real binary: a parent, and children that clients can look at.

use serde_json::{Value, json};

use crate::support::agent::message_of;
use crate::support::{Agent, Host, Settings, message, task};

const AGENTS: [&str; 4] = ["pipeline", "echo", "csv-report", "approval"];

async fn host() -> Host {
    Host::with(&AGENTS, Settings::default()).await
}

/// The ids of the children that a task names.
fn children(task: &Value) -> Vec<String> {
    let children = task["metadata"]["taskyard.children"].as_array();
    let children = children.unwrap_or_else(|| panic!("no children: {task}"));
    let id = |child: &Value| child.as_str().unwrap().to_owned();
    children.iter().map(id).collect()
}

/// Begins a task and follows it until it reports this; gives its id.
async fn until(agent: &Agent, message: Value, progress: &str) -> String {
    let mut events = agent.stream(message).await;
    let first = events.next().await.unwrap();
    events
        .find(progress, |event| event.text() == Some(progress))
        .await;
    task::id(&first.result()["task"]).to_owned()
}

#[tokio::test]
async fn results_of_children_are_joined_in_the_order_given() {
    let host = host().await;
    let jobs = json!({"text": "csv-report:\necho: good morning"});
    let file = json!({"text": "city,inhabitants\nBern,134\n", "mediaType": "text/csv"});
    let parent = host
        .agent("pipeline")
        .send(message_of(json!([jobs, file])))
        .await;

    assert_eq!(task::state(&parent), "COMPLETED", "{parent}");
    assert_eq!(task::says(&parent), "2 of 2 jobs are done");
    let expected = "## 1. csv-report\n\n\
                    | city | inhabitants |\n| --- | --- |\n| Bern | 134 |\n\n\n\
                    ## 2. echo\n\n\
                    good morningcity,inhabitants\nBern,134\n\n\n";
    assert_eq!(task::artifact(&parent, "joined"), expected);

    let parent_id = task::id(&parent);
    let [report, echo] = &children(&parent)[..] else {
        panic!("not two children: {parent}");
    };
    for (agent, child) in [("csv-report", report), ("echo", echo)] {
        let child = host.agent(agent).get(child).await;
        assert_eq!(task::state(&child), "COMPLETED");
        assert_eq!(child["metadata"]["taskyard.parent"], parent_id);
        assert_eq!(task::context(&child), task::context(&parent));
    }
}

#[tokio::test]
async fn children_that_failed_are_named() {
    let host = host().await;
    let jobs = message("echo: a\ncsv-report: b\nnobody: c\npipeline: echo: d");
    let parent = host.agent("pipeline").send(jobs).await;

    assert_eq!(task::state(&parent), "COMPLETED", "{parent}");
    let says = task::says(&parent);
    assert!(
        says.starts_with("1 of 4 jobs are done; failed: 2. csv-report (no CSV file"),
        "{says}"
    );
    assert!(says.contains(", 3. nobody ("), "{says}");
    // It would be its own parent.
    assert!(says.contains(", 4. pipeline ("), "{says}");
    assert_eq!(children(&parent).len(), 2);
}

#[tokio::test]
async fn a_parent_waits_for_its_children_through_a_restart() {
    let host = host().await;
    let parent = host.agent("pipeline");
    let jobs = message("echo: before\napproval: sell the house\necho: after");
    let id = until(&parent, jobs, "2 of 3 jobs are over").await;
    let child = children(&parent.get(&id).await)[1].clone();
    host.agent("approval")
        .reached(&child, task::waits_for_input)
        .await;
    host.kill();
    host.restart().await;

    assert_eq!(task::state(&parent.get(&id).await), "WORKING");
    host.agent("approval").answer(&child, "yes").await;
    let end = parent.ended(&id).await;
    assert_eq!(task::state(&end), "COMPLETED", "{end}");
    let joined = task::artifact(&end, "joined");
    assert!(
        joined.starts_with("## 1. echo\n\nbefore\n\n## 2. approval\n\nApproved: sell the house\n"),
        "{joined}"
    );
    assert!(joined.ends_with("## 3. echo\n\nafter\n\n"), "{joined}");
    assert_eq!(children(&end).len(), 3);
}

#[tokio::test]
async fn a_cancel_of_the_parent_reaches_the_children() {
    let host = host().await;
    let parent = host.agent("pipeline");
    let jobs = message("approval: one\napproval: two\necho: three");
    let id = until(&parent, jobs, "1 of 3 jobs are over").await;
    let children = children(&parent.get(&id).await);

    let end = parent.call("CancelTask", json!({"id": id})).await;
    assert_eq!(task::state(&end), "CANCELED");
    for child in &children[..2] {
        let child = host.agent("approval").ended(child).await;
        assert_eq!(task::state(&child), "CANCELED");
    }
}
