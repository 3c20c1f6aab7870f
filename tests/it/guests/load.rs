//! Components that cannot be plugins.

use super::host;
use crate::support::admin::Answer;
use crate::support::places;

/// Tries to load a component; it must be refused with all of these words, and change nothing.
async fn check_refused(component: Vec<u8>, words: &[&str]) {
    let host = host().await;
    let agents = async || host.admin().get("/v1/agents").await.ok();
    let before = agents().await;
    let answer: Answer = host.admin().try_load(component, &[]).await;
    assert_eq!(
        (answer.status, answer.code()),
        (422, "plugin-refused"),
        "{answer:?}"
    );
    for word in words {
        assert!(
            answer.message().contains(word),
            "{word:?} is not in {:?}",
            answer.message()
        );
    }
    assert_eq!(agents().await, before);
}

async fn check_text_refused(wat: &str, words: &[&str]) {
    check_refused(wat::parse_str(wat).unwrap(), words).await;
}

async fn check_guest_refused(name: &str, words: &[&str]) {
    check_refused(std::fs::read(places::guest(name)).unwrap(), words).await;
}

#[tokio::test]
async fn a_manifest_that_breaks_the_rules() {
    check_guest_refused("lying-manifest", &["../Evil Name", "newest", "twin"]).await;
}

#[tokio::test]
async fn a_describe_that_calls_the_host() {
    check_guest_refused("calls-in-describe", &["describe", "must not call the host"]).await;
}

#[tokio::test]
async fn a_component_that_exports_nothing() {
    check_text_refused("(component)", &["handler"]).await;
}

#[tokio::test]
async fn a_core_module() {
    check_text_refused("(module)", &["core module", "wasm32-wasip2"]).await;
}

/// A component with the name of what workers export, and an import.
async fn check_import_refused(import: &str, words: &[&str]) {
    let wat = format!(
        r#"(component {import} (instance $empty)
        (export "taskyard:worker/handler@0.2.1" (instance $empty)))"#
    );
    check_text_refused(&wat, words).await;
}

#[tokio::test]
async fn an_import_that_no_worker_gets() {
    let import = r#"(import "evil:thing/api@1.0.0" (instance (export "steal" (func))))"#;
    check_import_refused(import, &["evil:thing/api"]).await;
}

#[tokio::test]
async fn sockets() {
    let import = r#"(import "wasi:sockets/instance-network@0.2.0" (instance
        (export "network" (type (sub resource)))))"#;
    check_import_refused(import, &["wasi:sockets/instance-network"]).await;
}
