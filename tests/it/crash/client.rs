//! A client that goes on where it was, whatever happens to the host.

use serde_json::{Value, json};
use tokio::time::sleep;

use super::job::Job;
use crate::support::agent::follow_up;
use crate::support::wait::PAUSE;
use crate::support::{Agent, Error, Event, Host, Webhook, task};

/// A client of one agent, for one task.
pub(super) struct Client {
    agent: Agent,
    number: u64,
}

/// What a client saw of its task.
pub(super) struct Finished {
    pub(super) job: Job,
    /// The task.
    pub(super) id: String,
    /// Every event, in the order in which they came.
    pub(super) events: Vec<Event>,
    /// How often the stream had to be taken up again.
    pub(super) reconnects: usize,
}

impl Client {
    pub(super) fn new(host: &Host, agent: &str, number: u64) -> Self {
        let agent = host.agent(agent);
        Self { agent, number }
    }

    /// Sends the task and stays until it has ended.
    pub(super) async fn see_through(self, job: Job, webhook: &Webhook) -> Finished {
        let push = json!({"id": "hook", "url": webhook.url(&hook(job.number))});
        let configuration = json!({"returnImmediately": true, "taskPushNotificationConfig": push});
        let params = json!({"message": job.message, "configuration": configuration});
        let begun = self.send("begin", params).await;
        let id = task::id(&begun["task"]).to_owned();
        let mut finished = Finished {
            job,
            id,
            events: Vec::new(),
            reconnects: 0,
        };
        self.follow(&mut finished).await;
        finished
    }

    /// Reads events until the end of the task, over as many streams as it takes.
    async fn follow(&self, finished: &mut Finished) {
        loop {
            let last = finished.events.last().map_or(Some(0), |event| event.id);
            let mut events = match self.agent.try_subscribe(&finished.id, last).await {
                Ok(events) => events,
                Err(Error::Lost(_)) => {
                    sleep(PAUSE).await;
                    continue;
                }
                Err(Error::Refused(refusal)) => panic!("behind event {last:?}: {refusal:?}"),
            };
            while let Some(event) = events.next().await {
                if event.id.is_none() {
                    // It stopped, and said so.
                    let reason = event.response.pointer("/error/data/0/reason");
                    assert_eq!(reason.unwrap_or_default(), "UNAVAILABLE", "{event:?}");
                    break;
                }
                let state = event.state().unwrap_or_default().to_owned();
                finished.events.push(event);
                if task::is_terminal(&state) {
                    return;
                }
                if task::waits_for_input(&state) {
                    let answer = follow_up(&finished.id, finished.job.answer());
                    self.send("answer", json!({"message": answer})).await;
                }
            }
            finished.reconnects += 1;
            // A host that is about to stop ends every stream at once.
            sleep(10 * PAUSE).await;
        }
    }

    /// Sends a message until the host says that it has it. The key makes that safe.
    async fn send(&self, what: &str, params: Value) -> Value {
        let key = format!("{what}-{}", self.number);
        let agent = self.agent.with_header("idempotency-key", &key);
        loop {
            match agent.try_call("SendMessage", params.clone()).await {
                Ok(result) => return result,
                Err(Error::Lost(_)) => sleep(PAUSE).await,
                Err(Error::Refused(refusal)) if refusal.status == 503 => sleep(PAUSE).await,
                Err(Error::Refused(refusal)) => panic!("{what}: {refusal:?}"),
            }
        }
    }
}

/// The path of the webhook of the `number`-th task.
pub(super) fn hook(number: u64) -> String {
    format!("job-{number}")
}
