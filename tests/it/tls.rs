//! Encrypted doors: what is spoken over them, whom they let in, and certificates that change.

use std::process::Command;

use reqwest::{Client, Version};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::agent::request_body;
use crate::support::authority::Authority;
use crate::support::host::ADMIN_TOKEN;
use crate::support::{Host, Settings, eventually, in_time, message, places, task};

/// Silent clients at once; far fewer than may shake hands, far more than a queue would hide.
const SILENT: usize = 200;

fn address(host: &Host) -> String {
    host.url().strip_prefix("https://").unwrap().to_owned()
}

/// The certificate that a new connection is shown.
async fn shown(host: &Host, authority: &Authority) -> Vec<u8> {
    // The certificate may be for another name by now.
    let client = authority
        .client()
        .tls_info(true)
        .tls_danger_accept_invalid_certs(true);
    let request = client
        .build()
        .unwrap()
        .get(format!("{}/healthz", host.url()));
    let answer = in_time("an answer", request.send()).await.unwrap();
    let info = answer.extensions().get::<reqwest::tls::TlsInfo>().unwrap();
    info.peer_certificate().unwrap().to_vec()
}

async fn version_of(host: &Host, client: Client) -> Version {
    let request = host.agent_over(client, "echo").post();
    let body = request_body("SendMessage", json!({"message": message("x")}));
    let answer = in_time("an answer", request.json(&body).send()).await;
    answer.unwrap().version()
}

#[tokio::test]
async fn both_versions_of_http_are_spoken_over_one_port() {
    let authority = Authority::new();
    let host = Host::with(&["echo"], authority.settings()).await;
    let client = authority.client();
    assert_eq!(
        version_of(&host, client.build().unwrap()).await,
        Version::HTTP_2
    );
    let client = authority.client().http1_only();
    assert_eq!(
        version_of(&host, client.build().unwrap()).await,
        Version::HTTP_11
    );
}

#[tokio::test]
async fn clients_without_a_certificate_are_turned_away_if_one_is_required() {
    let authority = Authority::new();
    let host = Host::with(&["echo"], authority.settings_with_clients("require")).await;
    let known = authority.client_as("worker").build().unwrap();
    let done = host.agent_over(known, "echo").send(message("x")).await;
    assert_eq!(task::state(&done), "COMPLETED");

    let stranger = Authority::new().client_as("worker");
    let stranger = stranger.tls_danger_accept_invalid_certs(true);
    for refused in [authority.client(), stranger] {
        let health = format!("{}/healthz", host.url());
        let answer = refused.build().unwrap().get(health).send();
        assert!(in_time("a refusal", answer).await.is_err());
    }
}

#[tokio::test]
async fn only_known_certificates_open_the_gate_if_one_is_asked_for() {
    let authority = Authority::new();
    let host = Host::with(&["echo"], authority.settings_with_clients("request")).await;
    let echo = |client: reqwest::ClientBuilder| host.agent_over(client.build().unwrap(), "echo");
    let done = echo(authority.client_as("worker")).send(message("x")).await;
    assert_eq!(task::state(&done), "COMPLETED");
    for stranger in [authority.client(), authority.client_as("nobody")] {
        let refusal = echo(stranger).refused("ListTasks", json!({})).await;
        assert_eq!(refusal.reason, "UNAUTHENTICATED");
    }
}

#[tokio::test]
async fn a_new_certificate_is_shown_and_open_streams_go_on() {
    let authority = Authority::new();
    let host = Host::with(&["approval"], authority.settings()).await;
    let approval = host.agent_over(authority.client().build().unwrap(), "approval");
    let asked = approval.send(message("Deploy")).await;
    let mut events = approval.subscribe(task::id(&asked), None).await;
    events.next().await.unwrap();
    let first = shown(&host, &authority).await;

    // Found without being told.
    authority.sign_host("localhost");
    let second = eventually("another certificate", async || {
        Some(shown(&host, &authority).await).filter(|second| *second != first)
    })
    .await;
    // Told.
    authority.sign_host("127.0.0.1");
    host.hang_up();
    eventually("a third certificate", async || {
        Some(shown(&host, &authority).await).filter(|third| *third != second)
    })
    .await;

    let later = host.agent_over(authority.client().build().unwrap(), "approval");
    later.answer(task::id(&asked), "yes").await;
    let end = events.rest().await;
    assert_eq!(end.last().unwrap().state(), Some("TASK_STATE_COMPLETED"));
    assert!(!events.is_broken());
}

#[tokio::test]
async fn a_broken_file_leaves_the_certificate_as_it_was() {
    let authority = Authority::new();
    let host = Host::start(authority.settings()).await;
    let first = shown(&host, &authority).await;
    std::fs::write(authority.file("host.pem"), "half of a certi").unwrap();
    host.hang_up();
    eventually("a line in the log", async || {
        let log = host.log();
        let line = log.lines().find(|line| line.contains("ERROR"))?;
        let says = [
            "the TLS files cannot be used",
            "host.pem holds no certificate",
        ];
        says.iter().all(|text| line.contains(text)).then_some(())
    })
    .await;
    assert_eq!(shown(&host, &authority).await, first);
}

