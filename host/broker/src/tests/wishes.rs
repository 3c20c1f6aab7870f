//! What a client wishes for a new task: when it runs, before whom, until when, and what it hears of.

use taskyard_task::{Phase, Priority, WireVersion};

use super::*;

const HOUR: Duration = Duration::from_secs(3_600);

impl Yard {
    async fn wish(&self, text: &str, wishes: Wishes) -> Sent {
        let request = SendRequest {
            wishes,
            ..request(text)
        };
        self.broker.send(&caller(""), request).await.unwrap()
    }

    fn in_hours(&self, hours: u64) -> Timestamp {
        self.clock.now().plus_millis(hours * 3_600_000)
    }

    async fn later(&self, hours: u64) -> Sent {
        let wishes = Wishes {
            not_before: Some(self.in_hours(hours)),
            ..Wishes::default()
        };
        self.wish("later", wishes).await
    }

    async fn urgent(&self, text: &str, priority: i8) -> Sent {
        let wishes = Wishes {
            priority: Priority::try_from(priority).unwrap(),
            ..Wishes::default()
        };
        self.wish(text, wishes).await
    }
}

#[tokio::test]
async fn a_task_for_later_runs_when_its_moment_has_come() {
    let yard = Yard::new(Config::default()).await;
    let later = yard.later(2).await;
    let found = yard.broker.get(&caller(""), &agent(), later.task).await;
    let header = found.unwrap().header;
    let until = yard.in_hours(2);
    assert_eq!(header.phase, Phase::Delayed { until });
    assert!(header.announced);
    let now = yard.send("now").await;
    let running = yard.broker.lease().await.unwrap();
    assert_eq!(running.task(), now.task);
    yard.clock.advance(2 * HOUR);
    assert_eq!(yard.broker.lease().await.unwrap().task(), later.task);
}

#[tokio::test]
async fn a_task_for_later_survives_a_restart() {
    let yard = Yard::new(Config::default()).await;
    let later = yard.later(2).await;
    let yard = yard.restart().await;
    yard.clock.advance(2 * HOUR);
    let run = yard.broker.lease().await.unwrap();
    assert_eq!(run.task(), later.task);
    run.settle(completed()).await.unwrap();
    let end = yard.broker.turn_end(&later).await.unwrap();
    assert_eq!(end.outline.view.state, TaskState::Completed);
}

#[tokio::test]
async fn a_task_for_later_can_be_canceled_before() {
    let yard = Yard::new(Config::default()).await;
    let later = yard.later(2).await;
    let canceled = yard.broker.cancel(&caller(""), &agent(), later.task).await;
    assert_eq!(canceled.unwrap().outline.view.state, TaskState::Canceled);
    yard.clock.advance(2 * HOUR);
    let now = yard.send("now").await;
    assert_eq!(yard.broker.lease().await.unwrap().task(), now.task);
}

#[tokio::test]
async fn a_task_fails_at_the_deadline_that_it_was_given() {
    let yard = Yard::new(Config::default()).await;
    let wishes = Wishes {
        not_before: Some(yard.in_hours(1)),
        deadline: Some(yard.in_hours(2)),
        ..Wishes::default()
    };
    let sent = yard.wish("tight", wishes).await;
    yard.clock.advance(3 * HOUR);
    let end = yard.broker.turn_end(&sent).await.unwrap();
    assert_eq!(end.outline.view.state, TaskState::Failed);
}

#[tokio::test]
async fn the_hosts_own_deadline_is_the_latest() {
    let yard = Yard::new(Config::default()).await;
    let latest = yard.broker.new_deadline();
    let wishes = Wishes {
        deadline: Some(latest.plus_millis(1)),
        ..Wishes::default()
    };
    let sent = yard.wish("patient", wishes).await;
    let watch = yard.broker.watch_sent(&sent).await.unwrap();
    assert_eq!(watch.header().deadline, latest);
}

#[tokio::test]
async fn a_repeated_request_may_find_its_deadline_behind_it() {
    let yard = Yard::new(Config::default()).await;
    let again = SendRequest {
        wishes: Wishes {
            deadline: Some(yard.in_hours(1)),
            ..Wishes::default()
        },
        idempotency: Some(IdempotencyKey {
            key: "k".to_owned(),
            body: taskyard_task::Digest::of(b"tight"),
        }),
        ..request("tight")
    };
    let first = yard.broker.send(&caller(""), again.clone()).await.unwrap();
    yard.clock.advance(2 * HOUR);
    let second = yard.broker.send(&caller(""), again.clone()).await.unwrap();
    assert_eq!(first, second);
    let fresh = SendRequest {
        idempotency: None,
        ..again
    };
    let refused = yard.broker.send(&caller(""), fresh).await.unwrap_err();
    assert!(matches!(
        refused,
        Error::Invalid {
            field: "deadline",
            ..
        }
    ));
}

/// Leases everything that is in line.
async fn order(yard: &Yard, tasks: usize) -> Vec<taskyard_task::TaskId> {
    let mut order = Vec::new();
    for _ in 0..tasks {
        let run = yard.broker.lease().await.unwrap();
        order.push(run.task());
        run.settle(completed()).await.unwrap();
    }
    order
}

#[tokio::test]
async fn urgent_tasks_go_first_before_and_after_a_restart() {
    for restarted in [false, true] {
        let mut yard = Yard::new(Config::default()).await;
        let mut sent = Vec::new();
        for priority in [0, -1, 5, 0, 9] {
            sent.push(yard.urgent("x", priority).await.task);
            yard.clock.advance(Duration::from_secs(1));
        }
        if restarted {
            yard = yard.restart().await;
        }
        let expected = [sent[4], sent[2], sent[0], sent[3], sent[1]];
        assert_eq!(order(&yard, 5).await, expected, "restarted: {restarted}");
    }
}

struct Anywhere;

impl WebhookPolicy for Anywhere {
    fn check<'a>(&'a self, _: &'a Tenant, _: &'a str) -> BoxFuture<'a, Result<(), NotTaken>> {
        std::future::ready(Ok(())).boxed()
    }
}

#[tokio::test]
async fn a_filtered_webhook_hears_of_its_states_alone() {
    let yard = Yard::new(Config::default()).await;
    yard.broker.set_webhook_policy(Arc::new(Anywhere));
    let push = PushRequest {
        id: Some("w".to_owned()),
        url: "https://example.com/hook".to_owned(),
        token: None,
        scheme: None,
        credentials: None,
        on: Some(vec![TaskState::InputRequired, TaskState::Completed]),
        version: WireVersion::V1,
    };
    let request = SendRequest {
        push: Some(push),
        ..request("hello")
    };
    let sent = yard.broker.send(&caller(""), request).await.unwrap();
    let run = yard.broker.lease().await.unwrap();
    run.record(chunk("hello", true)).await.unwrap();
    run.settle(completed()).await.unwrap();
    yard.broker.turn_end(&sent).await.unwrap();

    let lane = yard.broker.lanes_ready().await.pop().unwrap();
    let delivery = due(&yard, &lane).await.unwrap();
    let entries = yard.broker.task_log(sent.task, Seq::ZERO, 64).unwrap();
    let last = entries.entries.last().unwrap();
    assert_eq!(delivery.seq, last.seq);
    yard.broker.delivered(&delivery).await.unwrap();
    assert!(due(&yard, &lane).await.is_none());
}
