//! The workloads: each measures one thing, and gives a section of the report.

mod disk;
mod echo;
mod fanout;
mod growth;
mod languages;
mod memory;
mod neighbour;
mod poll;
mod push;
mod questions;
mod reload;
mod restart;
mod steps;
mod stream;
mod subscribers;

use std::cell::RefCell;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::load::{closed, each};
use crate::report::Section;
use crate::server::{Client, Contender, Host, Place};

/// How many clients work at once, where it is not said otherwise.
pub(crate) const CONNECTIONS: usize = 32;

/// How much of a peer's error is told.
const NOTE_CHARS: usize = 200;

/// In the order of the report.
pub(crate) const NAMES: [&str; 19] = [
    "echo",
    "offered",
    "poll",
    "events",
    "tokens",
    "subscribers",
    "fanout",
    "steps",
    "questions",
    "push",
    "neighbour",
    "reload",
    "languages",
    "cold",
    "restart",
    "disk",
    "store",
    "log",
    "memory",
];

pub(crate) async fn measure(name: &str, scale: Scale) -> Result<Section> {
    match name {
        "echo" => echo::blocking(scale).await,
        "offered" => echo::offered(scale).await,
        "poll" => poll::poll(scale).await,
        "events" => stream::ten_events(scale).await,
        "tokens" => stream::tokens(scale).await,
        "subscribers" => subscribers::subscribers(scale).await,
        "fanout" => fanout::fan_out(scale).await,
        "steps" => steps::steps(scale).await,
        "questions" => questions::ask_and_answer(scale).await,
        "push" => push::push(scale).await,
        "neighbour" => neighbour::neighbour(scale).await,
        "reload" => reload::reload(scale).await,
        "languages" => languages::languages(scale).await,
        "cold" => languages::cold_start(scale).await,
        "restart" => restart::restart(scale).await,
        "disk" => disk::slow_disk(scale).await,
        "store" => growth::store(scale).await,
        "log" => growth::log(scale).await,
        "memory" => memory::memory(scale).await,
        other => bail!("no workload is called {other}: {}", NAMES.join(", ")),
    }
}

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    /// Only enough to see that everything works; the figures mean nothing then.
    pub(crate) smoke: bool,
    /// Whether those take part that must be installed first.
    pub(crate) peers: bool,
}

impl Scale {
    fn seconds(self, full: u64) -> Duration {
        match self.smoke {
            true => Duration::from_millis(100),
            false => Duration::from_secs(full),
        }
    }

    fn count(self, full: usize, smoke: usize) -> usize {
        if self.smoke { smoke } else { full }
    }

    fn counts<'a>(self, full: &'a [usize], smoke: &'a [usize]) -> impl Iterator<Item = usize> + 'a {
        if self.smoke { smoke } else { full }.iter().copied()
    }

    /// Who takes part.
    fn contenders(self, all: &[Contender]) -> Vec<Contender> {
        let takes_part = |contender: &Contender| self.peers || contender.is_at_hand();
        all.iter().copied().filter(takes_part).collect()
    }
}

impl Section {
    /// The figures of a contender; a peer that breaks at the task has none, and a note says how.
    fn contender<V: Into<Option<f64>>>(
        self,
        contender: Contender,
        figures: Result<Vec<V>>,
    ) -> Result<Self> {
        match figures {
            Ok(values) => Ok(self.row(contender.name(), values)),
            Err(error) if contender.is_at_hand() => Err(error),
            Err(error) => {
                let words: String = format!("{error:#}").chars().take(NOTE_CHARS).collect();
                let note = format!("{} broke: {words}", contender.name());
                let none: Vec<Option<f64>> = vec![None; self.measures.len()];
                Ok(self.row(contender.name(), none).note(note))
            }
        }
    }
}

/// What 32 clients of a contender see that do the same job again and again for six seconds.
async fn busy_clients(
    scale: Scale,
    contender: Contender,
    component: &str,
    job: impl AsyncFn(&mut Client) -> Result<()>,
) -> Result<Vec<f64>> {
    let running = contender.start(component).await?;
    let mut clients = Client::connect_all(&running.place, CONNECTIONS).await?;
    let seen = closed(&mut clients, scale.seconds(6), job).await?;
    Ok(vec![seen.per_second(), seen.ms(50.0), seen.ms(99.0)])
}

/// Hands over tasks without waiting for them; gives their ids.
async fn submit(place: &Place, text: &str, count: usize) -> Result<Vec<String>> {
    let mut clients = Client::connect_all(place, CONNECTIONS).await?;
    let tasks = RefCell::new(Vec::with_capacity(count));
    each(&mut clients, count, async |client, _| {
        let task = client.submit(text).await?;
        tasks.borrow_mut().push(task);
        Ok(())
    })
    .await?;
    Ok(tasks.into_inner())
}

/// Has echo tasks run, and waits until all are over.
async fn fill(host: &Host, count: usize) -> Result<()> {
    submit(&host.place("echo"), "hello", count).await?;
    host.until_idle().await
}
