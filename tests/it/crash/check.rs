//! What must hold after all crashes.

use std::collections::BTreeMap;

use serde_json::json;

use super::client::{Finished, hook};
use crate::support::webhook::Notification;
use crate::support::{Event, Host, Webhook, task};

/// Checks one task against what its client and its webhook saw.
pub(super) async fn task(host: &Host, webhook: &Webhook, finished: &Finished) {
    let agent = host.agent(finished.job.agent());
    let log = agent.subscribe(&finished.id, Some(0)).await.rest().await;
    let done = agent.get(&finished.id).await;

    ends_once(&log);
    assert_eq!(
        finished.events, log,
        "the client saw something else than the log has"
    );
    finished.job.check(&done);
    if let Some(expected) = finished.job.reports() {
        let reported: Vec<_> = log.iter().filter_map(Event::text).collect();
        assert_eq!(reported, expected);
    }

    let taken = webhook.end(&hook(finished.job.number)).await;
    let mut taken: Vec<_> = taken.iter().map(Notification::seq).collect();
    // The host may die between a webhook's answer and its note of it; then one comes twice.
    taken.dedup();
    assert_eq!(
        taken,
        ids(&log),
        "the webhook heard something else than the log has"
    );
}

/// Checks that there are no tasks besides these: sending again made no second one.
pub(super) async fn nothing_else(host: &Host, finished: &[Finished]) {
    let mut tasks: BTreeMap<&str, usize> = BTreeMap::new();
    for one in finished {
        *tasks.entry(one.job.agent()).or_default() += 1;
    }
    for (agent, count) in tasks {
        let list = host
            .agent(agent)
            .call("ListTasks", json!({"pageSize": 1}))
            .await;
        assert_eq!(list["totalSize"], count, "{agent}");
    }
}

fn ends_once(log: &[Event]) {
    let ids = ids(log);
    assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
    let ends = log
        .iter()
        .filter(|event| event.state().is_some_and(task::is_terminal));
    assert_eq!(ends.count(), 1);
    assert!(
        log.last()
            .and_then(Event::state)
            .is_some_and(task::is_terminal)
    );
}

fn ids(events: &[Event]) -> Vec<u64> {
    events.iter().map(|event| event.id.unwrap()).collect()
}
