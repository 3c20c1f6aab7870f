//! What webhooks are told, in the version of the protocol that they were registered in.

use taskyard_task::WireVersion;
use taskyard_task::commit::DeliveryState;
use taskyard_task::wire::Notification;

use super::*;

struct Anywhere;

impl WebhookPolicy for Anywhere {
    fn check<'a>(&'a self, _: &'a Tenant, _: &'a str) -> BoxFuture<'a, Result<(), NotTaken>> {
        std::future::ready(Ok(())).boxed()
    }
}

/// Takes for ever to look at a URL.
struct Unsure;

impl WebhookPolicy for Unsure {
    fn check<'a>(&'a self, _: &'a Tenant, _: &'a str) -> BoxFuture<'a, Result<(), NotTaken>> {
        std::future::pending().boxed()
    }
}

fn hook() -> PushRequest {
    PushRequest {
        id: Some("hook".to_owned()),
        url: "https://example.com/hook".to_owned(),
        ..PushRequest::default()
    }
}

/// Runs a task that leaves a result in two pieces; gives everything that its webhook is told.
async fn told(version: WireVersion) -> Vec<Notification> {
    let yard = Yard::new(Config::default()).await;
    yard.broker.set_webhook_policy(Arc::new(Anywhere));
    let push = PushRequest {
        url: "https://example.com/hook".to_owned(),
        version,
        ..PushRequest::default()
    };
    let request = SendRequest {
        push: Some(push),
        ..request("hello")
    };
    let sent = yard.broker.send(&caller(""), request).await.unwrap();
    let run = yard.broker.lease().await.unwrap();
    run.record(chunk("he", true)).await.unwrap();
    run.record(chunk("llo", false)).await.unwrap();
    run.settle(completed()).await.unwrap();
    yard.broker.turn_end(&sent).await.unwrap();

    let lane = yard.broker.lanes_ready().await.pop().unwrap();
    let mut told = Vec::new();
    while let Some(delivery) = due(&yard, &lane).await {
        yard.broker.delivered(&delivery).await.unwrap();
        told.push(delivery.payload);
    }
    told
}

#[tokio::test]
async fn a_webhook_is_told_the_events() {
    let told = told(WireVersion::V1).await;
    assert!(told.iter().all(|one| matches!(one, Notification::V1(_))));
    let last = told.last().unwrap();
    let Notification::V1(event) = last else {
        panic!("{last:?} is of another version");
    };
    assert!(matches!(**event, a2a::StreamResponse::StatusUpdate(_)));
}

#[tokio::test]
async fn a_webhook_of_0_3_is_told_the_task_as_each_event_left_it() {
    let told = told(WireVersion::V03).await;
    let seen = told.iter().map(|one| match one {
        Notification::V03(task) => {
            let artifacts = task.artifacts.as_deref().unwrap_or_default();
            (task.status.state.clone(), artifacts.len())
        }
        Notification::V1(_) => panic!("{one:?} is of another version"),
    });
    let seen: Vec<_> = seen.collect();
    let expected = [(a2a::TaskState::Working, 0), (a2a::TaskState::Completed, 1)];
    assert_eq!(seen, expected, "pieces of a result are not told one by one");
}

#[tokio::test]
async fn a_refused_message_leaves_no_webhook() {
    let yard = Yard::new(Config::default()).await;
    yard.broker.set_webhook_policy(Arc::new(Anywhere));
    let me = caller("");
    let first = SendRequest {
        announce: true,
        ..request("1")
    };
    let sent = yard.broker.send(&me, first).await.unwrap();
    let more = |context: Option<&str>| SendRequest {
        task: Some(sent.task),
        context_id: context.map(str::to_owned),
        push: Some(hook()),
        ..request("2")
    };
    let hooks = async || {
        let found = yard.broker.push_configs(&me, &agent(), sent.task).await;
        found.unwrap().len()
    };
    let refused = yard.broker.send(&me, more(Some("another"))).await;
    assert!(
        matches!(refused, Err(Error::ContextMismatch)),
        "{refused:?}"
    );
    assert_eq!(hooks().await, 0);
    yard.broker.send(&me, more(None)).await.unwrap();
    assert_eq!(hooks().await, 1);
}

#[tokio::test]
async fn nothing_is_noted_about_a_webhook_that_is_gone() {
    let yard = Yard::new(Config::default()).await;
    yard.broker.set_webhook_policy(Arc::new(Anywhere));
    let me = caller("");
    let first = SendRequest {
        push: Some(hook()),
        ..request("1")
    };
    let sent = yard.broker.send(&me, first).await.unwrap();
    let run = yard.broker.lease().await.unwrap();
    run.settle(completed()).await.unwrap();
    yard.broker.turn_end(&sent).await.unwrap();
    let lane = yard.broker.lanes_ready().await.pop().unwrap();
    let delivery = due(&yard, &lane).await.unwrap();

    let removed = yard
        .broker
        .delete_push_config(&me, &agent(), sent.task, "hook")
        .await;
    removed.unwrap();
    let state = DeliveryState {
        attempts: 1,
        last_error: "nobody is there".to_owned(),
        retry_at: None,
    };
    yard.broker.delivery_failed(&delivery, state).await.unwrap();
    assert!(yard.broker.deliveries(10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_slow_look_at_a_webhook_keeps_nobody_waiting() {
    let yard = Yard::new(Config::default()).await;
    yard.broker.set_webhook_policy(Arc::new(Unsure));
    let me = caller("");
    let slow = SendRequest {
        push: Some(hook()),
        ..keyed(false)
    };
    tokio::select! {
        biased;
        sent = yard.broker.send(&me, slow) => panic!("{sent:?}"),
        // The same key, and so the same turn.
        sent = yard.broker.send(&me, keyed(false)) => {
            sent.unwrap();
        }
    }
}
