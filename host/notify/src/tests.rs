//! Deliveries end to end, between a scripted outbox and a webhook on loopback.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use taskyard_broker::{Delivery, Error, Lane, NextDelivery};
use taskyard_clock::{Clock, IdSource};
use taskyard_signing::Keyring;
use taskyard_task::commit::DeliveryState;
use taskyard_task::wire::Notification;
use taskyard_task::{Digest, PushConfig, Seq, Tenant, Timestamp, WireVersion};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::dispatcher::Dispatcher;
use crate::guard::UrlGuard;
use crate::outbox::Outbox;
use crate::proof::{Claims, Issuer};
use crate::schedule::Verdict;

/// A webhook that records what it gets and answers what it is told to; `200 OK` after that.
struct Webhook {
    url: String,
    requests: mpsc::UnboundedReceiver<String>,
}

impl Webhook {
    async fn answering(answers: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook?secret=1", listener.local_addr().unwrap());
        let (sender, requests) = mpsc::unbounded_channel();
        let mut answers: VecDeque<String> = answers.iter().copied().map(str::to_owned).collect();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let answer = answers.pop_front().unwrap_or_else(|| "200 OK".to_owned());
                let request = exchange(stream, &answer).await;
                if sender.send(request).is_err() {
                    break;
                }
            }
        });
        Self { url, requests }
    }

    async fn next(&mut self) -> String {
        self.requests.recv().await.unwrap()
    }
}

async fn exchange(mut stream: TcpStream, answer: &str) -> String {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while !is_whole(&request) {
        let read = stream.read(&mut buffer).await.unwrap();
        assert_ne!(read, 0, "the request ended early");
        request.extend_from_slice(&buffer[..read]);
    }
    let answer = format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    stream.write_all(answer.as_bytes()).await.unwrap();
    String::from_utf8(request).unwrap()
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.map_or(0, |length| length.parse().unwrap())
}

/// An outbox in memory, with one lane.
#[derive(Clone)]
struct Scripted(Arc<Inner>);

struct Inner {
    clock: Clock,
    lane: Lane,
    config: PushConfig,
    due: Mutex<BTreeSet<u64>>,
    state: Mutex<Option<DeliveryState>>,
    announced: Notify,
    changed: Notify,
}

impl Scripted {
    fn new(config: PushConfig, due: impl IntoIterator<Item = u64>) -> Self {
        Self::at(Clock::system(), config, due)
    }

    fn at(clock: Clock, config: PushConfig, due: impl IntoIterator<Item = u64>) -> Self {
        let lane = Lane {
            task: IdSource::seeded(7).task_id(None),
            config: config.id.clone(),
        };
        let announced = Notify::new();
        announced.notify_one();
        Self(Arc::new(Inner {
            clock,
            lane,
            config,
            due: Mutex::new(due.into_iter().collect()),
            state: Mutex::new(None),
            announced,
            changed: Notify::new(),
        }))
    }

    fn state(&self) -> Option<DeliveryState> {
        self.0.state.lock().unwrap().clone()
    }

    async fn until(&self, reached: impl Fn(&Self) -> bool) {
        while !reached(self) {
            self.0.changed.notified().await;
        }
    }
}

impl Outbox for Scripted {
    async fn lanes_ready(&self) -> Vec<Lane> {
        self.0.announced.notified().await;
        vec![self.0.lane.clone()]
    }

    async fn next_delivery(&self, lane: &Lane) -> Result<NextDelivery, Error> {
        if let Some(state) = self.state()
            && state.retry_at.is_none_or(|at| at > self.0.clock.now())
        {
            return Ok(NextDelivery::NotBefore(state.retry_at));
        }
        let oldest = self.0.due.lock().unwrap().first().copied();
        let Some(seq) = oldest else {
            return Ok(NextDelivery::Nothing);
        };
        Ok(NextDelivery::Due(Box::new(Delivery {
            lane: lane.clone(),
            seq: Seq(seq),
            tenant: Tenant::default(),
            config: self.0.config.clone(),
            payload: match self.0.config.version {
                WireVersion::V1 => payload(seq),
                WireVersion::V03 => old_payload(),
            },
            state: self.state(),
        })))
    }

