//! Webhooks: a hundred receivers, and one of them dead.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::Notify;

use super::{CONNECTIONS, Scale};
use crate::load::{Samples, each};
use crate::now;
use crate::report::{Better, Section};
use crate::server::{COMPLETED, Client, Host};

const RECEIVERS: usize = 100;
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn push(scale: Scale) -> Result<Section> {
    let mut section = Section::new(
        "push",
        "Push notifications",
        "Echo tasks notify 100 receivers in turn, each a server of its own; measured from the submission until \
         the receiver has the notification of the task's end. Then one of them is dead: it takes connections \
         and never answers.",
    )
    .measure("p50", "ms", Better::Lower)
    .measure("p99", "ms", Better::Lower)
    .measure("tasks notified", "tasks/s", Better::Higher)
    .beside("all are well");
    for (name, dead) in [("all are well", 0), ("one is dead", 1)] {
        let seen = notified(scale, dead).await?;
        let values = vec![seen.ms(50.0), seen.ms(99.0), seen.per_second()];
        section = section.row(name, values);
    }
    Ok(section)
}

async fn notified(scale: Scale, dead: usize) -> Result<Samples> {
    let host = Host::with(&["plugins/echo"]).await?;
    let inbox = Arc::new(Inbox::default());
    let urls = receivers(&inbox, dead).await?;
    let count = scale.count(5_000, 200);
    let mut clients = Client::connect_all(&host.place("echo"), CONNECTIONS).await?;
    let sent = RefCell::new(HashMap::new());
    let began = now();
    let submitted = each(&mut clients, count, async |client, number| {
        let (start, receiver) = (now(), number % RECEIVERS);
        let url = urls.get(receiver).context("no such receiver")?;
        let task = client.submit_with_webhook("hello", url).await?;
        if receiver >= dead {
            sent.borrow_mut().insert(task, start);
        }
        Ok(())
    });
    submitted.await?;
    let sent = sent.into_inner();
    let arrived = inbox.all(sent.len()).await?;
    let mut samples = Samples::new()?;
    for (task, start) in &sent {
        let arrived = arrived.get(task).context("a notification is missing")?;
        samples.add(arrived.saturating_duration_since(*start));
    }
    samples.over = began.elapsed();
    Ok(samples)
}

/// When the end of each task arrived.
#[derive(Default)]
struct Inbox {
    ends: Mutex<HashMap<String, Instant>>,
    arrived: Notify,
}

impl Inbox {
    async fn all(&self, count: usize) -> Result<HashMap<String, Instant>> {
        let wait = async {
            loop {
                let arrived = self.arrived.notified();
                if let Some(ends) = self.if_all(count) {
                    return ends;
                }
                arrived.await;
            }
        };
        tokio::time::timeout(PATIENCE, wait)
            .await
            .context("not all notifications arrived")
    }

    fn if_all(&self, count: usize) -> Option<HashMap<String, Instant>> {
        let ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        (ends.len() >= count).then(|| ends.clone())
    }
}

/// Listens at as many ports as there are receivers; the first `dead` of them never answer.
async fn receivers(inbox: &Arc<Inbox>, dead: usize) -> Result<Vec<String>> {
    let mut urls = Vec::new();
    for number in 0..RECEIVERS {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        urls.push(format!("http://{}/", listener.local_addr()?));
        serve(listener, Arc::clone(inbox), number < dead);
    }
    Ok(urls)
}

fn serve(listener: TcpListener, inbox: Arc<Inbox>, dead: bool) {
    let router = match dead {
        true => Router::new().route("/", post(std::future::pending::<()>)),
        false => Router::new().route("/", post(receive)).with_state(inbox),
    };
    tokio::spawn(axum::serve(listener, router).into_future());
}

async fn receive(State(inbox): State<Arc<Inbox>>, Json(notification): Json<Value>) {
    let field = |path| notification.pointer(path).and_then(Value::as_str);
    if field("/statusUpdate/status/state") == Some(COMPLETED)
        && let Some(task) = field("/statusUpdate/taskId")
    {
        let mut ends = inbox.ends.lock().unwrap_or_else(PoisonError::into_inner);
        ends.entry(task.to_owned()).or_insert_with(now);
        inbox.arrived.notify_one();
    }
}
