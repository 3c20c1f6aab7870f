//! The HTTP+JSON binding does what its OpenAPI document says, whatever it is asked.

use std::process::{Command, Stdio};

use crate::support::{Host, Settings, places};

/// Requests per operation that are made up; those that try each limit come on top.
const EXAMPLES: &str = "8";

#[tokio::test]
async fn whatever_is_asked_the_answer_is_one_of_the_document() {
    let program = places::schemathesis();
    // Workers that answer at once: whoever waits for one of them waits for a worker and not for a limit.
    let host = Host::with(&["echo"], Settings::default()).await;
    let document = format!("{}/openapi.json", host.url());
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().to_owned();
    let run = move || {
        Command::new(program)
            .args(["run", &document])
            .args(["--phases", "coverage,fuzzing"])
            .args(["--checks", CHECKS])
            .args(["--max-examples", EXAMPLES])
            // The same requests each time, and as they come: whoever mends something wants a small one.
            .args(["--seed", "1", "--generation-deterministic"])
            .args(["--request-timeout", "10"])
            .args(["--suppress-health-check", "all"])
            .args(["--warnings", "off", "--no-color", "--continue-on-failure"])
            .current_dir(place)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    };
    let ran = tokio::task::spawn_blocking(run).await.unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    let error = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{said}\n{error}");
}

const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_schema_conformance";
