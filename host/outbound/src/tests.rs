//! Requests end to end, to a server on loopback that answers what it is told to.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use taskyard_clock::Clock;
use taskyard_task::{EgressPolicy, HttpError, HttpHeader, HttpResponse};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::{Config, Outbound, Request, Retry, Secrets};

/// Where one exchange ends.
enum Then {
    Close,
    /// Keeps the connection open and says no more.
    Hang,
}

/// A server that records what it gets.
struct Server {
    port: u16,
    requests: mpsc::UnboundedReceiver<String>,
}

impl Server {
    async fn answering(answers: &[&str]) -> Self {
        let answers = answers.iter().map(|answer| (*answer, Then::Close));
        Self::scripted(answers.collect()).await
    }

    /// Answers one connection after the other with these bytes, the last ones of which may be missing.
    async fn scripted(answers: Vec<(&str, Then)>) -> Self {
        let bytes = |(answer, then): (&str, Then)| (answer.as_bytes().to_vec(), then);
        Self::with(answers.into_iter().map(bytes).collect()).await
    }

    /// Answers with bytes that are no text.
    async fn sending(answers: Vec<Vec<u8>>) -> Self {
        let answers = answers.into_iter().map(|answer| (answer, Then::Close));
        Self::with(answers.collect()).await
    }

    async fn with(answers: Vec<(Vec<u8>, Then)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, requests) = mpsc::unbounded_channel();
        let mut answers = VecDeque::from(answers);
        tokio::spawn(async move {
            let mut open = Vec::new();
            while let Some((answer, then)) = answers.pop_front() {
                let (mut stream, _) = listener.accept().await.unwrap();
                let request = read(&mut stream).await;
                stream.write_all(&answer).await.unwrap();
                if matches!(then, Then::Hang) {
                    open.push(stream);
                }
                sender.send(request).unwrap();
            }
            // Held until the test ends.
            std::future::pending::<()>().await;
        });
        Self { port, requests }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/path?secret=1", self.port)
    }

    /// A policy with one rule for this server, which adds `inject`.
    fn policy(&self, inject: &str) -> EgressPolicy {
        policy(&format!("http://127.0.0.1:{}", self.port), inject)
    }

    async fn next(&mut self) -> String {
        self.requests.recv().await.unwrap()
    }
}

