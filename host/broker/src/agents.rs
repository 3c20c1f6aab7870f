//! Agents and their plugins: deployed, listed and removed while the host runs.
//!
//! What is deployed is read through a watched map; a deployment becomes visible once it is durable.
//! Tasks keep the component that they began with, so a plugin is forgotten only when nothing holds it.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use taskyard_storage::{ReadError, Storage};
use taskyard_task::{
    Agent, AgentName, Change, Commit, Digest, EgressPolicy, LimitChanges, Manifest, Partition,
    Plugin,
};
use tokio::sync::watch;

use crate::broker::Broker;
use crate::error::Error;

/// How often a draining agent is looked at.
const DRAIN_TICK: Duration = Duration::from_millis(100);

type AgentMap = Arc<BTreeMap<AgentName, Agent>>;

/// Port: finds out whether a component can be a plugin. Implemented where components are run.
pub trait Inspector: Send + Sync {
    /// Compiles it, checks what it needs and offers, and asks it what it is. [`Error::PluginRefused`] says
    /// what is wrong, for the operator; [`Error::QueueFull`] that others are looked at.
    fn inspect<'a>(&'a self, component: &'a [u8]) -> BoxFuture<'a, Result<Manifest, Error>>;
}

/// A component to deploy as an agent.
#[derive(Debug, Clone)]
pub struct DeployRequest {
    /// Under which name; the manifest's if absent.
    pub agent: Option<AgentName>,
    /// The component.
    pub component: Vec<u8>,
    /// Its configuration, a JSON object as text; kept from the deployment before if absent.
    pub config: Option<String>,
    /// Its limits, where they differ from those of the deployment before, or of the host.
    pub limits: LimitChanges,
    /// How many of its tasks may run at once; kept from the deployment before if absent.
    pub max_runs: Option<u32>,
    /// The requests that its workers may make; kept from the deployment before if absent, or else none.
    pub egress: Option<EgressPolicy>,
    /// Whether a message that names its context alone answers the task that waits for input there; kept from
    /// the deployment before if absent, or else not.
    pub answer_by_context: Option<bool>,
    /// Whether it may take the place of a plugin that calls itself something else.
    pub replace: bool,
}

/// What to change about an agent without another component; what is absent stays as it is.
#[derive(Debug, Clone, Default)]
pub struct AgentChanges {
    /// The configuration that new tasks get, a JSON object as text.
    pub config: Option<String>,
    /// The requests that its workers may make from now on, in tasks of all ages.
    pub egress: Option<EgressPolicy>,
    /// Whether, from now on, a message that names its context alone answers the task that waits for input
    /// there.
    pub answer_by_context: Option<bool>,
}

/// What to do about tasks that hold an agent that is to be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drain {
    /// Refuse.
    Refuse,
    /// Take no new tasks, and wait until those that there are have ended.
    Wait,
}

/// An agent, and what goes on under its name.
#[derive(Debug, Clone)]
pub struct AgentStatus {
    /// The deployment.
    pub agent: Agent,
    /// Its tasks that are in line.
    pub queued: u64,
    /// Its tasks that run.
    pub running: u64,
    /// The components that its unfinished tasks hold: digest, version, how many.
    pub tasks_by_digest: Vec<(Digest, String, u64)>,
}

pub(crate) struct Agents {
    current: watch::Sender<AgentMap>,
    /// Take no new tasks, until they are gone.
    draining: Mutex<HashSet<AgentName>>,
    /// Deployments take turns.
    pub(crate) turn: tokio::sync::Mutex<()>,
}

impl Agents {
    pub(crate) fn load(storage: &Storage) -> Result<Self, ReadError> {
        let agents = storage.agents()?;
        let map = agents
            .into_iter()
            .map(|agent| (agent.name.clone(), agent))
            .collect();
        Ok(Self {
            current: watch::Sender::new(Arc::new(map)),
            draining: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        })
    }

    pub(crate) fn current(&self) -> AgentMap {
        Arc::clone(&self.current.borrow())
    }

    pub(crate) fn open_for_new_tasks(&self, name: &AgentName) -> Result<Agent, Error> {
        let draining = self
            .draining
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(name);
        let agent = self.current().get(name).filter(|_| !draining).cloned();
        agent.ok_or(Error::AgentNotFound)
    }

    fn update(&self, change: impl FnOnce(&mut BTreeMap<AgentName, Agent>)) {
        self.current.send_modify(|map| change(Arc::make_mut(map)));
    }

    fn drain(&self, name: &AgentName) -> Draining<'_> {
        self.draining
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name.clone());
        Draining {
            agents: self,
            name: name.clone(),
        }
    }
}

/// While it lives, an agent takes no new tasks.
struct Draining<'a> {
    agents: &'a Agents,
    name: AgentName,
}