    async fn delivered(&self, delivery: &Delivery) -> Result<(), Error> {
        self.0.due.lock().unwrap().remove(&delivery.seq.0);
        *self.0.state.lock().unwrap() = None;
        self.0.changed.notify_one();
        Ok(())
    }

    async fn failed(&self, _: &Delivery, state: DeliveryState) -> Result<(), Error> {
        *self.0.state.lock().unwrap() = Some(state);
        self.0.changed.notify_one();
        Ok(())
    }
}

fn payload(seq: u64) -> Notification {
    let message = a2a::Message {
        message_id: format!("m{seq}"),
        context_id: None,
        task_id: None,
        role: a2a::Role::Agent,
        parts: vec![a2a::Part::text("hello")],
        metadata: None,
        extensions: None,
        reference_task_ids: None,
    };
    Notification::V1(Box::new(a2a::StreamResponse::Message(message)))
}

fn old_payload() -> Notification {
    Notification::V03(Box::new(a2a::Task {
        id: "t".to_owned(),
        context_id: "c".to_owned(),
        status: a2a::TaskStatus {
            state: a2a::TaskState::Completed,
            message: None,
            timestamp: None,
        },
        artifacts: None,
        history: None,
        metadata: None,
    }))
}

fn push_config(url: &str) -> PushConfig {
    PushConfig {
        on: None,
        version: WireVersion::V1,
        id: "my hook".to_owned(),
        url: url.to_owned(),
        token: Some("t0ken".to_owned()),
        scheme: Some("Bearer".to_owned()),
        credentials: Some("s3cret".to_owned()),
        created_at: Timestamp(0),
    }
}

fn config() -> Config {
    Config {
        allow: vec!["127.0.0.1".to_owned()],
        initial_ms: 1,
        max_ms: 4,
        ..Config::default()
    }
}

/// Runs a dispatcher beside `test` and stops it afterwards.
async fn with_dispatcher(config: Config, outbox: &Scripted, test: impl Future<Output = ()>) {
    let guard = UrlGuard::new(&config).unwrap();
    let (clock, ids) = (Clock::system(), IdSource::seeded(1));
    let dispatcher = Dispatcher::new(&config, guard, outbox.clone(), clock, ids).unwrap();
    let stop = CancellationToken::new();
    let test = async {
        test.await;
        stop.cancel();
    };
    futures::join!(dispatcher.run(stop.clone()), test);
}

#[tokio::test]
async fn a_notification_says_what_it_is_and_who_sent_it() {
    let mut webhook = Webhook::answering(&[]).await;
    let outbox = Scripted::new(push_config(&webhook.url), [5]);
    with_dispatcher(config(), &outbox, async {
        let request = webhook.next().await;
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        let task = outbox.0.lane.task;
        for expected in [
            "POST /hook?secret=1 HTTP/1.1",
            "content-type: application/a2a+json",
            "authorization: Bearer s3cret",
            "x-a2a-notification-token: t0ken",
            "a2a-notification-token: t0ken",
            &format!("x-taskyard-delivery: {task}/my+hook/5"),
        ] {
            assert!(
                head.lines().any(|line| line == expected),
                "{expected} in {head}"
            );
        }
        assert_eq!(
            body,
            r#"{"message":{"messageId":"m5","role":"ROLE_AGENT","parts":[{"text":"hello"}]}}"#
        );
        outbox.until(|o| o.0.due.lock().unwrap().is_empty()).await;
    })
    .await;
}

#[tokio::test]
async fn a_webhook_of_0_3_is_told_the_whole_task() {
    let mut webhook = Webhook::answering(&[]).await;
    let config_of_0_3 = PushConfig {
        version: WireVersion::V03,
        ..push_config(&webhook.url)
    };
    let outbox = Scripted::new(config_of_0_3, [5]);
    with_dispatcher(config(), &outbox, async {
        let request = webhook.next().await;
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        assert!(
            head.contains("content-type: application/json\r\n"),
            "{head}"
        );
        assert_eq!(
            body,
            r#"{"kind":"task","id":"t","contextId":"c","status":{"state":"completed"}}"#
        );
        outbox.until(|o| o.0.due.lock().unwrap().is_empty()).await;
    })
    .await;
}