async fn read(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while !is_whole(&request) {
        let read = stream.read(&mut buffer).await.unwrap();
        if read == 0 {
            // Whoever asked does not wait any more.
            break;
        }
        request.extend_from_slice(&buffer[..read]);
    }
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

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nX-Kind: Test\r\n\r\nhi";
const BUSY: &str = "HTTP/1.1 503 Busy\r\ncontent-length: 0\r\nretry-after: 0\r\n\r\n";

fn policy(host: &str, inject: &str) -> EgressPolicy {
    let rules = format!(r#"[{{"host": "{host}", "inject": {inject}}}]"#);
    serde_json::from_str(&rules).unwrap()
}

fn outbound(config: &Config) -> Outbound {
    let secrets = [("key", "s3cret"), ("broken", "a\nb")];
    let secrets = secrets.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Outbound::new(config, Secrets::from_iter(secrets), Clock::system()).unwrap()
}

fn get(url: &str) -> Request {
    Request {
        method: "GET".to_owned(),
        url: url.to_owned(),
        headers: Vec::new(),
        body: Bytes::new(),
        timeout: None,
        retry: None,
        idempotency_key: None,
        max_response_bytes: None,
    }
}

fn header(name: &str, value: &str) -> HttpHeader {
    HttpHeader {
        name: name.to_owned(),
        value: value.as_bytes().to_vec(),
    }
}

fn at_once(max_attempts: u32) -> Option<Retry> {
    Some(Retry {
        max_attempts,
        initial: Duration::from_millis(1),
        max_delay: Duration::from_millis(1),
    })
}

async fn fetch(policy: &EgressPolicy, request: Request) -> Result<HttpResponse, HttpError> {
    outbound(&Config::default()).fetch(policy, request).await
}

fn denied(result: &Result<HttpResponse, HttpError>) -> &str {
    match result {
        Err(HttpError::Denied(text)) => text,
        other => panic!("not denied: {other:?}"),
    }
}

#[tokio::test]
async fn a_request_goes_out_as_the_worker_made_it() {
    let mut server = Server::answering(&[OK]).await;
    let request = Request {
        method: "POST".to_owned(),
        headers: vec![
            header("X-Mine", "1"),
            header("x-mine", "2"),
            header("Host", "elsewhere.example"),
            header("Content-Length", "99"),
            header("Connection", "close"),
            header("Proxy-Authorization", "x"),
        ],
        body: Bytes::from_static(b"hello"),
        idempotency_key: Some("k1".to_owned()),
        ..get(&server.url())
    };
    let response = fetch(&server.policy("{}"), request).await.unwrap();
    assert_eq!(
        (response.head.status, response.body.as_slice()),
        (200, &b"hi"[..])
    );
    assert!(response.head.headers.contains(&header("x-kind", "Test")));

    let sent = server.next().await;
    let (head, body) = sent.split_once("\r\n\r\n").unwrap();
    let mut lines: Vec<&str> = head.lines().collect();
    lines.sort_unstable();
    let host = format!("host: 127.0.0.1:{}", server.port);
    let agent = concat!("user-agent: taskyard/", env!("CARGO_PKG_VERSION"));
    let expected = [
        "POST /path?secret=1 HTTP/1.1",
        "accept: */*",
        "content-length: 5",
        &host,
        "idempotency-key: k1",
        agent,
        "x-mine: 1",
        "x-mine: 2",
    ];
    assert_eq!((lines.as_slice(), body), (&expected[..], "hello"));
}

#[tokio::test]
async fn nothing_is_sent_that_no_rule_allows() {
    let server = Server::answering(&[OK]).await;
    let nothing = fetch(&EgressPolicy::default(), get(&server.url())).await;
    assert_eq!(
        denied(&nothing),
        format!(
            "requests to 127.0.0.1:{0} are not allowed; an operator can allow them with \
             `taskyard plugin allow AGENT '127.0.0.1:{0}'`",
            server.port
        )
    );
    for host in [
        "127.0.0.1",
        "127.0.0.2",
        "*",
        "example.com",
        "https://127.0.0.1",
    ] {
        let other = fetch(&policy(host, "{}"), get(&server.url())).await;
        denied(&other);
    }
    assert!(server.requests.is_empty());
}

#[tokio::test]
async fn the_hosts_own_network_is_not_opened_by_accident() {
    let mut server = Server::answering(&[OK, OK, OK]).await;
    let port = server.port;
    let by_name = format!("http://localhost:{port}/");

    // Neither a wildcard nor a name makes an exception.
    for (rule, url) in [
        (format!("*:{port}"), server.url()),
        (format!("*:{port}"), by_name.clone()),
        (format!("localhost:{port}"), by_name.clone()),
    ] {
        let refused = fetch(&policy(&rule, "{}"), get(&url)).await;
        let text = denied(&refused);
        assert!(text.contains("points to a loopback address"), "{text}");
        assert!(text.ends_with("with egress.allow"), "{text}");
    }
    assert!(server.requests.is_empty());

    // The operator's list does, and so does a rule that spells the address out.
    let config = Config {
        allow: vec!["localhost".to_owned(), "127.0.0.0/8".to_owned()],
        ..Config::default()
    };
    let any = policy(&format!("*:{port}"), "{}");
    for url in [&by_name, &server.url()] {
        outbound(&config).fetch(&any, get(url)).await.unwrap();
        server.next().await;
    }
    fetch(&server.policy("{}"), get(&server.url()))
        .await
        .unwrap();
}

#[tokio::test]
async fn secrets_replace_what_the_worker_sent() {
    let mut server = Server::answering(&[OK]).await;
    let policy = server.policy(r#"{"Authorization": "Bearer {key}", "X-Team": "7"}"#);
    let request = Request {
        headers: vec![header("authorization", "a"), header("AUTHORIZATION", "b")],
        ..get(&server.url())
    };
    fetch(&policy, request).await.unwrap();
    let sent = server.next().await;
    let values: Vec<_> = sent
        .lines()
        .filter(|line| line.starts_with("authorization"))
        .collect();
    assert_eq!(values, ["authorization: Bearer s3cret"]);
    assert!(sent.contains("x-team: 7\r\n"), "{sent}");
}

#[tokio::test]
async fn secrets_that_cannot_be_sent_are_the_operators_to_mend() {
    let server = Server::answering(&[OK]).await;
    for (inject, problem) in [
        (
            r#"{"x": "{none}"}"#,
            "the host has no secret \"none\"; see [secrets]",
        ),
        (r#"{"x": "{broken}"}"#, "the header x cannot be sent"),
    ] {
        let refused = fetch(&server.policy(inject), get(&server.url())).await;
        assert!(denied(&refused).ends_with(problem), "{refused:?}");
    }
    let both = policy(&format!("127.0.0.1:{}", server.port), r#"{"x": "{key}"}"#);
    let refused = fetch(&both, get(&server.url())).await;
    assert!(
        denied(&refused).contains("not sent without encryption"),
        "{refused:?}"
    );
    assert!(server.requests.is_empty());
}

#[tokio::test]
async fn requests_that_make_no_sense_are_the_workers_to_mend() {
    let fine = || get("https://api.example.com/");
    let requests = [
        Request {
            method: "CONNECT".to_owned(),
            ..fine()
        },
        Request {
            method: "TRACE".to_owned(),
            ..fine()
        },
        Request {
            method: "G T".to_owned(),
            ..fine()
        },
        get("api.example.com"),
        get("ftp://api.example.com/"),
        get("file:///etc/passwd"),
        get("https://me:pw@api.example.com/"),
        get(&format!("https://api.example.com/{}", "a".repeat(9_000))),
        Request {
            headers: vec![header("a b", "")],
            ..fine()
        },
        Request {
            headers: vec![header("a", "b\r\nc: d")],
            ..fine()
        },
        Request {
            headers: vec![header("a", &"b".repeat(70_000))],
            ..fine()
        },
        Request {
            idempotency_key: Some("a\n".to_owned()),
            ..fine()
        },
        Request {
            retry: at_once(0),
            ..fine()
        },
        Request {
            retry: at_once(21),
            ..fine()
        },
    ];
    for request in requests {
        let refused = fetch(&policy("api.example.com", "{}"), request.clone()).await;
        assert!(
            matches!(refused, Err(HttpError::Invalid(_))),
            "{request:?}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let answer = "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
    let server = Server::answering(&[answer]).await;
    let response = fetch(&server.policy("{}"), get(&server.url()))
        .await
        .unwrap();
    assert_eq!(response.head.status, 302);
    assert!(
        response
            .head
            .headers
            .contains(&header("location", "http://127.0.0.1:1/"))
    );
}

#[tokio::test]
async fn what_may_pass_is_tried_again_with_the_same_key() {
    let cut_off = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhi";
    let mut server = Server::answering(&[BUSY, "", cut_off, OK]).await;
    let request = Request {
        method: "POST".to_owned(),
        retry: at_once(4),
        idempotency_key: Some("k1".to_owned()),
        ..get(&server.url())
    };
    let response = fetch(&server.policy("{}"), request).await.unwrap();
    assert_eq!(response.body, b"hi");
    for _ in 0..4 {
        let sent = server.next().await;
        assert!(sent.contains("idempotency-key: k1\r\n"), "{sent}");
    }
}

#[tokio::test]
async fn the_last_result_counts() {
    let server = Server::answering(&[BUSY, BUSY, BUSY]).await;
    let request = Request {
        retry: at_once(2),
        ..get(&server.url())
    };
    let response = fetch(&server.policy("{}"), request).await.unwrap();
    assert_eq!(response.head.status, 503);
    assert_eq!(server.requests.len(), 2);

    let nobody = "http://127.0.0.1:1/?secret=1";
    let request = Request {
        retry: at_once(2),
        ..get(nobody)
    };
    let refused = fetch(&policy("127.0.0.1:1", "{}"), request).await;
    let Err(HttpError::Failed(text)) = &refused else {
        panic!("{refused:?}");
    };
    assert!(
        text.contains("refused") && !text.contains("secret"),
        "{text}"
    );
}

#[tokio::test]
async fn a_key_of_the_workers_own_stays() {
    let mut server = Server::answering(&[OK]).await;
    let request = Request {
        headers: vec![header("Idempotency-Key", "mine")],
        idempotency_key: Some("k1".to_owned()),
        ..get(&server.url())
    };
    fetch(&server.policy("{}"), request).await.unwrap();
    let sent = server.next().await;
    assert!(
        sent.contains("idempotency-key: mine\r\n") && !sent.contains("k1"),
        "{sent}"
    );
}

#[tokio::test]
async fn responses_are_bounded() {
    let announced = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
    let surprising = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhello";
    let server = Server::answering(&[announced, surprising, announced, announced]).await;
    let limited = |limit| Request {
        max_response_bytes: Some(limit),
        // A larger limit of the worker changes nothing, and a retry would not either.
        retry: at_once(3),
        ..get(&server.url())
    };
    let policy = server.policy("{}");
    for _ in 0..2 {
        let refused = fetch(&policy, limited(4)).await;
        assert_eq!(refused, Err(HttpError::TooLarge { limit: 4 }));
    }
    let config = Config {
        max_response_bytes: 3,
        ..Config::default()
    };
    let refused = outbound(&config).fetch(&policy, limited(9)).await;
    assert_eq!(refused, Err(HttpError::TooLarge { limit: 3 }));
    assert_eq!(fetch(&policy, limited(5)).await.unwrap().body, b"hello");
    assert_eq!(server.requests.len(), 4);
}

#[tokio::test]
async fn the_head_of_a_response_is_bounded() {
    let fill = "x".repeat(70_000);
    let answer = format!("HTTP/1.1 200 OK\r\nx-fill: {fill}\r\ncontent-length: 0\r\n\r\n");
    let server = Server::answering(&[&answer]).await;
    let refused = fetch(&server.policy("{}"), get(&server.url())).await;
    assert_eq!(refused, Err(HttpError::TooLarge { limit: 64 << 10 }));
}

#[tokio::test]
async fn whoever_does_not_answer_in_time_is_not_waited_for() {
    let begun = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhi";
    let server = Server::scripted(vec![("", Then::Hang), (begun, Then::Hang)]).await;
    let request = Request {
        timeout: Some(Duration::from_millis(50)),
        ..get(&server.url())
    };
    for _ in 0..2 {
        let late = fetch(&server.policy("{}"), request.clone()).await;
        assert_eq!(late, Err(HttpError::TimedOut));
    }
    let hanging = Server::scripted(vec![("", Then::Hang)]).await;
    let hasty = Request {
        timeout: Some(Duration::ZERO),
        ..get(&hanging.url())
    };
    let late = fetch(&hanging.policy("{}"), hasty).await;
    assert_eq!(late, Err(HttpError::TimedOut));
    let config = Config {
        timeout_ms: 1,
        ..Config::default()
    };
    let hanging = Server::scripted(vec![("", Then::Hang)]).await;
    let patient = Request {
        timeout: Some(Duration::from_secs(3_600)),
        ..get(&hanging.url())
    };
    let late = outbound(&config)
        .fetch(&hanging.policy("{}"), patient)
        .await;
    assert_eq!(late, Err(HttpError::TimedOut));
}

/// All pieces of a stream together, and how it ended.
async fn streamed(server: &Server, request: Request) -> (u16, Vec<u8>, Result<(), HttpError>) {
    let outbound = outbound(&Config::default());
    let (head, mut body) = outbound
        .stream(&server.policy("{}"), request)
        .await
        .unwrap();
    let mut read = Vec::new();
    let end = loop {
        match body.try_next().await {
            Ok(Some(piece)) => read.extend_from_slice(&piece),
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    assert_eq!(body.try_next().await, Ok(None), "nothing follows an end");
    (head.status, read, end)
}

#[tokio::test]
async fn a_stream_comes_in_pieces_and_ends() {
    let chunked =
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n";
    let cut_off = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n";
    let server = Server::scripted(vec![
        (BUSY, Then::Close),
        (chunked, Then::Close),
        (cut_off, Then::Close),
        (cut_off, Then::Hang),
        (chunked, Then::Close),
    ])
    .await;
    let request = || Request {
        retry: at_once(2),
        ..get(&server.url())
    };
    let whole = streamed(&server, request()).await;
    assert_eq!(whole, (200, b"abc".to_vec(), Ok(())));

    let (_, read, end) = streamed(&server, request()).await;
    assert_eq!(read, b"ab");
    assert!(matches!(end, Err(HttpError::Failed(_))), "{end:?}");

    let impatient = Request {
        timeout: Some(Duration::from_secs(1)),
        ..request()
    };
    let silent = streamed(&server, impatient).await;
    assert_eq!(silent, (200, b"ab".to_vec(), Err(HttpError::TimedOut)));

    let limited = Request {
        max_response_bytes: Some(2),
        ..request()
    };
    let (_, read, end) = streamed(&server, limited).await;
    assert!(read.len() <= 2);
    assert_eq!(end, Err(HttpError::TooLarge { limit: 2 }));
}

#[tokio::test]
async fn those_beyond_the_limit_wait_their_turn() {
    let hanging = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n";
    let mut server = Server::scripted(vec![(hanging, Then::Hang), (OK, Then::Close)]).await;
    let config = Config {
        max_concurrent: 1,
        ..Config::default()
    };
    let (outbound, policy) = (outbound(&config), server.policy("{}"));
    let (_, body) = outbound.stream(&policy, get(&server.url())).await.unwrap();
    server.next().await;
    let mut second = Box::pin(outbound.fetch(&policy, get(&server.url())));
    assert!(futures::poll!(&mut second).is_pending());
    // The place is free once the stream is dropped.
    drop(body);
    assert_eq!(second.await.unwrap().head.status, 200);
}

#[test]
fn a_configuration_is_checked() {
    assert!(Config::default().check().is_ok());
    for (config, problem) in [
        (
            Config {
                timeout_ms: 0,
                ..Config::default()
            },
            "egress.timeout_ms must be at least 1",
        ),
        (
            Config {
                max_concurrent: 0,
                ..Config::default()
            },
            "egress.max_concurrent must be at least 1",
        ),
        (
            Config {
                allow: vec!["10.0.0.0/99".to_owned()],
                ..Config::default()
            },
            "egress.allow: \"10.0.0.0/99\" is neither a host name nor an address nor a network such as 10.1.0.0/16",
        ),
    ] {
        assert_eq!(config.check().unwrap_err().to_string(), problem);
    }
}

/// `text` as encoders of the coding write it.
async fn coded(coding: &str, text: &[u8]) -> Vec<u8> {
    use async_compression::tokio::bufread::{
        BrotliEncoder, DeflateEncoder, GzipEncoder, ZlibEncoder, ZstdEncoder,
    };
    let mut coded = Vec::new();
    let read = match coding {
        "gzip" => GzipEncoder::new(text).read_to_end(&mut coded).await,
        "deflate" => ZlibEncoder::new(text).read_to_end(&mut coded).await,
        "bare deflate" => DeflateEncoder::new(text).read_to_end(&mut coded).await,
        "br" => BrotliEncoder::new(text).read_to_end(&mut coded).await,
        "zstd" => ZstdEncoder::new(text).read_to_end(&mut coded).await,
        _ => panic!("{coding}"),
    };
    read.unwrap();
    coded
}

/// A response with a body that is coded like this.
fn coded_answer(status: &str, coding: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-encoding: {coding}\r\ncontent-length: {}\r\nx-kind: a\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

const CODINGS: [&str; 5] = ["gzip", "deflate", "bare deflate", "br", "zstd"];

fn on_the_wire(coding: &str) -> &str {
    coding.rsplit(' ').next().unwrap()
}

#[tokio::test]
async fn what_a_server_coded_for_the_way_is_decoded() {
    let text = "All work and no play. ".repeat(5_000);
    for coding in CODINGS {
        let body = coded(coding, text.as_bytes()).await;
        let answer = coded_answer("200 OK", on_the_wire(coding), &body);
        let server = Server::sending(vec![answer.clone(), answer]).await;
        let response = fetch(&server.policy("{}"), get(&server.url()))
            .await
            .unwrap();
        assert_eq!(response.body, text.as_bytes(), "{coding}");
        assert_eq!(response.head.headers, [header("x-kind", "a")], "{coding}");
        let (status, read, end) = streamed(&server, get(&server.url())).await;
        assert_eq!(
            (status, read.as_slice(), end),
            (200, text.as_bytes(), Ok(())),
            "{coding}"
        );
    }
}

#[tokio::test]
async fn codings_lie_on_top_of_each_other() {
    let gzip = coded("gzip", b"hello").await;
    let both = coded("br", &gzip).await;
    // Two members of gzip are one body, and no body at all is no content.
    let twice = [gzip.as_slice(), &gzip].concat();
    let answers = vec![
        coded_answer("200 OK", "gzip, br", &both),
        coded_answer("200 OK", "gzip", &twice),
        coded_answer("200 OK", "gzip", b""),
        coded_answer("503 Busy", "identity, X-Gzip", &gzip),
    ];
    let server = Server::sending(answers).await;
    for (status, expected) in [
        (200, &b"hello"[..]),
        (200, b"hellohello"),
        (200, b""),
        (503, b"hello"),
    ] {
        let response = fetch(&server.policy("{}"), get(&server.url()))
            .await
            .unwrap();
        assert_eq!(
            (response.head.status, response.body.as_slice()),
            (status, expected)
        );
    }
}

#[tokio::test]
async fn a_few_bytes_that_become_very_many_are_refused() {
    let bomb = vec![b'x'; 4 << 20];
    for coding in CODINGS {
        let body = coded(coding, &bomb).await;
        assert!(body.len() < 64 << 10, "{coding}");
        let answer = coded_answer("200 OK", on_the_wire(coding), &body);
        let server = Server::sending(vec![answer.clone(), answer]).await;
        let limited = || Request {
            max_response_bytes: Some(64 << 10),
            ..get(&server.url())
        };
        let refused = fetch(&server.policy("{}"), limited()).await.unwrap_err();
        assert_eq!(refused, HttpError::TooLarge { limit: 64 << 10 }, "{coding}");
        assert!(refused.to_string().contains("65536"));
        let (_, read, end) = streamed(&server, limited()).await;
        assert!(read.len() <= 64 << 10, "{coding}");
        assert_eq!(end, Err(refused), "{coding}");
    }
}

#[tokio::test]
async fn what_cannot_be_decoded_is_an_error_and_not_an_empty_body() {
    for coding in CODINGS {
        let text: Vec<u8> = (0..20_000_u32).flat_map(u32::to_le_bytes).collect();
        let whole = coded(coding, &text).await;
        let cut = coded_answer("200 OK", on_the_wire(coding), &whole[..whole.len() / 2]);
        let plain = coded_answer("200 OK", on_the_wire(coding), b"{\"plain\": true}");
        let server = Server::sending(vec![cut, plain]).await;
        for _ in 0..2 {
            let failed = fetch(&server.policy("{}"), get(&server.url())).await;
            let Err(HttpError::Failed(text)) = &failed else {
                panic!("{coding}: {failed:?}");
            };
            let words = format!("cannot be decoded as {}", on_the_wire(coding));
            assert!(text.contains(&words), "{text}");
        }
    }
}

#[tokio::test]
async fn a_response_that_cannot_be_decoded_is_not_asked_for_again() {
    let garbage = coded_answer("200 OK", "gzip", b"{\"plain\": true}");
    let unknown = coded_answer("200 OK", "dcb", b"\x01\x02");
    let many = coded_answer("200 OK", "gzip, gzip, gzip", b"");
    for answer in [garbage, unknown, many] {
        let server = Server::sending(vec![answer; 3]).await;
        let order = || Request {
            method: "POST".to_owned(),
            retry: at_once(3),
            ..get(&server.url())
        };
        let failed = fetch(&server.policy("{}"), order()).await;
        assert!(matches!(failed, Err(HttpError::Failed(_))), "{failed:?}");
        assert_eq!(server.requests.len(), 1, "{failed:?}");
    }
}

#[tokio::test]
async fn what_grows_between_two_codings_is_refused() {
    let empty = coded("gzip", b"").await.repeat(200_000);
    for outer in CODINGS {
        let body = coded(outer, &empty).await;
        let codings = format!("gzip, {}", on_the_wire(outer));
        let answer = coded_answer("200 OK", &codings, &body);
        let server = Server::sending(vec![answer.clone(), answer]).await;
        let limited = || Request {
            max_response_bytes: Some(64 << 10),
            ..get(&server.url())
        };
        let refused = fetch(&server.policy("{}"), limited()).await;
        assert_eq!(refused, Err(HttpError::TooLarge { limit: 64 << 10 }));
        let (_, read, end) = streamed(&server, limited()).await;
        let too_large = Err(HttpError::TooLarge { limit: 64 << 10 });
        assert_eq!((read, end), (Vec::new(), too_large), "{outer}");
    }
}

#[tokio::test]
async fn a_coding_nobody_knows_is_for_workers_that_ask_for_it() {
    let answer = coded_answer("200 OK", "dcb", b"\x01\x02");
    let server = Server::sending(vec![answer.clone(), answer]).await;
    let failed = fetch(&server.policy("{}"), get(&server.url())).await;
    assert!(
        failed
            .unwrap_err()
            .to_string()
            .contains("content coding \"dcb\""),
    );
    let asking = Request {
        headers: vec![header("Accept-Encoding", "gzip, dcb")],
        ..get(&server.url())
    };
    let response = fetch(&server.policy("{}"), asking).await.unwrap();
    assert_eq!(response.body, b"\x01\x02");
    assert!(
        response
            .head
            .headers
            .contains(&header("content-encoding", "dcb"))
    );
}

#[tokio::test]
async fn the_events_of_a_coded_stream_come_as_they_are_sent() {
    use async_compression::tokio::write::GzipEncoder;
    let mut encoder = GzipEncoder::new(Vec::new());
    encoder.write_all(b"data: one\n\n").await.unwrap();
    encoder.flush().await.unwrap();
    let head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\nconnection: close\r\n\r\n";
    let answer = [&head[..], encoder.get_ref()].concat();
    let server = Server::with(vec![(answer, Then::Hang)]).await;
    let outbound = outbound(&Config::default());
    let begun = outbound
        .stream(&server.policy("{}"), get(&server.url()))
        .await;
    let (_, mut body) = begun.unwrap();
    let piece = body.try_next().await.unwrap().unwrap();
    assert_eq!(piece, b"data: one\n\n"[..], "although more is to come");
}

#[tokio::test]
async fn methods_that_mean_a_body_say_that_there_is_none() {
    for (method, says) in [
        ("POST", true),
        ("PUT", true),
        ("PATCH", true),
        ("GET", false),
        ("DELETE", false),
        ("OPTIONS", false),
    ] {
        let mut server = Server::answering(&[OK]).await;
        let request = Request {
            method: method.to_owned(),
            ..get(&server.url())
        };
        fetch(&server.policy("{}"), request).await.unwrap();
        let sent = server.next().await;
        let found = sent.matches("content-length: 0\r\n").count();
        assert_eq!(found, usize::from(says), "{sent}");
    }
}
