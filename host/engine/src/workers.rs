//! Compiled and linked components, found by digest: in memory, on disk, or compiled anew.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use taskyard_broker as broker;
use taskyard_clock::{Clock, IdSource};
use taskyard_task::Digest;
use tokio::sync::{OnceCell, Semaphore};
use tokio::task::spawn_blocking;
use wasmtime::component::Component;

use crate::bindings::WorkerPre;
use crate::compiled::{CompileCache, deserialize};
use crate::compiler::{CompileError, Compiler};
use crate::config::Config;
use crate::error::Error;
use crate::host::Ctx;
use crate::load_queue::Turn;
use crate::sandbox::Sandbox;

/// A component that is ready to be instantiated.
pub(crate) type LinkedWorker = Arc<WorkerPre<Ctx>>;

/// Why a component cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    /// The broker does not have it, or cannot give it now.
    #[error(transparent)]
    Broker(#[from] broker::Error),
    /// It cannot be compiled or linked. The text says why, for the operator.
    #[error("{0}")]
    Unusable(String),
    /// The compiler did not get to an end with it, within its limits.
    #[error("{0}")]
    GaveUp(String),
}

/// Compiled and linked components, found by digest.
pub(crate) struct Workers {
    sandbox: Arc<Sandbox>,
    clock: Clock,
    cache: Option<Arc<CompileCache>>,
    compiler: Arc<dyn Compiler>,
    /// For what tasks need. What is loaded has a turn of its own, so that it cannot hold up tasks.
    compile_jobs: Semaphore,
    loaded: Mutex<Loaded>,
}

/// A bounded map that forgets what was not used for longest.
struct Loaded {
    slots: HashMap<Digest, Slot>,
    most: usize,
    /// Counts the uses.
    uses: u64,
}

struct Slot {
    /// Filled by the first who needs it, while the others wait.
    worker: Arc<OnceCell<LinkedWorker>>,
    last_use: u64,
}

impl Workers {
    /// Opens the cache on disk.
    ///
    /// # Errors
    /// If its directory cannot be used.
    pub(crate) fn new(
        config: &Config,
        sandbox: Arc<Sandbox>,
        compiler: Arc<dyn Compiler>,
        clock: Clock,
        ids: IdSource,
    ) -> Result<Self, Error> {
        let open = |directory| CompileCache::open(directory, &sandbox.engine, ids);
        let cache = config.cache_dir.as_deref().map(open).transpose()?;
        Ok(Self {
            sandbox,
            clock,
            cache: cache.map(Arc::new),
            compiler,
            compile_jobs: Semaphore::new(config.compile_jobs),
            loaded: Mutex::new(Loaded {
                slots: HashMap::new(),
                most: config.max_components,
                uses: 0,
            }),
        })
    }

    /// The component of that digest; `bytes` is asked for only if it has to be compiled.
    ///
    /// # Errors
    /// If `bytes` fails, or they are no worker that this host can run.
    pub(crate) async fn get<F>(
        &self,
        digest: Digest,
        bytes: impl FnOnce() -> F,
    ) -> Result<LinkedWorker, LoadError>
    where
        F: Future<Output = Result<Vec<u8>, broker::Error>>,
    {
        let slot = self.slot(digest);
        let load = || async {
            let component = match self.read_from_disk(digest).await {
                Some(component) => component,
                None => {
                    let bytes = bytes().await?;
                    // The semaphore is never closed; without a permit there would only be more at once.
                    let _job = self.compile_jobs.acquire().await;
                    self.compile(digest, bytes).await?
                }
            };
            self.link(&component)
        };
        Ok(Arc::clone(slot.get_or_try_init(load).await?))
    }

    /// A component that somebody wants to load, and that has its turn.
    ///
    /// # Errors
    /// If it is no worker that this host can run.
    pub(crate) async fn get_new(
        &self,
        digest: Digest,
        bytes: &[u8],
        _turn: &Turn<'_>,
    ) -> Result<LinkedWorker, LoadError> {
        if let Some(worker) = self.loaded_already(digest) {
            return Ok(worker);
        }
        let component = match self.read_from_disk(digest).await {
            Some(component) => component,
            None => self.compile(digest, bytes.to_vec()).await?,
        };
        let worker = self.link(&component)?;
        // Only now: one that is refused takes nobody's place.
        let slot = self.slot(digest);
        Ok(Arc::clone(slot.get_or_init(|| async { worker }).await))
    }