#[tokio::test]
async fn who_speaks_no_tls_is_hung_up_on() {
    let authority = Authority::new();
    let host = Host::start(authority.settings()).await;
    let mut plain = TcpStream::connect(address(&host)).await.unwrap();
    plain
        .write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    // Closed or reset: both are an end.
    let _ = in_time("the end", plain.read_to_end(&mut answer)).await;
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    assert!(!host.log().contains("ERROR"));
}

#[tokio::test]
async fn who_is_slow_to_shake_hands_holds_up_nobody() {
    let authority = Authority::new();
    let host = Host::with(&["echo"], authority.settings()).await;
    let mut silent = Vec::new();
    for _ in 0..SILENT {
        silent.push(TcpStream::connect(address(&host)).await.unwrap());
    }
    let echo = host.agent_over(authority.client().build().unwrap(), "echo");
    let done = echo.send(message("x")).await;
    assert_eq!(task::state(&done), "COMPLETED");
    // They are still waited for.
    let first = silent.first().unwrap();
    assert!(
        first
            .try_read(&mut [0])
            .is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    );
}

#[tokio::test]
async fn when_the_certificate_ends_is_a_figure() {
    let authority = Authority::new();
    let host = Host::start(authority.settings()).await;
    let metrics = format!("{}/metrics", host.admin_url());
    let answer = crate::support::http::client().get(metrics).send();
    let metrics = in_time("figures", answer)
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    let figure = "taskyard_tls_certificate_expiry_timestamp_seconds ";
    let line = metrics.lines().find_map(|line| line.strip_prefix(figure));
    assert!(line.unwrap().parse::<f64>().unwrap() > 0.0);
}

/// Runs a command for `host`; `config` is the text of its configuration file.
fn taskyard(host: &Host, config: &str, args: &[&str]) -> Result<String, String> {
    let file = host.data().join("cli.toml");
    std::fs::write(&file, config).unwrap();
    let output = Command::new(places::binary())
        .args(args)
        .arg("--config")
        .arg(file)
        .env_clear()
        .env("TASKYARD_DATA_DIR", host.data())
        .env("TASKYARD_ADMIN_TOKEN", ADMIN_TOKEN)
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    match output.status.success() {
        true => Ok(text(output.stdout)),
        false => Err(text(output.stderr)),
    }
}

fn toml(authority: &Authority) -> String {
    let file = |name: &str| authority.file(name).display().to_string();
    let (certificate, key) = (file("host.pem"), file("host.key"));
    format!("[tls]\ncertificate = {certificate:?}\nkey = {key:?}\nadmin = true\n")
}

#[tokio::test]
async fn the_command_line_believes_the_host_on_its_machine_and_named_authorities() {
    let authority = Authority::new();
    // Nobody could check this name.
    authority.sign_host("agents.example");
    let host = Host::start(authority.settings().set("tls.admin", true)).await;
    let (config, echo) = (toml(&authority), places::plugin("echo"));
    let load = ["plugin", "load", echo.to_str().unwrap()];
    let (send, status) = (["task", "send", "--agent", "echo", "over TLS"], ["status"]);
    for command in [load.as_slice(), &send, &status] {
        let done = taskyard(&host, &config, command);
        assert!(done.is_ok(), "{command:?}: {done:?}");
        assert!(taskyard(&host, "", command).is_err(), "{command:?}");
    }

    authority.sign_host("127.0.0.1");
    host.hang_up();
    let ca = authority.file("ca.pem");
    let known = ["--ca", ca.to_str().unwrap()];
    let send = [send.as_slice(), &known].concat();
    eventually("the new certificate", async || {
        taskyard(&host, "", &send).ok()
    })
    .await;
}

#[tokio::test]
async fn the_command_line_shows_its_identity() {
    let authority = Authority::new();
    let host = Host::with(&["echo"], authority.settings_with_clients("require")).await;
    let identity = authority.sign_client("operator");
    let (ca, url) = (authority.file("ca.pem"), host.url());
    let send = ["task", "send", "--agent", "echo", "--url", &url, "hello"];
    let known = ["--ca", ca.to_str().unwrap()];
    let refused = [send.as_slice(), &known].concat();
    assert!(taskyard(&host, "", &refused).is_err());
    let shown = ["--identity", identity.to_str().unwrap()];
    let done = taskyard(&host, "", &[refused.as_slice(), &shown].concat());
    assert!(done.unwrap().contains("hello"));
}

#[tokio::test]
async fn a_host_without_its_certificate_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(places::binary())
        .arg("serve")
        .env_clear()
        .env("TASKYARD_DATA_DIR", folder.path())
        .env("TASKYARD_LISTEN", "127.0.0.1:0")
        .env("TASKYARD_ADMIN_LISTEN", "127.0.0.1:0")
        .envs(
            Settings::default()
                .set("tls.certificate", "/nowhere.pem")
                .set("tls.key", "/nowhere.key")
                .variables(),
        )
        .output()
        .unwrap();
    assert!(!output.status.success());
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        error.contains("tls.certificate: cannot read /nowhere.pem"),
        "{error}"
    );
}