impl Drop for Draining<'_> {
    fn drop(&mut self) {
        let draining = &self.agents.draining;
        draining
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.name);
    }
}

impl Broker {
    /// Says who inspects components. Without, nothing can be deployed. Only the first call counts.
    pub fn set_inspector(&self, inspector: Arc<dyn Inspector>) {
        // A second inspector would be a mistake of the composition; the first stays.
        let _ = self.shared.inspector.set(inspector);
    }

    /// The agents as deployed now.
    #[must_use]
    pub fn agents(&self) -> AgentMap {
        self.shared.agents.current()
    }

    /// Follows deployments.
    #[must_use]
    pub fn agents_changed(&self) -> watch::Receiver<AgentMap> {
        self.shared.agents.current.subscribe()
    }

    /// The agent at the root of the host: the configured one, or else the only one. Among several, none is
    /// a guess: a call that names no agent must not run at one that it does not mean.
    #[must_use]
    pub fn default_agent(&self) -> Option<Agent> {
        let agents = self.agents();
        if let Some(name) = &self.shared.config.default_agent {
            return agents.get(name).cloned();
        }
        let mut all = agents.values();
        all.next().filter(|_| all.next().is_none()).cloned()
    }

    /// Deploys a component: new tasks of the agent run on it from then on, tasks in flight finish on
    /// theirs.
    ///
    /// # Errors
    /// [`Error::PluginRefused`] if the component cannot be a plugin; nothing changes then.
    pub async fn deploy(&self, request: DeployRequest) -> Result<Agent, Error> {
        let manifest = self.inspect(&request.component).await?;
        let _turn = self.shared.agents.turn.lock().await;
        let name = request.agent.unwrap_or_else(|| manifest.name.clone());
        let before = self.agents().get(&name).cloned();
        if let Some(deployed) = &before
            && deployed.manifest.name != manifest.name
            && !request.replace
        {
            return Err(Error::OtherPlugin {
                agent: name,
                deployed: deployed.manifest.name.clone(),
                given: manifest.name,
            });
        }
        let now = self.shared.sources.clock.now();
        let plugin = Plugin {
            digest: Digest::of(&request.component),
            manifest: manifest.clone(),
            size_bytes: request.component.len() as u64,
            loaded_at: now,
        };
        let kept = before.as_ref();
        let agent = Agent {
            digest: plugin.digest,
            manifest,
            config: request
                .config
                .or_else(|| kept.map(|kept| kept.config.clone()))
                .unwrap_or_else(|| "{}".to_owned()),
            limits: kept
                .map_or(self.shared.config.worker, |kept| kept.limits)
                .with(&request.limits),
            max_runs: request
                .max_runs
                .or_else(|| kept.and_then(|kept| kept.max_runs)),
            revision: kept.map_or(0, |kept| kept.revision) + 1,
            deployed_at: now,
            egress: request
                .egress
                .or_else(|| kept.map(|kept| kept.egress.clone()))
                .unwrap_or_default(),
            answer_by_context: request
                .answer_by_context
                .unwrap_or_else(|| kept.is_some_and(|kept| kept.answer_by_context)),
            name,
        };
        if self.shared.storage.plugin(agent.digest)?.is_none() {
            self.check_disk()?;
        }
        self.commit_system(
            request.component.len(),
            vec![
                Change::PutPlugin {
                    plugin: Box::new(plugin),
                    component: request.component,
                },
                Change::PutAgent {
                    agent: Box::new(agent.clone()),
                },
            ],
        )
        .await?;
        self.scheduler()
            .limit_agent(agent.name.clone(), agent.max_runs);
        self.shared.agents.update(|map| {
            map.insert(agent.name.clone(), agent.clone());
        });
        tracing::info!(agent = %agent.name, plugin = %agent.digest.short(), version = agent.manifest.version, "deployed");
        Ok(agent)
    }

    /// Changes an agent and leaves its component as it is. Changes nothing, not even the revision, if all
    /// is so already.
    ///
    /// # Errors
    /// [`Error::AgentNotFound`].
    pub async fn configure(&self, name: &AgentName, changes: AgentChanges) -> Result<Agent, Error> {
        let _turn = self.shared.agents.turn.lock().await;
        let before = self.agents().get(name).cloned();
        let before = before.ok_or(Error::AgentNotFound)?;
        let mut agent = before.clone();
        agent.config = changes.config.unwrap_or(agent.config);
        agent.egress = changes.egress.unwrap_or(agent.egress);
        agent.answer_by_context = changes.answer_by_context.unwrap_or(agent.answer_by_context);
        if agent == before {
            return Ok(agent);
        }
        agent.revision += 1;
        let put = Change::PutAgent {
            agent: Box::new(agent.clone()),
        };
        self.commit_system(0, vec![put]).await?;
        self.shared.agents.update(|map| {
            map.insert(name.clone(), agent.clone());
        });
        tracing::info!(agent = %name, revision = agent.revision, "changed");
        Ok(agent)
    }

