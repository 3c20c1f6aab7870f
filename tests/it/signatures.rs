//! What the host signs can be verified by others, with the keys that it publishes.

use std::fs;
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Host, Settings, http, in_time, places};

/// Keys that sign nothing but tests.
const ED25519: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
-----END PRIVATE KEY-----
";
const P256: &str = "-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgOZ+fRcqoO53Ca9j2
lYyqf45evHE7sK4gSV6+OUsLH4+hRANCAARYAcrBmnhpA/+eZci9WqIVs5kRs/Au
kRd+nPrwyo5u/RdJwrg+89Q12kybWwFgOfcUBtKXH6ewLDiN05T6VV6p
-----END PRIVATE KEY-----
";

/// Two files with keys, in the order of the configuration.
struct Keys(TempDir);

impl Keys {
    fn new(first: &str, second: &str) -> Self {
        let keys = Self(tempfile::tempdir().unwrap());
        keys.write(first, second);
        keys
    }

    fn write(&self, first: &str, second: &str) {
        fs::write(self.0.path().join("first.pem"), first).unwrap();
        fs::write(self.0.path().join("second.pem"), second).unwrap();
    }

    fn settings(&self) -> Settings {
        let file = |name| self.0.path().join(name).display().to_string();
        let list = format!("['{}', '{}']", file("first.pem"), file("second.pem"));
        Settings::default()
            .local_webhooks()
            .set("signing.keys", list)
    }
}

/// What a script prints that must succeed.
async fn python(script: &str, argument: String) -> String {
    let python = places::python();
    let script = places::root().join("tests/it/python").join(script);
    let done = tokio::task::spawn_blocking(move || {
        let mut command = Command::new(python);
        command.arg(script).arg(argument).env("no_proxy", "*");
        command.stdin(Stdio::null()).output().unwrap()
    });
    let done = done.await.unwrap();
    let error = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{error}");
    String::from_utf8(done.stdout).unwrap()
}

async fn get(url: String) -> Value {
    let answer = in_time("an answer", http::client().get(url).send()).await;
    answer.unwrap().json().await.unwrap()
}

async fn key_ids(host: &Host) -> Vec<String> {
    let jwks = get(format!("{}/.well-known/jwks.json", host.url())).await;
    let keys = jwks["keys"].as_array().unwrap().iter();
    keys.map(|key| key["kid"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn the_stock_client_verifies_a_card_with_each_key() {
    let keys = Keys::new(ED25519, P256);
    let host = Host::with(&["echo"], keys.settings()).await;
    let good = python("card.py", host.agent("echo").url()).await;
    assert_eq!(good.lines().count(), 2, "{good}");
}

#[tokio::test]
async fn the_stock_client_verifies_the_card_of_a_host_that_wants_tokens() {
    let clients = "[{name = 'c', tenant = 'acme', token = 'a-token-for-tests'}]";
    let settings = Settings::default().set("api.clients", clients);
    let host = Host::with(&["echo"], settings).await;
    python("card.py", host.agent("echo").url()).await;
}

#[tokio::test]
async fn a_receiver_verifies_notifications() {
    for (first, second) in [(ED25519, P256), (P256, ED25519)] {
        let keys = Keys::new(first, second);
        let host = Host::with(&["echo"], keys.settings()).await;
        let verified = python("receiver.py", host.url()).await;
        assert!(verified.trim().parse::<usize>().unwrap() >= 2, "{verified}");
    }
}

#[tokio::test]
async fn keys_are_rotated_without_a_moment_in_which_nothing_verifies() {
    let keys = Keys::new(ED25519, P256);
    let host = Host::with(&["echo"], keys.settings()).await;
    let before = key_ids(&host).await;
    python("receiver.py", host.url()).await;

    keys.write(P256, ED25519);
    host.restart().await;

    let after = key_ids(&host).await;
    assert_eq!(after, [before[1].clone(), before[0].clone()]);
    python("card.py", host.agent("echo").url()).await;
    python("receiver.py", host.url()).await;
}

#[tokio::test]
async fn a_host_keeps_the_key_that_it_made() {
    let host = Host::with(&["echo"], Settings::default()).await;
    let made = key_ids(&host).await;
    host.restart().await;
    assert_eq!(key_ids(&host).await, made);
}