/// What two attempts to deliver the same notification prove; the first one fails.
async fn proofs(config: PushConfig, mut webhook: Webhook) -> Vec<(String, Claims)> {
    let folder = tempfile::tempdir().unwrap();
    let none = taskyard_signing::Config::default();
    let keys = Keyring::open(&none, folder.path(), &IdSource::seeded(1)).unwrap();
    let guard = UrlGuard::new(&self::config()).unwrap();
    let (clock, ids) = (Clock::simulated(Timestamp(90_000)), IdSource::seeded(1));
    let outbox = Scripted::at(clock.clone(), config, [5]);
    let mut dispatcher =
        Dispatcher::new(&self::config(), guard, outbox.clone(), clock.clone(), ids).unwrap();
    let issuer = Issuer::new(
        keys.clone(),
        "https://yard.example".to_owned(),
        clock.clone(),
    );
    dispatcher.sign_as(issuer);
    let mut proofs = Vec::new();
    for _ in 0..2 {
        dispatcher.serve(outbox.0.lane.clone()).await;
        let request = webhook.next().await;
        let claims = verified(&keys, &request);
        proofs.push((request, claims));
        clock.advance(std::time::Duration::from_secs(60));
    }
    proofs
}

/// The claims of the token in the header of its own.
fn verified(keys: &Keyring, request: &str) -> Claims {
    let token = header(request, "x-taskyard-signature").unwrap();
    let kid = jsonwebtoken::decode_header(token).unwrap().kid.unwrap();
    let jwks: JwkSet = serde_json::from_value(keys.jwks()).unwrap();
    let key = DecodingKey::from_jwk(jwks.find(&kid).unwrap()).unwrap();
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.validate_aud = false;
    validation.validate_exp = false;
    jsonwebtoken::decode(token, &key, &validation)
        .unwrap()
        .claims
}

fn header<'a>(request: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = request.lines();
    lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

#[tokio::test]
async fn a_notification_is_signed_anew_with_each_attempt() {
    let webhook = Webhook::answering(&["500 Oops"]).await;
    let mut config = push_config(&webhook.url);
    let audience = webhook.url.replace("?secret=1", "");
    (config.scheme, config.credentials) = (None, None);
    let proofs = proofs(config, webhook).await;
    for ((request, claims), now) in proofs.iter().zip([90, 150]) {
        let (_, body) = request.split_once("\r\n\r\n").unwrap();
        let delivery = header(request, "x-taskyard-delivery").unwrap();
        let task = delivery.split('/').next().unwrap();
        assert_eq!(
            claims,
            &Claims {
                iss: "https://yard.example".to_owned(),
                aud: audience.clone(),
                iat: now,
                exp: now + 300,
                jti: delivery.to_owned(),
                task_id: task.to_owned(),
                request_body_sha256: Digest::of(body.as_bytes()).to_string(),
            }
        );
        let token = header(request, "x-taskyard-signature").unwrap();
        assert_eq!(
            header(request, "authorization").unwrap(),
            format!("Bearer {token}")
        );
    }
    assert_eq!(proofs[0].1.jti, proofs[1].1.jti);
}

#[tokio::test]
async fn what_the_client_registered_as_authorization_stays() {
    let webhook = Webhook::answering(&["500 Oops"]).await;
    let config = push_config(&webhook.url);
    for (request, _) in proofs(config, webhook).await {
        assert_eq!(header(&request, "authorization"), Some("Bearer s3cret"));
    }
}

#[tokio::test]
async fn a_lane_keeps_its_order_through_failures() {
    let answers = [
        "500 Oops",
        "200 OK",
        "302 Found",
        "503 Busy",
        "204 No Content",
    ];
    let mut webhook = Webhook::answering(&answers).await;
    let outbox = Scripted::new(push_config(&webhook.url), [2, 4, 9]);
    with_dispatcher(config(), &outbox, async {
        for expected in [2, 2, 4, 4, 4, 9] {
            let request = webhook.next().await;
            let id = format!("/my+hook/{expected}\r\n");
            assert!(request.contains(&id), "{expected}: {request}");
        }
        outbox.until(|o| o.0.due.lock().unwrap().is_empty()).await;
        assert_eq!(outbox.state(), None);
    })
    .await;
}

