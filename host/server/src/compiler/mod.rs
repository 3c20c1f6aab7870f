//! Components are compiled in a process of their own: this program, started once more for each of them.
//!
//! How long a compiler takes, and how much memory, is decided by what it compiles, and nothing can stop it
//! from within. A process can be ended, and takes nothing along.

mod child;

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use rustix::process::Signal;
use taskyard_engine::{CompileError, Compiler, Config};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::timeout;
use tracing::warn;

pub(crate) use child::{CompileArgs, run};

/// Threads of one compiler. Each takes memory, and the others' processors are left to tasks.
const MAX_THREADS: usize = 4;
/// What compiled components may have: the host holds them in memory. Real ones have 1 to 40 MB.
const MAX_COMPILED_BYTES: u64 = 256 << 20;
/// What is kept of the last words of a compiler.
const MAX_LAST_WORDS: u64 = 4 << 10;
/// How the standard library, and the compiler itself, say that there is no more memory.
const OUT_OF_MEMORY: [&str; 2] = ["memory allocation of ", "out of memory (failed to allocate"];

/// Compiles each component in a process of its own, within limits.
#[derive(Debug)]
pub(crate) struct ProcessCompiler {
    memory_bytes: u64,
    time: Duration,
}

impl ProcessCompiler {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            memory_bytes: config.compile_memory_bytes,
            time: Duration::from_secs(config.compile_timeout_seconds),
        }
    }

    async fn run(&self, component: &[u8]) -> Result<Vec<u8>, CompileError> {
        let mut process = self.start().map_err(|error| {
            CompileError::Unavailable(format!("cannot start the compiler: {error}"))
        })?;
        match timeout(self.time, converse(&mut process, component)).await {
            Ok(Ok(end)) => self.judge(end),
            Ok(Err(error)) => Err(CompileError::Unavailable(format!(
                "cannot follow the compiler: {error}"
            ))),
            // It is killed as it is dropped.
            Err(_) => Err(self.too_long()),
        }
    }

    fn start(&self) -> std::io::Result<Child> {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = processors.min(MAX_THREADS) as u64;
        // All of them may be busy until the time is over.
        let cpu_seconds = self.time.as_secs().saturating_mul(threads);
        let mut command = Command::new(this_program()?);
        command
            .arg(child::COMMAND)
            .arg(self.memory_bytes.to_string())
            .arg(cpu_seconds.to_string())
            .env_clear()
            .env("RAYON_NUM_THREADS", threads.to_string())
            // Otherwise the allocator asks for a GiB at once, most of which is never used.
            .env("MIMALLOC_DISALLOW_ARENA_ALLOC", "1")
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command.spawn()
    }

    fn judge(&self, end: End) -> Result<Vec<u8>, CompileError> {
        let End {
            status,
            code,
            words,
        } = end;
        if code.len() as u64 > MAX_COMPILED_BYTES {
            let problem = format!("its compiled form has more than {MAX_COMPILED_BYTES} bytes");
            return Err(CompileError::GaveUp(problem));
        }
        let signal = status.signal();
        match status.code() {
            Some(0) => Ok(code),
            _ if OUT_OF_MEMORY.iter().any(|start| words.starts_with(start)) => {
                Err(self.too_much_memory())
            }
            Some(child::REFUSED) => Err(CompileError::Refused(words)),
            Some(child::NOT_READY) => Err(CompileError::Unavailable(format!(
                "the compiler cannot limit itself: {words}"
            ))),
            _ if signal == Some(Signal::XCPU.as_raw()) => Err(self.too_long()),
            _ => {
                warn!(%status, words, "the compiler broke on a component");
                Err(CompileError::GaveUp(format!(
                    "the compiler broke on it ({status})"
                )))
            }
        }
    }

    fn too_long(&self) -> CompileError {
        CompileError::GaveUp(format!(
            "it took longer than {} s (engine.compile_timeout_seconds)",
            self.time.as_secs()
        ))
    }

    fn too_much_memory(&self) -> CompileError {
        CompileError::GaveUp(format!(
            "it took more than {} bytes of memory (engine.compile_memory_bytes)",
            self.memory_bytes
        ))
    }
}

impl Compiler for ProcessCompiler {
    fn compile(&self, component: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, CompileError>> {
        async move { self.run(&component).await }.boxed()
    }
}

/// What there is of a compiler that has ended.
struct End {
    status: ExitStatus,
    code: Vec<u8>,
    words: String,
}

async fn converse(process: &mut Child, component: &[u8]) -> std::io::Result<End> {
    let missing = || std::io::Error::other("it has no pipes");
    let input = process.stdin.take().ok_or_else(missing)?;
    let output = process.stdout.take().ok_or_else(missing)?;
    let errors = process.stderr.take().ok_or_else(missing)?;
    let (input, code, words) = tokio::join!(
        tell(input, component),
        read(output, MAX_COMPILED_BYTES + 1),
        read(errors, MAX_LAST_WORDS)
    );
    // The end of its input would tell it that the host is gone.
    let status = process.wait().await;
    drop(input);
    Ok(End {
        status: status?,
        code: code?,
        words: String::from_utf8_lossy(&words?).trim().to_owned(),
    })
}

/// Gives a compiler its component. One that has ended says itself why, so this cannot fail.
async fn tell(mut input: ChildStdin, component: &[u8]) -> ChildStdin {
    let length = (component.len() as u64).to_le_bytes();
    if input.write_all(&length).await.is_ok() {
        let _ = input.write_all(component).await;
    }
    input
}

/// Reads until the end, or `most` bytes.
async fn read(pipe: impl AsyncRead + Unpin, most: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    pipe.take(most).read_to_end(&mut bytes).await?;
    Ok(bytes)
}

/// The very file that runs, even if there is another one under its name by now: only it makes code that
/// this process takes.
fn this_program() -> std::io::Result<PathBuf> {
    let running = Path::new("/proc/self/exe");
    if running.exists() {
        return Ok(running.to_owned());
    }
    std::env::current_exe()
}
