//! Looks at a component before it may be deployed: is it a worker, and what does it say it is?

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use taskyard_broker::{Error, Inspector};
use taskyard_clock::Clock;
use taskyard_task::{Digest, Manifest, Timestamp};
use tokio::sync::Semaphore;

use crate::bindings::exports::taskyard::worker::handler;
use crate::host::Ctx;
use crate::load_queue::LoadQueue;
use crate::manifest;
use crate::sandbox::{INSPECTIONS, Sandbox};
use crate::shape;
use crate::verdict;
use crate::workers::{LinkedWorker, LoadError, Workers};

/// What `describe` may use: runtimes start in less.
const MEMORY_BYTES: u64 = 128 << 20;
/// What `describe` may compute. Interpreters need tenths of a second.
const CPU_MS: u64 = 5_000;
/// What `describe` may take, waiting for its turn included.
const TIME: Duration = Duration::from_secs(30);

/// How every WebAssembly file begins.
const MAGIC: &[u8] = b"\0asm";
/// How core modules go on.
const MODULE_VERSION: &[u8] = &[1, 0, 0, 0];

/// The right to an instance that is no run: as many as the pool has room for beside those that are.
pub(crate) type Turns = Arc<Semaphore>;

/// All turns that there are.
pub(crate) fn turns() -> Turns {
    Arc::new(Semaphore::new(INSPECTIONS as usize))
}

/// The engine's side of loading plugins.
pub(crate) struct PluginInspector {
    pub(crate) sandbox: Arc<Sandbox>,
    pub(crate) workers: Arc<Workers>,
    pub(crate) clock: Clock,
    queue: LoadQueue,
    turns: Turns,
}

impl PluginInspector {
    pub(crate) fn new(
        sandbox: Arc<Sandbox>,
        workers: Arc<Workers>,
        clock: Clock,
        turns: Turns,
    ) -> Self {
        Self {
            sandbox,
            workers,
            clock,
            queue: LoadQueue::new(),
            turns,
        }
    }

    async fn inspect_component(&self, component: &[u8]) -> Result<Manifest, Error> {
        check_kind(component).map_err(Error::PluginRefused)?;
        shape::check(component).map_err(Error::PluginRefused)?;
        let turn = self.queue.turn().await?;
        let digest = Digest::of(component);
        let worker = self.workers.get_new(digest, component, &turn).await;
        let worker = worker.map_err(|error| match error {
            LoadError::Broker(error) => error,
            LoadError::Unusable(problem) => {
                Error::PluginRefused(format!("it is no worker for this host: {problem}"))
            }
            LoadError::GaveUp(problem) => {
                Error::PluginRefused(format!("it cannot be compiled: {problem}"))
            }
        })?;
        let described = self.describe_twice(&worker).await;
        described.map_err(Error::PluginRefused)
    }

    async fn describe_twice(&self, worker: &LinkedWorker) -> Result<Manifest, String> {
        // The semaphore is never closed; without a permit the pool would be short, and say so.
        let _turn = self.turns.acquire().await;
        let first = self.describe(worker, [1; 32], Timestamp(0)).await?;
        let second = self.describe(worker, [2; 32], Timestamp(1 << 40)).await?;
        if first != second {
            return Err("`describe` gave two answers; it must always give the same".to_owned());
        }
        manifest::check(first).map_err(|problems| format!("its manifest is wrong: {problems}"))
    }

    /// Asks a fresh instance, in a world with this randomness and time.
    pub(crate) async fn describe(
        &self,
        worker: &LinkedWorker,
        seed: [u8; 32],
        now: Timestamp,
    ) -> Result<handler::Manifest, String> {
        let ctx = Ctx::describing(&self.clock, MEMORY_BYTES, CPU_MS, seed, now);
        let cpu = Arc::clone(&ctx.cpu);
        let mut store = self.sandbox.store(ctx);
        let described = {
            let call = async {
                let instance = worker.instantiate_async(&mut store).await?;
                let handler = instance.taskyard_worker_handler();
                handler.call_describe(&mut store).await
            };
            tokio::time::timeout(TIME, cpu.measure(call)).await
        };
        match described {
            Ok(Ok(manifest)) => Ok(manifest),
            Ok(Err(error)) => Err(format!(
                "`describe` failed: {}",
                verdict::explain(&error, store.data())
            )),
            Err(_) => Err(format!("`describe` took longer than {} s", TIME.as_secs())),
        }
    }
}

