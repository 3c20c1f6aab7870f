//! What asking about tasks costs: who does not need the content of artifacts does not read it.

use taskyard_storage::measured::Reading;
use taskyard_task::{ContextCall, ContextResult, TaskId};

use super::*;

const CHUNKS: usize = 80;
/// The widest that a number can be formatted.
const CHUNK_BYTES: usize = (64 << 10) - 1;
/// Many times less than one of the chunks, and more than all else that a task has.
const LITTLE: u64 = 32 << 10;

/// A task of the conversation `c` that ended with an artifact of 5 MiB.
async fn large(yard: &Yard) -> TaskId {
    let request = SendRequest {
        context_id: Some("c".to_owned()),
        announce: true,
        ..request("large")
    };
    let sent = yard.broker.send(&caller(""), request).await.unwrap();
    let run = yard.broker.lease().await.unwrap();
    for number in 0..CHUNKS {
        run.record(chunk(&text(number), number == 0)).await.unwrap();
    }
    run.settle(completed()).await.unwrap();
    yard.broker.turn_end(&sent).await.unwrap();
    sent.task
}

/// All of the artifact.
fn whole_parts() -> Vec<Part> {
    (0..CHUNKS).map(text).map(Part::text).collect()
}

fn text(number: usize) -> String {
    let mut text = number.to_string();
    text.push_str(&"x".repeat(CHUNK_BYTES - text.len()));
    text
}

/// What `ask` reads.
async fn cost<T>(ask: impl Future<Output = T>) -> (T, u64) {
    let reading = Reading::begin();
    let got = ask.await;
    (got, reading.bytes())
}

fn assert_little(bytes: u64, what: &str) {
    assert!((1..LITTLE).contains(&bytes), "{what} read {bytes} bytes");
}

#[tokio::test]
async fn who_does_not_need_content_reads_none() {
    let yard = Yard::new(Config::default()).await;
    let mut tasks = Vec::new();
    for _ in 0..4 {
        tasks.push(large(&yard).await);
    }
    let me = caller("");
    let query = |artifacts| ListQuery {
        page_size: 10,
        artifacts,
        ..ListQuery::default()
    };
    let (page, bytes) = cost(yard.broker.list(&me, &agent(), query(false))).await;
    let page = page.unwrap();
    assert_eq!((page.tasks.len(), page.total), (4, 4));
    assert!(
        page.tasks
            .iter()
            .all(|task| task.outline.view.artifacts.is_empty())
    );
    assert_little(bytes, "a list");

    let (got, bytes) = cost(yard.broker.get(&me, &agent(), tasks[0])).await;
    let got = got.unwrap();
    assert_eq!(got.outline.content_bytes() as usize, CHUNKS * CHUNK_BYTES);
    assert_little(bytes, "a task without its content");
    let (whole, bytes) = cost(async { yard.broker.whole(&got).unwrap() }).await;
    assert!(whole.artifacts[0].parts == whole_parts());
    assert!(bytes as usize >= CHUNKS * CHUNK_BYTES);

    // With artifacts, each page has one task more than fits.
    let (page, bytes) = cost(yard.broker.list(&me, &agent(), query(true))).await;
    let page = page.unwrap();
    assert_eq!((page.tasks.len(), page.total), (1, 4));
    assert!(!page.next_page_token.is_empty());
    assert_little(bytes, "a page of a list with artifacts");
}

#[tokio::test]
async fn earlier_tasks_are_read_without_what_does_not_fit() {
    let yard = Yard::new(Config::default()).await;
    let task = large(&yard).await;
    let request = SendRequest {
        context_id: Some("c".to_owned()),
        ..request("next")
    };
    yard.broker.send(&caller(""), request).await.unwrap();
    let run = yard.broker.lease().await.unwrap();

    let list = ContextCall::List { limit: 5 };
    let (listed, bytes) = cost(run.context(list, false)).await;
    let ContextResult::Tasks(listed) = listed.unwrap().2 else {
        panic!("no list");
    };
    assert_eq!(listed[0].artifacts.len(), 1);
    assert_little(bytes, "a list of earlier tasks");
    let (read, bytes) = cost(run.context(ContextCall::Read { task }, false)).await;
    let ContextResult::Task(read) = read.unwrap().2 else {
        panic!("no task");
    };
    assert!(read.artifacts[0].parts.is_empty() && !read.complete);
    assert_little(bytes, "an earlier task");
}

#[tokio::test]
async fn a_stream_begins_with_what_the_message_left() {
    let yard = Yard::new(Config::default()).await;
    let task = large(&yard).await;
    let sent = Sent { task, seq: Seq(1) };
    let mut watch = yard.broker.watch_sent(&sent).await.unwrap();
    let (first, bytes) = cost(watch.snapshot_of_sent(Seq(1))).await;
    assert_eq!(first.unwrap().outline.view.last, Seq(1));
    assert_little(bytes, "the beginning of a stream");
    assert_eq!(watch.next().await.unwrap()[0].0, Seq(2));
}

/// A webhook that lags behind is as fast at its last notification as at its first.
#[tokio::test]
async fn a_lane_goes_on_behind_what_was_delivered() {
    const NOTIFICATIONS: usize = 300;
    let yard = Yard::new(Config::default()).await;
    yard.broker.set_webhook_policy(Arc::new(Anywhere));
    let push = PushRequest {
        id: Some("hook".to_owned()),
        url: "https://example.com".to_owned(),
        ..PushRequest::default()
    };
    let request = SendRequest {
        push: Some(push),
        ..request("hello")
    };
    let sent = yard.broker.send(&caller(""), request).await.unwrap();
    let run = yard.broker.lease().await.unwrap();
    for number in 0..NOTIFICATIONS {
        run.record(chunk("x", number == 0)).await.unwrap();
    }
    run.settle(completed()).await.unwrap();
    yard.broker.turn_end(&sent).await.unwrap();

    let lane = yard.broker.lanes_ready().await.pop().unwrap();
    let reading = Reading::begin();
    let mut delivered = 0;
    while let Some(delivery) = due(&yard, &lane).await {
        yard.broker.delivered(&delivery).await.unwrap();
        delivered += 1;
    }
    assert!(delivered > NOTIFICATIONS);
    // The last look finds nothing, and knows that only from the row behind the last one.
    let skipped = reading.skipped() as usize;
    assert!(skipped < NOTIFICATIONS, "{skipped} rows were walked over");
}

struct Anywhere;

impl WebhookPolicy for Anywhere {
    fn check<'a>(&'a self, _: &'a Tenant, _: &'a str) -> BoxFuture<'a, Result<(), NotTaken>> {
        std::future::ready(Ok(())).boxed()
    }
}
