//! The process that compiles one component: it limits itself, reads the component, and writes what it made
//! of it.

use std::fs;
use std::io::{self, Read, Write, stderr, stdin, stdout};
use std::process::exit;
use std::thread;

use clap::Args;
use rustix::process::{Resource, Rlimit, Signal, getpid, getrlimit, kill_process, nice, setrlimit};

/// The command that starts it. It is for the host alone, and help does not show it.
pub(crate) const COMMAND: &str = "compile-component";
/// The exit code when the component is wrong; standard error says why.
pub(crate) const REFUSED: i32 = 65;
/// The exit code when the limits cannot be set.
pub(crate) const NOT_READY: i32 = 71;
/// How much it gives way to others: tasks come first.
const NICENESS: i32 = 10;

/// What it may use up.
#[derive(Debug, Args)]
pub(crate) struct CompileArgs {
    /// Bytes of memory
    memory_bytes: u64,
    /// Seconds of computing, on all processors together
    cpu_seconds: u64,
}

/// Does it all, and ends.
pub(crate) fn run(args: &CompileArgs) -> ! {
    let code = match limit(args).and_then(|()| receive()) {
        Err(error) => says(NOT_READY, &error.to_string()),
        Ok(component) => match taskyard_engine::compile(&component) {
            Err(problem) => says(REFUSED, &problem),
            Ok(code) => send(&code),
        },
    };
    exit(code)
}

/// Limits the whole process, for good.
fn limit(args: &CompileArgs) -> io::Result<()> {
    let limits = [
        // What it can write to. Addresses say little: each thread reserves more than it ever uses.
        (Resource::Data, args.memory_bytes),
        (Resource::Cpu, args.cpu_seconds),
        // It writes no files, and leaves none when it breaks.
        (Resource::Fsize, 0),
        (Resource::Core, 0),
    ];
    // If the machine is short of memory, this is what it can do without.
    let _ = fs::write("/proc/self/oom_score_adj", "1000");
    let _ = nice(NICENESS);
    for (resource, most) in limits {
        let allowed = getrlimit(resource).maximum.unwrap_or(u64::MAX);
        let most = Some(most.min(allowed));
        setrlimit(
            resource,
            Rlimit {
                current: most,
                maximum: most,
            },
        )?;
    }
    Ok(())
}

/// The component, which comes after its length. From then on this process lives no longer than the host:
/// its input ends only with it.
fn receive() -> io::Result<Vec<u8>> {
    let mut input = stdin().lock();
    let mut length = [0; 8];
    input.read_exact(&mut length)?;
    let mut component = Vec::new();
    let length = u64::from_le_bytes(length);
    input.by_ref().take(length).read_to_end(&mut component)?;
    drop(input);
    thread::Builder::new().spawn(|| {
        // Nothing more comes.
        let _ = io::copy(&mut stdin(), &mut io::sink());
        let _ = kill_process(getpid(), Signal::KILL);
    })?;
    Ok(component)
}

fn send(code: &[u8]) -> i32 {
    let mut output = stdout();
    match output.write_all(code).and_then(|()| output.flush()) {
        Ok(()) => 0,
        Err(error) => says(NOT_READY, &error.to_string()),
    }
}

fn says(code: i32, words: &str) -> i32 {
    let _ = writeln!(stderr(), "{words}");
    code
}