    fn loaded_already(&self, digest: Digest) -> Option<LinkedWorker> {
        let loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        loaded.slots.get(&digest)?.worker.get().cloned()
    }

    fn slot(&self, digest: Digest) -> Arc<OnceCell<LinkedWorker>> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        loaded.slot(digest)
    }

    fn link(&self, component: &Component) -> Result<LinkedWorker, LoadError> {
        let linked = self.sandbox.linker.instantiate_pre(component);
        let worker = linked.and_then(WorkerPre::new).map_err(unusable)?;
        Ok(Arc::new(worker))
    }

    async fn read_from_disk(&self, digest: Digest) -> Option<Component> {
        let cache = Arc::clone(self.cache.as_ref()?);
        let engine = self.sandbox.engine.clone();
        let load = move || cache.load(&engine, digest);
        spawn_blocking(load).await.ok().flatten()
    }

    async fn compile(&self, digest: Digest, bytes: Vec<u8>) -> Result<Component, LoadError> {
        let began = self.clock.instant();
        let compiled = self.compiler.compile(bytes).await;
        let took = self.clock.instant().duration_since(began);
        metrics::histogram!("taskyard_compile_seconds").record(took);
        tracing::info!(plugin = %digest.short(), ?took, ok = compiled.is_ok(), "compiled");
        let code = compiled?;
        let engine = self.sandbox.engine.clone();
        let cache = self.cache.clone();
        let keep = move || {
            if let Some(cache) = cache {
                cache.store(digest, &code);
            }
            deserialize(&engine, &code)
        };
        let kept = spawn_blocking(keep).await;
        kept.unwrap_or_else(|error| Err(wasmtime::format_err!("{error}")))
            .map_err(unusable)
    }
}

impl Loaded {
    fn slot(&mut self, digest: Digest) -> Arc<OnceCell<LinkedWorker>> {
        self.uses += 1;
        if !self.slots.contains_key(&digest) && self.slots.len() >= self.most {
            self.forget_one();
        }
        let slot = self.slots.entry(digest).or_insert_with(|| Slot {
            worker: Arc::default(),
            last_use: 0,
        });
        slot.last_use = self.uses;
        Arc::clone(&slot.worker)
    }

    fn forget_one(&mut self) {
        let oldest = self.slots.iter().min_by_key(|(_, slot)| slot.last_use);
        if let Some(digest) = oldest.map(|(digest, _)| *digest) {
            self.slots.remove(&digest);
        }
    }
}

impl From<CompileError> for LoadError {
    fn from(error: CompileError) -> Self {
        match error {
            CompileError::Refused(problem) => Self::Unusable(problem),
            CompileError::GaveUp(problem) => Self::GaveUp(problem),
            CompileError::Unavailable(problem) => Self::Broker(broker::Error::Unavailable(problem)),
        }
    }
}

fn unusable(error: wasmtime::Error) -> LoadError {
    LoadError::Unusable(format!("{error:#}"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::InProcess;
    use crate::load_queue::LoadQueue;

    #[tokio::test]
    async fn a_component_that_is_refused_takes_nobodys_place() {
        let config = Config {
            max_instances: 1,
            max_components: 1,
            ..Config::default()
        };
        let sandbox = Sandbox::new(&config).unwrap();
        let (clock, ids) = (Clock::system(), IdSource::system());
        let workers = Workers::new(&config, sandbox, Arc::new(InProcess), clock, ids).unwrap();
        let echo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins/echo.wasm");
        let echo = std::fs::read(echo).unwrap();
        let queue = LoadQueue::new();
        let turn = queue.turn().await.ok().unwrap();
        let digest = Digest::of(&echo);
        let first = workers.get_new(digest, &echo, &turn).await.ok().unwrap();

        let empty = wat::parse_str("(component)").unwrap();
        let refused = workers.get_new(Digest::of(&empty), &empty, &turn).await;

        assert!(matches!(refused, Err(LoadError::Unusable(_))));
        let again = workers.get_new(digest, &[], &turn).await.ok().unwrap();
        assert!(Arc::ptr_eq(&first, &again));
    }
}