impl Inspector for PluginInspector {
    fn inspect<'a>(&'a self, component: &'a [u8]) -> BoxFuture<'a, Result<Manifest, Error>> {
        self.inspect_component(component).boxed()
    }
}

/// Tells apart what is commonly uploaded by mistake.
fn check_kind(component: &[u8]) -> Result<(), String> {
    let Some(version) = component.strip_prefix(MAGIC) else {
        return Err("it is not WebAssembly: it does not begin with `\\0asm`".to_owned());
    };
    if version.starts_with(MODULE_VERSION) {
        return Err(
            "it is a core module, not a component; build it for the target wasm32-wasip2"
                .to_owned(),
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use taskyard_clock::IdSource;

    use super::*;
    use crate::{Config, InProcess};

    /// What is said about a component, in text or binary form.
    async fn refusal(component: impl AsRef<[u8]>) -> String {
        let config = Config {
            max_instances: 1,
            ..Config::default()
        };
        let clock = Clock::system();
        let sandbox = Sandbox::new(&config).unwrap();
        let ids = IdSource::system();
        let compiler = Arc::new(InProcess);
        let workers = Workers::new(&config, Arc::clone(&sandbox), compiler, clock.clone(), ids);
        let workers = workers.unwrap();
        let inspector = PluginInspector::new(sandbox, Arc::new(workers), clock, turns());
        let binary = wat::parse_bytes(component.as_ref()).unwrap_or(component.as_ref().into());
        inspector.inspect(&binary).await.unwrap_err().to_string()
    }

    #[tokio::test]
    async fn what_is_no_component_is_told_apart() {
        assert!(refusal("<html>").await.contains("not WebAssembly"));
        assert!(refusal("").await.contains("not WebAssembly"));
        assert!(refusal("(module)").await.contains("core module"));
        assert!(
            refusal(b"\0asm\x0d\0\x01\0rubbish")
                .await
                .contains("cannot be read as a component")
        );
    }

    #[tokio::test]
    async fn a_missing_export_is_named() {
        let said = refusal("(component)").await;
        assert!(said.contains("`taskyard:worker/handler`"), "{said}");
        let said = refusal(worker("")).await;
        assert!(said.contains("`taskyard:worker/handler@0.2.1`"), "{said}");
    }

    #[tokio::test]
    async fn what_is_too_large_is_refused_before_it_is_compiled() {
        let said = refusal(worker(&"(core module)".repeat(300))).await;
        assert!(said.contains("modules and components"), "{said}");
    }

    /// A component that imports this, and has nothing behind the name of what workers export.
    fn worker(imports: &str) -> String {
        format!(
            r#"(component {imports} (instance $empty) (export "taskyard:worker/handler@0.2.1" (instance $empty)))"#
        )
    }

    #[tokio::test]
    async fn an_import_that_is_not_linked_is_named() {
        let store = r#"(import "wasi:keyvalue/store@0.2.0" (instance
            (export "bucket" (type (sub resource)))))"#;
        let said = refusal(worker(store)).await;
        assert!(said.contains("wasi:keyvalue/store@0.2.0"), "{said}");
        let unknown = r#"(import "acme:tools/shell" (instance (export "run" (func))))"#;
        let said = refusal(worker(unknown)).await;
        assert!(said.contains("acme:tools/shell"), "{said}");
        let newer = r#"(import "taskyard:worker/task@0.2.0" (instance (export "fork" (func))))"#;
        let said = refusal(worker(newer)).await;
        assert!(
            said.contains("taskyard:worker/task@0.2.0") && said.contains("fork"),
            "{said}"
        );
    }
}
