//! `taskyard config check` and `serve --dry-run`: what would keep the host from starting, all at once, and nothing
//! is touched.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::{Done, taskyard};
use crate::support::authority::Authority;
use crate::support::{Host, Settings, message, places, task};

/// Runs a command with a configuration of its own.
fn with(config: &str, folder: &Path, args: &[&str]) -> Done {
    let file = folder.join("host.toml");
    fs::write(&file, config).unwrap();
    Command::new(places::binary())
        .args(args)
        .current_dir(folder)
        .env_clear()
        .env("TASKYARD_CONFIG", file)
        .stdin(Stdio::null())
        .output()
        .unwrap()
        .into()
}

fn keys(found: &Value) -> Vec<&str> {
    let found = found.as_array().unwrap().iter();
    found.map(|one| one["key"].as_str().unwrap()).collect()
}

#[test]
fn everything_in_the_way_is_found_at_once_and_serve_finds_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let authority = Authority::new();
    let (certificate, key) = (authority.file("host.pem"), authority.sign_client("other"));
    fs::write(folder.path().join("data"), "no folder").unwrap();
    let config = format!(
        r#"
listen = "{}"
admin_listen = "192.0.2.1:7421"
admin_token = "long-enough-to-be-one"
data_dir = "data"
[tls]
certificate = {certificate:?}
key = {key:?}
[storage]
reserve_bytes = 9000000000000000000
[signing]
keys = ["no-key.pem"]
[secrets]
a = {{ file = "no-file" }}
b = {{ env = "NO_VARIABLE" }}
"#,
        taken.local_addr().unwrap()
    );
    let check = |args: &[&str]| with(&config, folder.path(), args).exits(1);
    let found = check(&["config", "check", "--json"]).json();
    let mut problems = keys(&found["problems"]);
    problems.sort_unstable();
    let expected = [
        "admin_listen",
        "data_dir",
        "listen",
        "secrets.a",
        "signing.keys",
        "tls.key",
    ];
    assert_eq!(problems, expected, "{found:#}");
    let warnings = keys(&found["warnings"]);
    assert!(warnings.contains(&"secrets.b"), "{found:#}");
    assert!(warnings.contains(&"storage.reserve_bytes"), "{found:#}");

    let shown = check(&["config", "check"]).stdout;
    let refused = check(&["serve"]).stderr;
    for problem in found["problems"].as_array().unwrap() {
        let text = problem["text"].as_str().unwrap();
        assert!(shown.contains(&format!("problem: {text}\n")), "{shown}");
        assert!(refused.contains(text), "{text} in {refused}");
    }
}

#[test]
fn values_that_make_no_sense_are_problems_like_others() {
    let folder = tempfile::tempdir().unwrap();
    let config = "listen = '127.0.0.1:0'\nadmin_listen = '127.0.0.1:0'\n\
                  [limits]\nmax_runs = 0\n[retry]\njitter = 2.0\n[tls]\ncertificate = 'no'\nkey = 'no'";
    let found = with(config, folder.path(), &["config", "check", "--json"]).exits(1);
    let found = found.json();
    assert_eq!(
        keys(&found["problems"]),
        [
            "limits.max_runs",
            "retry.jitter",
            "tls.certificate",
            "tls.key"
        ]
    );
    let found = with("lisen = 1", folder.path(), &["config", "check", "--json"]).exits(1);
    let found = found.json();
    assert_eq!(found["problems"][0]["key"], Value::Null);
    let text = found["problems"][0]["text"].as_str().unwrap();
    assert!(text.contains("there is no key `lisen`"), "{text}");
}

#[test]
fn a_check_makes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let config = "listen = '127.0.0.1:0'\nadmin_listen = '127.0.0.1:0'\ndata_dir = 'a/b'";
    for args in [&["config", "check"][..], &["serve", "--dry-run"]] {
        let found = with(config, folder.path(), args).exits(0);
        assert!(found.stdout.contains("can start"), "{}", found.stdout);
    }
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "the configuration alone: {left:?}");
}

#[test]
fn what_cannot_start_does_not_open_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::set_permissions(&data, fs::Permissions::from_mode(0o700)).unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    for config in [
        format!("listen = '{}'", taken.local_addr().unwrap()),
        "listen = '127.0.0.1:0'\n[tls]\ncertificate = 'no'\nkey = 'no'".to_owned(),
        "listen = '127.0.0.1:0'\n[secrets]\na = { file = 'no' }".to_owned(),
    ] {
        let config = format!("admin_listen = '127.0.0.1:0'\ndata_dir = 'data'\n{config}");
        with(&config, folder.path(), &["serve"]).exits(1);
        assert_eq!(fs::read_dir(&data).unwrap().count(), 0, "{config}");
    }
}

#[tokio::test]
async fn a_host_that_runs_is_not_in_its_own_way() {
    let host = Host::with(&["echo"], Settings::default()).await;
    let addresses = fs::read(host.data().join("addresses.json")).unwrap();
    let addresses: Value = serde_json::from_slice(&addresses).unwrap();
    let config = format!(
        "listen = {}\nadmin_listen = {}\ndata_dir = {:?}\nadmin_token = 'long-enough-to-be-one'",
        addresses["listen"],
        addresses["admin_listen"],
        host.data()
    );
    let folder = tempfile::tempdir().unwrap();
    let found = with(&config, folder.path(), &["config", "check", "--json"]).exits(0);
    assert_eq!(found.json()["problems"], json!([]));
    let planned = with(&config, folder.path(), &["serve", "--dry-run", "--json"]).exits(0);
    let planned = planned.json();
    assert_eq!(planned["upgrade"]["found"], planned["upgrade"]["current"]);
    assert_eq!(planned["upgrade"]["in_use"], true);
    assert_eq!(planned["upgrade"]["steps"], json!([]));

    let done = host.agent("echo").send(message("x")).await;
    assert_eq!(task::state(&done), "COMPLETED");
    taskyard(&host, &["status"]).exits(0);
}
