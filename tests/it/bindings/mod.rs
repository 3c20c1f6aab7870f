//! The bindings are equal (A2A 5.1): the same operations, the same answers, the same events, the same errors.

pub(crate) mod client;
mod errors;
mod grpc;
mod normal;
mod races;
mod scenario;
mod schema;
mod tenants;
mod v03;

use std::fs;
use std::path::PathBuf;

use client::{Binding, Client};
use scenario::{Scenario, Transcript, play};
use serde_json::json;

use crate::support::host::{EXAMPLES, SharedHost};
use crate::support::{Host, Settings, places};

/// All example workers, and webhooks on this machine.
async fn host() -> Host {
    static SHARED: SharedHost = SharedHost::new();
    SHARED
        .get(async || {
            let host = Host::with(&EXAMPLES, Settings::default().local_webhooks()).await;
            // It takes plain text alone.
            host.admin().load(&places::plugin("reminder"), &[]).await;
            // It takes what is said in its context for the answer.
            let chat = [
                ("name", "chat".to_owned()),
                ("answer_by_context", "true".to_owned()),
            ];
            host.admin().load(&places::plugin("approval"), &chat).await;
            host
        })
        .await
}

fn folder() -> PathBuf {
    places::root().join("tests/it/bindings/scenarios")
}

/// Plays one scenario over every binding and compares what came back.
async fn check(name: &str) {
    let text = fs::read_to_string(folder().join(format!("{name}.json"))).unwrap();
    let scenario: Scenario = serde_json::from_str(&text).unwrap();
    let host = host().await;
    let mut seen = Vec::new();
    let old = scenario.old.then_some(Binding::V03);
    for binding in Binding::ALL.into_iter().chain(old) {
        // What a scenario leaves behind must not be found by the next run of it.
        let tenant = format!("{}-{binding:?}", name.replace('_', "-")).to_lowercase();
        let client = Client::new(binding, &host, &scenario.agent).of_tenant(&tenant);
        // Workers may say whose work it is.
        let transcript = json!(play(&scenario, client).await).to_string();
        let transcript = transcript.replace(&tenant, "(tenant)");
        let transcript: Transcript = serde_json::from_str(&transcript).unwrap();
        seen.push((binding, transcript));
    }
    let (first, expected) = &seen[0];
    for (binding, transcript) in &seen[1..] {
        for (step, (expected, found)) in expected.iter().zip(transcript).enumerate() {
            assert_eq!(
                expected, found,
                "step {step} over {first:?} and {binding:?}"
            );
        }
    }
}

macro_rules! scenarios {
    ($($name:ident),* $(,)?) => {
        const SCENARIOS: &[&str] = &[$(stringify!($name)),*];

        $(
            #[tokio::test]
            async fn $name() {
                check(stringify!($name)).await;
            }
        )*
    };
}

scenarios![
    answer_by_context,
    ask_and_answer,
    bad_requests,
    cancel,
    chunks,
    context_mismatch,
    conversation,
    direct_message,
    extended_card,
    idempotency,
    lists,
    media_types,
    parts,
    push_configs,
    return_immediately,
    send_and_get,
    stream,
    tolerance,
    unknown_task,
    versions,
];

#[test]
fn every_scenario_is_played() {
    let mut files: Vec<_> = fs::read_dir(folder())
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect();
    files.sort();
    assert_eq!(files, SCENARIOS);
}
