//! Retention: ended tasks are forgotten, and nothing brings them back.

use std::future::ready;

use taskyard_task::{Digest, TaskId, WireVersion};

use super::*;
use crate::push::{PushRequest, WebhookPolicy};

struct AnyWebhook;

impl WebhookPolicy for AnyWebhook {
    fn check<'a>(&'a self, _: &'a Tenant, _: &'a str) -> BoxFuture<'a, Result<(), NotTaken>> {
        ready(Ok(())).boxed()
    }
}

/// So long that the host's own rounds, which go by the machine's clock, are rarer than tests are long.
const AGE: u64 = 100_000;

async fn yard(max_age_seconds: Option<u64>, max_tasks_per_tenant: Option<u64>) -> Yard {
    let retention = RetentionConfig {
        max_age_seconds,
        max_tasks_per_tenant,
    };
    let config = Config {
        retention,
        ..Config::default()
    };
    let yard = Yard::new(config).await;
    yard.broker.set_webhook_policy(Arc::new(AnyWebhook));
    yard
}

async fn done(yard: &Yard, request: SendRequest) -> Sent {
    let sent = yard.broker.send(&caller(""), request).await.unwrap();
    let run = yard.broker.lease().await.unwrap();
    run.record(chunk("x", true)).await.unwrap();
    run.settle(completed()).await.unwrap();
    sent
}

async fn known(yard: &Yard, task: TaskId) -> bool {
    match yard.broker.get(&caller(""), &agent(), task).await {
        Ok(_) => true,
        Err(Error::TaskNotFound) => false,
        Err(error) => panic!("{error}"),
    }
}

async fn total(yard: &Yard) -> u64 {
    let query = ListQuery {
        page_size: 10,
        ..ListQuery::default()
    };
    let page = yard
        .broker
        .list(&caller(""), &agent(), query)
        .await
        .unwrap();
    assert_eq!(page.tasks.len() as u64, page.total);
    page.total
}

fn hook() -> PushRequest {
    PushRequest {
        id: Some("hook".to_owned()),
        url: "https://example.org".to_owned(),
        version: WireVersion::V1,
        ..PushRequest::default()
    }
}

#[tokio::test]
async fn ended_tasks_leave_when_they_are_old_enough() {
    let yard = yard(Some(AGE), None).await;
    let old = done(&yard, request("old")).await;
    yard.clock.advance(Duration::from_secs(AGE - 1));
    let young = done(&yard, request("young")).await;
    let open = yard.send("open").await;
    assert_eq!(yard.broker.forget_due().await.unwrap().forgotten, 0);
    yard.clock.advance(Duration::from_secs(1));
    assert_eq!(yard.broker.forget_due().await.unwrap().forgotten, 1);
    assert!(!known(&yard, old.task).await);
    assert!(known(&yard, young.task).await);
    assert_eq!(yard.broker.stats().forgotten.unwrap().tasks, 1);

    yard.clock.advance(Duration::from_secs(2 * AGE));
    yard.broker.forget_due().await.unwrap();
    let yard = yard.restart().await;
    assert!(!known(&yard, old.task).await);
    assert!(!known(&yard, young.task).await);
    let left = yard.broker.shared.storage.header(open.task).unwrap();
    assert!(
        left.is_some(),
        "what has not ended is kept, however old it is"
    );
}

#[tokio::test]
async fn a_tenant_keeps_so_many_ended_tasks() {
    let yard = yard(None, Some(2)).await;
    let mut sent = Vec::new();
    for number in 0..5 {
        sent.push(done(&yard, request(&number.to_string())).await);
        yard.clock.advance(Duration::from_secs(1));
    }
    assert_eq!(yard.broker.forget_due().await.unwrap().forgotten, 3);
    assert_eq!(total(&yard).await, 2);
    assert!(known(&yard, sent[3].task).await && known(&yard, sent[4].task).await);
    assert_eq!(yard.broker.forget_due().await.unwrap().forgotten, 0);
}

#[tokio::test]
async fn what_is_left_for_the_next_look_is_told() {
    let yard = yard(Some(AGE), Some(10)).await;
    for number in 0..150 {
        done(&yard, request(&number.to_string())).await;
    }
    yard.clock.advance(Duration::from_secs(AGE + 30));
    let round = yard.broker.forget_due().await.unwrap();
    assert_eq!((round.forgotten, round.excess), (128, 12));
    assert!((30_000..31_000).contains(&round.late_ms), "{round:?}");
    yard.clock.advance(Duration::from_secs(5));
    let told = yard.broker.stats().forgotten.unwrap();
    assert!((35_000..36_000).contains(&told.late_ms), "{told:?}");
    assert_eq!(told.excess, 12);

    let round = yard.broker.forget_due().await.unwrap();
    assert_eq!((round.forgotten, round.excess, round.late_ms), (22, 0, 0));
    assert_eq!(yard.broker.stats().forgotten.unwrap().late_ms, 0);
}

#[tokio::test]
async fn an_idempotency_key_goes_with_its_task() {
    let yard = yard(Some(AGE), None).await;
    let keyed = || {
        let mut request = request("once");
        request.idempotency = Some(IdempotencyKey {
            key: "k".to_owned(),
            body: Digest::of(b"once"),
        });
        request
    };
    let first = done(&yard, keyed()).await;
    let again = yard.broker.send(&caller(""), keyed()).await.unwrap();
    assert_eq!(again, first);
    yard.clock.advance(Duration::from_secs(AGE));
    yard.broker.forget_due().await.unwrap();
    let new = yard.broker.send(&caller(""), keyed()).await.unwrap();
    assert_ne!(new.task, first.task);
}