#[tokio::test]
async fn a_webhook_that_keeps_failing_is_given_up() {
    let webhook = Webhook::answering(&["500 Oops"; 9]).await;
    let outbox = Scripted::new(push_config(&webhook.url), [1]);
    let config = Config {
        max_attempts: 3,
        ..config()
    };
    let gave_up = |o: &Scripted| o.state().is_some_and(|state| state.retry_at.is_none());
    with_dispatcher(config, &outbox, outbox.until(gave_up)).await;
    let state = outbox.state().unwrap();
    assert_eq!(state.attempts, 3);
    assert_eq!(
        state.last_error,
        "the webhook answered 500 Internal Server Error"
    );
}

/// What is written down about the first attempt.
async fn first_failure(config: Config, url: &str) -> DeliveryState {
    let outbox = Scripted::new(push_config(url), [1]);
    let failed = |o: &Scripted| o.state().is_some();
    let config = Config {
        initial_ms: 60_000,
        max_ms: 60_000,
        ..config
    };
    with_dispatcher(config, &outbox, outbox.until(failed)).await;
    outbox.state().unwrap()
}

#[tokio::test]
async fn a_webhook_that_is_gone_is_given_up_at_once() {
    let webhook = Webhook::answering(&["410 Gone"]).await;
    let state = first_failure(config(), &webhook.url).await;
    assert_eq!((state.attempts, state.retry_at), (1, None));
    assert_eq!(state.last_error, "the webhook answered 410 Gone");
}

#[tokio::test]
async fn redirects_are_failures() {
    let answer = "307 Temporary Redirect\r\nlocation: http://127.0.0.1:1/";
    let webhook = Webhook::answering(&[answer]).await;
    let state = first_failure(config(), &webhook.url).await;
    assert_eq!(
        state.last_error,
        "the webhook answered 307 Temporary Redirect; redirects are not followed"
    );
    assert!(state.retry_at.is_some());
}

#[tokio::test]
async fn addresses_are_checked_again_when_posting() {
    let literal = first_failure(config(), "http://127.0.0.2:9/?secret=1").await;
    assert_eq!(
        literal.last_error,
        "the URL points to a loopback address; only the operator of this host can allow that"
    );
    assert_eq!(literal.retry_at, None);

    let name = first_failure(Config::default(), "http://localhost:9/?secret=1").await;
    assert!(
        name.last_error.contains("points to a loopback address"),
        "{name:?}"
    );
    assert!(
        name.retry_at.is_some(),
        "a name may have another address later"
    );
}

#[tokio::test]
async fn errors_do_not_show_secrets() {
    let state = first_failure(config(), "http://127.0.0.1:1/hook?secret=1").await;
    assert!(state.last_error.contains("refused"), "{state:?}");
    for secret in ["secret", "t0ken", "s3cret"] {
        assert!(!state.last_error.contains(secret), "{state:?}");
    }
}

#[tokio::test]
async fn a_restart_respects_what_was_decided_before() {
    let webhook = Webhook::answering(&[]).await;
    let outbox = Scripted::new(push_config(&webhook.url), [1]);
    let guard = UrlGuard::new(&config()).unwrap();
    let (clock, ids) = (Clock::system(), IdSource::seeded(1));
    let dispatcher = Dispatcher::new(&config(), guard, outbox.clone(), clock, ids).unwrap();

    let far = Timestamp(u64::MAX);
    for (retry_at, verdict) in [(Some(far), Verdict::Later(far)), (None, Verdict::Nothing)] {
        *outbox.0.state.lock().unwrap() = Some(DeliveryState {
            attempts: 4,
            last_error: "the webhook answered 500".to_owned(),
            retry_at,
        });
        let served = dispatcher.serve(outbox.0.lane.clone()).await;
        assert_eq!(served, (outbox.0.lane.clone(), verdict));
    }
}
