//! Compiles components: a port, since the work may take so long, and so much memory, that it belongs into a
//! process of its own, and only the binary can start one.

use std::fmt;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::task::spawn_blocking;

use crate::sandbox;

/// Port: compiles components. Implemented where processes are started.
pub trait Compiler: fmt::Debug + Send + Sync {
    /// The compiled form of a component, as [`compile`] makes it. Dropping the future ends the work.
    fn compile(&self, component: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, CompileError>>;
}

/// Why a component was not compiled.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// It cannot be: the text says why, for its author.
    #[error("{0}")]
    Refused(String),
    /// The compiler exceeded its limits with it, or broke.
    #[error("{0}")]
    GaveUp(String),
    /// The compiler could not be started, which is the host's fault.
    #[error("{0}")]
    Unavailable(String),
}

/// Compiles a component for an engine of this version, on a processor like this one.
///
/// # Errors
/// If it is no component, or uses what workers may not. The text says why, for its author.
pub fn compile(component: &[u8]) -> Result<Vec<u8>, String> {
    let engine = sandbox::compiling_engine();
    let compiled = engine.and_then(|engine| engine.precompile_component(component));
    compiled.map_err(|error| format!("{error:#}"))
}

/// Compiles in this process, without limits: for tests, and for tools that trust their components.
#[derive(Debug, Default, Clone, Copy)]
pub struct InProcess;

impl Compiler for InProcess {
    fn compile(&self, component: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, CompileError>> {
        async move {
            let compiled = spawn_blocking(move || compile(&component)).await;
            compiled
                .map_err(|error| CompileError::GaveUp(error.to_string()))?
                .map_err(CompileError::Refused)
        }
        .boxed()
    }
}