#[tokio::test]
async fn a_task_stays_as_long_as_somebody_follows_it() {
    let yard = yard(Some(AGE), None).await;
    let sent = done(&yard, request("x")).await;
    let mut watch = yard.broker.watch_sent(&sent).await.unwrap();
    yard.clock.advance(Duration::from_secs(AGE));
    let round = yard.broker.forget_due().await.unwrap();
    assert_eq!((round.forgotten, round.in_use), (0, 1));
    assert!(!kinds(&mut watch).await.is_empty());
    drop(watch);
    assert_eq!(yard.broker.forget_due().await.unwrap().forgotten, 1);
    let gone = yard.broker.watch_sent(&sent).await;
    assert!(matches!(gone, Err(Error::TaskNotFound)), "{gone:?}");
}

#[tokio::test]
async fn a_task_stays_until_its_webhook_has_heard_of_it_or_is_given_up() {
    let yard = yard(Some(AGE), None).await;
    for give_up in [false, true] {
        let mut request = request("x");
        request.push = Some(hook());
        let sent = done(&yard, request).await;
        yard.clock.advance(Duration::from_secs(AGE));
        let round = yard.broker.forget_due().await.unwrap();
        assert_eq!((round.forgotten, round.in_use), (0, 1));
        let lane = Lane {
            task: sent.task,
            config: "hook".to_owned(),
        };
        while let Some(delivery) = due(&yard, &lane).await {
            if give_up {
                let state = taskyard_task::commit::DeliveryState {
                    attempts: 3,
                    last_error: "no".to_owned(),
                    retry_at: None,
                };
                yard.broker.delivery_failed(&delivery, state).await.unwrap();
                break;
            }
            yard.broker.delivered(&delivery).await.unwrap();
        }
        assert_eq!(yard.broker.forget_due().await.unwrap().forgotten, 1);
        assert!(!known(&yard, sent.task).await);
        assert!(yard.broker.deliveries(10).await.unwrap().is_empty());
        assert!(due(&yard, &lane).await.is_none());
    }
}

/// A cursor of a list may name a task that is gone.
#[tokio::test]
async fn pages_go_on_behind_a_task_that_was_forgotten() {
    let yard = yard(Some(AGE), None).await;
    let mut sent = Vec::new();
    for number in 0..3 {
        sent.push(done(&yard, request(&number.to_string())).await);
        yard.clock.advance(Duration::from_secs(1));
    }
    let mut query = ListQuery {
        page_size: 2,
        ..ListQuery::default()
    };
    let list = async |query: &ListQuery| {
        let page = yard.broker.list(&caller(""), &agent(), query.clone()).await;
        page.unwrap()
    };
    let first = list(&query).await;
    assert_eq!(first.tasks[1].header.id, sent[1].task);
    query.page_token = Some(first.next_page_token);
    // The two older ones are gone; the third is asked for.
    yard.clock.advance(Duration::from_secs(AGE - 2));
    assert_eq!(yard.broker.forget_due().await.unwrap().forgotten, 2);
    let rest = list(&query).await;
    assert_eq!((rest.tasks.len(), rest.total), (0, 1));
}

/// Whoever is decided first wins, and nothing that comes later brings the task back.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_brings_a_forgotten_task_back() {
    let yard = yard(Some(AGE), None).await;
    for _ in 0..20 {
        let sent = done(&yard, request("x")).await;
        yard.clock.advance(Duration::from_secs(AGE));
        let broker = &yard.broker;
        let (me, echo) = (caller(""), agent());
        let put = async || {
            broker
                .put_push_config(&me, &echo, sent.task, hook())
                .await
                .map(drop)
        };
        let cancel = async || broker.cancel(&me, &echo, sent.task).await.map(drop);
        let get = async || broker.get(&me, &echo, sent.task).await.map(drop);
        let watch = async || {
            let mut watch = broker.watch(&me, &echo, sent.task).await?;
            while !watch.next().await?.is_empty() {}
            Ok(())
        };
        let (_, put, cancel, get, watch) =
            tokio::join!(broker.forget_due(), put(), cancel(), get(), watch());
        for (what, result) in [
            ("put", put),
            ("cancel", cancel),
            ("get", get),
            ("watch", watch),
        ] {
            let expected = matches!(
                result,
                Ok(()) | Err(Error::TaskNotFound | Error::Refused(_))
            );
            assert!(expected, "{what}: {result:?}");
        }
        // Something in the background may still look at it for a moment, which puts the forgetting off.
        while known(&yard, sent.task).await {
            broker.forget_due().await.unwrap();
            tokio::task::yield_now().await;
        }
        let again = broker.put_push_config(&me, &echo, sent.task, hook()).await;
        assert!(matches!(again, Err(Error::TaskNotFound)), "{again:?}");
        assert!(
            broker
                .shared
                .storage
                .push_config(sent.task, "hook")
                .unwrap()
                .is_none()
        );
        assert_eq!(total(&yard).await, 0);
    }
}
