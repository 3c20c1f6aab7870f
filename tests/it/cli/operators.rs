//! `taskyard plugin`, `taskyard status`, `taskyard config`.

use super::taskyard;
use crate::support::host::ADMIN_TOKEN;
use crate::support::{Host, Settings, message, places, task};

#[tokio::test]
async fn plugins_are_loaded_listed_shown_and_unloaded() {
    let host = Host::start(Settings::default()).await;
    let file = places::plugin("countdown");
    let file = file.to_str().unwrap();
    let load = [
        "plugin",
        "load",
        file,
        "--agent",
        "timer",
        "--json",
        "--max-runs",
        "2",
        "--answer-by-context",
    ];
    let load = [&load[..], &["--config-json", r#"{"tick_ms": 1}"#]].concat();

    let loaded = taskyard(&host, &load).exits(0).json();

    assert_eq!(loaded["name"], "timer");
    assert_eq!(loaded["config"]["tick_ms"], 1);
    assert_eq!(loaded["max_runs"], 2);
    assert_eq!(loaded["answer_by_context"], true);
    let done = host.agent("timer").send(message("2")).await;
    assert_eq!(task::state(&done), "COMPLETED");

    let list = taskyard(&host, &["plugin", "list"]).exits(0).stdout;
    assert!(list.contains("timer") && list.contains("0.1.0"), "{list:?}");
    let list = taskyard(&host, &["plugin", "list", "--json"])
        .exits(0)
        .stdout;
    assert!(list.contains(r#""timer""#), "{list}");
    let shown = taskyard(&host, &["plugin", "show", "timer", "--json"])
        .exits(0)
        .json();
    assert_eq!(shown["agent"]["digest"], loaded["digest"]);
    let shown = taskyard(&host, &["plugin", "show", "timer"])
        .exits(0)
        .stdout;
    assert!(shown.contains("contextId"), "{shown}");
    let load = ["plugin", "load", file, "--agent", "timer", "--json"];
    let kept = taskyard(&host, &load).exits(0).json();
    assert_eq!(kept["answer_by_context"], true);
    let load = [&load[..], &["--answer-by-context=false"]].concat();
    let off = taskyard(&host, &load).exits(0).json();
    assert_eq!(off["answer_by_context"], false);

    taskyard(&host, &["plugin", "unload", "timer"]).exits(0);
    taskyard(&host, &["plugin", "unload", "timer"]).exits(5);
    taskyard(&host, &["plugin", "show", "timer"]).exits(5);
}

#[tokio::test]
async fn an_agent_in_use_is_unloaded_when_it_has_drained() {
    let host = Host::with(&["approval"], Settings::default()).await;
    let approval = host.agent("approval");
    let asked = approval.send(message("Deploy")).await;
    let refused = taskyard(&host, &["plugin", "unload", "approval"]).exits(1);
    assert!(refused.stderr.contains("tasks"), "{}", refused.stderr);
    approval.answer(task::id(&asked), "yes").await;
    taskyard(&host, &["plugin", "unload", "approval", "--drain"]).exits(0);
}

#[tokio::test]
async fn a_plugin_that_is_refused_says_why() {
    let host = Host::shared().await;
    let text = host.data().join("addresses.json");
    let refused = taskyard(&host, &["plugin", "load", text.to_str().unwrap()]).exits(1);
    assert!(
        refused.stderr.contains("not WebAssembly"),
        "{}",
        refused.stderr
    );
    taskyard(&host, &["plugin", "load", "/nowhere/x.wasm"]).exits(1);
    let config = ["plugin", "load", "x.wasm", "--config-json", "7"];
    taskyard(&host, &config).exits(1);
}

#[tokio::test]
async fn a_wrong_token_says_where_the_right_one_comes_from() {
    let host = Host::shared().await;
    let wrong = ["plugin", "list", "--admin-token", "wrong-wrong-wrong-wrong"];
    let refused = taskyard(&host, &wrong).exits(1);
    assert!(
        refused.stderr.contains("TASKYARD_ADMIN_TOKEN"),
        "{}",
        refused.stderr
    );
}

#[tokio::test]
async fn the_status_shows_what_goes_on() {
    let host = Host::shared().await;
    let status = taskyard(&host, &["status", "--json"]).exits(0).json();
    assert!(status["stats"]["running"].is_number(), "{status}");
    assert!(status.get("deliveries").is_some(), "{status}");
}

#[tokio::test]
async fn the_configuration_is_printed_without_secrets() {
    let host = Host::shared().await;
    let config = taskyard(&host, &["config"]).exits(0).stdout;
    assert!(config.contains("max_runs"), "{config}");
    assert!(!config.contains(ADMIN_TOKEN), "{config}");
}

#[tokio::test]
async fn a_setting_that_does_not_exist_is_refused_by_name() {
    let host = Host::shared().await;
    let file = host.data().join("wrong.toml");
    std::fs::write(&file, "[limits]\nmax_rums = 3\n").unwrap();
    let refused = taskyard(&host, &["serve", "--config", file.to_str().unwrap()]).exits(1);
    assert!(refused.stderr.contains("max_rums"), "{}", refused.stderr);
}