    /// Removes an agent, and its plugins that nothing else holds.
    ///
    /// # Errors
    /// [`Error::AgentNotFound`]; [`Error::PluginInUse`] if tasks hold it and it is not to drain.
    pub async fn undeploy(&self, name: &AgentName, drain: Drain) -> Result<(), Error> {
        if !self.agents().contains_key(name) {
            return Err(Error::AgentNotFound);
        }
        let _draining = self.shared.agents.drain(name);
        self.write_all_held().await?;
        loop {
            let tasks = self.unfinished_tasks(name)?;
            match drain {
                _ if tasks == 0 => break,
                Drain::Refuse => return Err(Error::PluginInUse { tasks }),
                Drain::Wait => tokio::select! {
                    () = tokio::time::sleep(DRAIN_TICK) => {}
                    () = self.shared.closing.cancelled() => return Err(Error::ShuttingDown),
                },
            }
        }
        // Detached: what is removed on disk is removed in memory, even if the operator goes away.
        let removal = tokio::spawn(self.clone().remove(name.clone()));
        removal
            .await
            .map_err(|error| Error::Internal(error.to_string()))?
    }

    async fn remove(self, name: AgentName) -> Result<(), Error> {
        let _turn = self.shared.agents.turn.lock().await;
        self.write_all_held().await?;
        let mut changes = vec![Change::DeleteAgent { name: name.clone() }];
        changes.extend(self.orphans(&name)?);
        self.commit_system(0, changes).await?;
        self.scheduler().limit_agent(name.clone(), None);
        self.shared.agents.update(|map| {
            map.remove(&name);
        });
        tracing::info!(agent = %name, "removed");
        Ok(())
    }

    /// An agent, and what goes on under its name.
    ///
    /// # Errors
    /// [`Error::AgentNotFound`].
    pub async fn agent_status(&self, name: &AgentName) -> Result<AgentStatus, Error> {
        let agent = self
            .agents()
            .get(name)
            .cloned()
            .ok_or(Error::AgentNotFound)?;
        let mut tasks_by_digest = Vec::new();
        for (digest, tasks) in self.shared.storage.held(name)? {
            let plugin = self.shared.storage.plugin(digest)?;
            let version = plugin.map_or_else(String::new, |plugin| plugin.manifest.version);
            tasks_by_digest.push((digest, version, tasks));
        }
        let scheduler = self.scheduler();
        Ok(AgentStatus {
            queued: u64::from(scheduler.queued_of(name)),
            running: u64::from(scheduler.running_of(name)),
            agent,
            tasks_by_digest,
        })
    }

    /// The bytes of a component.
    ///
    /// # Errors
    /// [`Error::PluginNotFound`].
    pub async fn component(&self, digest: Digest) -> Result<Vec<u8>, Error> {
        self.shared
            .storage
            .component(digest)?
            .ok_or(Error::PluginNotFound)
    }

    async fn inspect(&self, component: &[u8]) -> Result<Manifest, Error> {
        match self.shared.inspector.get() {
            Some(inspector) => inspector.inspect(component).await,
            None => Err(Error::PluginRefused("this host runs no plugins".to_owned())),
        }
    }

    fn unfinished_tasks(&self, name: &AgentName) -> Result<u64, Error> {
        Ok(self
            .shared
            .storage
            .held(name)?
            .iter()
            .map(|(_, tasks)| tasks)
            .sum())
    }

    /// The plugins that nothing holds once `without` is gone.
    fn orphans(&self, without: &AgentName) -> Result<Vec<Change>, Error> {
        let agents = self.agents();
        let others = agents.values().filter(|agent| agent.name != *without);
        let mut held: HashSet<Digest> = others.map(|agent| agent.digest).collect();
        let by_tasks = self.shared.storage.held_components()?;
        held.extend(
            by_tasks
                .into_iter()
                .filter(|(_, tasks)| *tasks > 0)
                .map(|(digest, _)| digest),
        );
        let plugins = self.shared.storage.plugins()?;
        let orphans = plugins.into_iter().map(|plugin| plugin.digest);
        let orphans = orphans.filter(|digest| !held.contains(digest));
        Ok(orphans
            .map(|digest| Change::DeletePlugin { digest })
            .collect())
    }

    async fn commit_system(&self, bytes: usize, changes: Vec<Change>) -> Result<(), Error> {
        let place = self.place(bytes).await?;
        let commit = Commit::new(Partition::SYSTEM, 1, changes);
        place.submit(commit, Arc::new(())).await?;
        Ok(())
    }
}
