//! The stock Python client works with the host as with any other A2A server.

use std::process::Stdio;

use crate::support::host::EXAMPLES;
use crate::support::{Host, Settings, Webhook, places};

#[tokio::test]
async fn the_stock_python_client_can_do_everything_over_json_rpc() {
    drive("JSONRPC").await;
}

#[tokio::test]
async fn the_stock_python_client_can_do_everything_over_http() {
    drive("HTTP+JSON").await;
}

#[tokio::test]
async fn the_stock_python_client_can_do_everything_over_grpc() {
    drive("GRPC").await;
}

async fn drive(binding: &'static str) {
    let python = places::python();
    let plugins = [&EXAMPLES[..], &["reminder"]].concat();
    let settings = Settings::default().set("api.advertise_grpc", true);
    let host = Host::with(&plugins, settings.local_webhooks()).await;
    let webhook = Webhook::willing().await;
    let script = places::root().join("tests/it/python/drive.py");
    let (host_url, webhook_url) = (host.url(), webhook.url(""));

    // The webhook answers meanwhile, on this thread.
    let driven = tokio::task::spawn_blocking(move || {
        std::process::Command::new(python)
            .arg(script)
            .args([
                host_url.as_str(),
                webhook_url.trim_end_matches('/'),
                binding,
            ])
            .stdin(Stdio::null())
            .output()
            .unwrap()
    });
    let driven = driven.await.unwrap();

    let (said, error) = (
        String::from_utf8_lossy(&driven.stdout),
        String::from_utf8_lossy(&driven.stderr),
    );
    assert!(driven.status.success(), "it failed after:\n{said}\n{error}");
    let notified = webhook.end("inline").await;
    assert!(
        notified
            .iter()
            .all(|one| one.header("x-a2a-notification-token") == "t")
    );
    assert!(
        webhook.taken("later").is_empty(),
        "it was removed before anything happened"
    );
}
