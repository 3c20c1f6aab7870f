//! Children on another host: two real hosts, of which either may go down.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::support::relay::Relay;
use crate::support::{Host, Settings, eventually, message, places, task};

/// Parents that are under way while one of the hosts is killed.
const PARENTS: usize = 12;
/// How long both live after each of them began, in milliseconds.
const LIFE_MS: std::ops::Range<u64> = 0..40;

/// A host with parents, and one with agents that work for them.
struct Hosts {
    ours: Host,
    theirs: Host,
    relay: Relay,
}

impl Hosts {
    async fn start() -> Self {
        let relay = Relay::start().await;
        let settings = Settings::default().set("public_url", relay.url());
        let theirs = Host::with(&["approval", "csv-report", "echo"], settings).await;
        relay.point_to(&theirs.url());
        let ours = Host::start(Settings::default()).await;
        let hosts = Self {
            ours,
            theirs,
            relay,
        };
        let egress = json!([{"host": hosts.relay.url()}]);
        hosts.load(&[("egress", egress.to_string())]).await;
        hosts
    }

    async fn load(&self, query: &[(&str, String)]) {
        let file = places::guest("delegating");
        self.ours.admin().load(&file, query).await;
    }

    /// What a parent is told to have done.
    fn job(&self, agent: &str, text: &str) -> Value {
        message(&format!("{}/agents/{agent} {text}", self.relay.url()))
    }

    async fn restart_ours(&self) {
        self.ours.kill();
        self.ours.restart().await;
    }

    async fn restart_theirs(&self) {
        self.theirs.kill();
        self.theirs.restart().await;
        self.relay.point_to(&self.theirs.url());
    }

    /// The tasks that an agent of theirs has.
    async fn children(&self, agent: &str) -> Vec<Value> {
        let params = json!({"pageSize": 100});
        let list = self.theirs.agent(agent).call("ListTasks", params).await;
        list["tasks"].as_array().unwrap().clone()
    }

    /// The one task of theirs, once it is in this state.
    async fn child(&self, agent: &str, state: &str) -> String {
        eventually("the child's state", async || {
            let children = self.children(agent).await;
            let [child] = &children[..] else {
                assert!(children.is_empty(), "{children:?}");
                return None;
            };
            (task::state(child) == state).then(|| task::id(child).to_owned())
        })
        .await
    }
}

#[tokio::test]
async fn a_child_elsewhere_leaves_its_results_to_its_parent() {
    let hosts = Hosts::start().await;
    let parent = hosts.ours.agent("delegating");
    let end = parent.send(hosts.job("echo", "good morning")).await;
    assert_eq!(task::says(&end), "Completed: ", "{end}");
    assert_eq!(task::artifact(&end, "echo"), "good morning");

    let end = parent.send(hosts.job("csv-report", "no table")).await;
    assert!(task::says(&end).starts_with("Rejected: "), "{end}");
}

#[tokio::test]
async fn a_child_elsewhere_is_found_again_after_a_restart_of_either_side() {
    let hosts = Hosts::start().await;
    let parent = hosts.ours.agent("delegating");
    let id = parent.begin(hosts.job("approval", "sell the house")).await;
    let child = hosts.child("approval", "INPUT_REQUIRED").await;
    hosts.restart_ours().await;
    hosts.restart_theirs().await;
    hosts.restart_ours().await;
    assert_eq!(hosts.child("approval", "INPUT_REQUIRED").await, child);

    // It ends while nobody follows it.
    hosts.ours.kill();
    hosts.theirs.agent("approval").answer(&child, "yes").await;
    hosts.ours.restart().await;
    let end = parent.ended(&id).await;
    assert!(task::says(&end).starts_with("Completed: "), "{end}");
    assert_eq!(hosts.children("approval").await.len(), 1);
}

#[tokio::test]
async fn a_child_elsewhere_is_begun_once_whenever_a_host_is_killed() {
    let hosts = Hosts::start().await;
    let parent = hosts.ours.agent("delegating");
    let seed = rand::random();
    println!("seed {seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let mut parents = Vec::new();
    for number in 0..PARENTS {
        parents.push(
            parent
                .begin(hosts.job("echo", &format!("job {number}")))
                .await,
        );
        let life = rng.random_range(LIFE_MS);
        sleep(Duration::from_millis(life)).await;
        match number % 3 {
            0 => hosts.restart_theirs().await,
            _ => hosts.restart_ours().await,
        }
    }
    for (number, id) in parents.iter().enumerate() {
        let end = parent.ended(id).await;
        assert_eq!(
            task::artifact(&end, "echo"),
            format!("job {number}"),
            "{end}"
        );
    }
    assert_eq!(hosts.children("echo").await.len(), PARENTS);
}

#[tokio::test]
async fn a_host_that_is_down_is_waited_for() {
    let hosts = Hosts::start().await;
    let parent = hosts.ours.agent("delegating");
    hosts.theirs.kill();
    let id = parent.begin(hosts.job("echo", "later")).await;
    parent
        .reached(&id, |state| task::short(state) == "WORKING")
        .await;
    hosts.restart_theirs().await;
    assert_eq!(task::artifact(&parent.ended(&id).await, "echo"), "later");
}

#[tokio::test]
async fn a_cancel_of_the_parent_reaches_the_child_elsewhere() {
    let hosts = Hosts::start().await;
    let parent = hosts.ours.agent("delegating");
    let id = parent.begin(hosts.job("approval", "sell the house")).await;
    let child = hosts.child("approval", "INPUT_REQUIRED").await;
    let end = parent.call("CancelTask", json!({"id": id})).await;
    assert_eq!(task::state(&end), "CANCELED");
    assert_eq!(hosts.child("approval", "CANCELED").await, child);
}

#[tokio::test]
async fn a_detached_child_elsewhere_goes_on_without_its_parent() {
    let hosts = Hosts::start().await;
    let parent = hosts.ours.agent("delegating");
    let job = format!("leave {}/agents/approval sell the house", hosts.relay.url());
    let end = parent.send(message(&job)).await;
    assert_eq!(task::says(&end), "left alone");
    let child = hosts.child("approval", "INPUT_REQUIRED").await;
    let end = hosts.theirs.agent("approval").answer(&child, "yes").await;
    assert_eq!(task::state(&end), "COMPLETED");
}

#[tokio::test]
async fn a_host_that_is_not_allowed_is_not_asked() {
    let hosts = Hosts::start().await;
    hosts.load(&[("egress", "[]".to_owned())]).await;
    let parent = hosts.ours.agent("delegating");
    let end = parent.send(hosts.job("echo", "hello")).await;
    assert_eq!(task::state(&end), "FAILED");
    assert!(task::says(&end).contains("not allowed"), "{end}");
    assert_eq!(hosts.children("echo").await.len(), 0);
}
