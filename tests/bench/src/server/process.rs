//! A server's process, with everything that it starts.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

const READY: &str = "ready";
const MIB: f64 = 1_048_576.0;

/// Ends, with its children, when it is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    group: i32,
}

impl Process {
    /// Starts a command in a process group of its own.
    pub(crate) fn spawn(mut command: Command) -> Result<Self> {
        let child = command
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        let group = child.id().context("the process ended at once")?;
        Ok(Self {
            child,
            group: i32::try_from(group)?,
        })
    }

    /// Starts a command that says `ready` on its standard output, and waits for that.
    pub(crate) async fn ready(mut command: Command) -> Result<Self> {
        let mut process = Self::spawn({
            command.stdout(Stdio::piped());
            command
        })?;
        let output = process.child.stdout.take().context("no output")?;
        let mut lines = BufReader::new(output).lines();
        while let Some(line) = lines.next_line().await? {
            if line.trim() == READY {
                return Ok(process);
            }
        }
        bail!("the server ended before it was ready")
    }

    /// Ends it at once, as a crash would, and waits until it has gone.
    pub(crate) async fn kill(&mut self) -> Result<()> {
        self.signal();
        self.child.wait().await?;
        Ok(())
    }

    /// Its own process id.
    pub(crate) fn id(&self) -> i32 {
        self.group
    }

    pub(crate) fn runs(&self) -> bool {
        Path::new("/proc")
            .join(self.group.to_string())
            .join("exe")
            .exists()
    }

    /// The memory that it has in use, in MiB, with its children.
    pub(crate) fn resident_mib(&self) -> Result<f64> {
        let kib: u64 = self.sum("status", "VmRSS:")?;
        Ok(kib as f64 * 1_024.0 / MIB)
    }

    /// The bytes that it has had written to the disk, with its children.
    pub(crate) fn written_bytes(&self) -> Result<u64> {
        self.sum("io", "write_bytes:")
    }

    /// The processor time that it used, in seconds, with its children.
    pub(crate) fn cpu_seconds(&self) -> Result<f64> {
        let mut ticks = 0;
        for process in self.members()? {
            let Ok(stat) = fs::read_to_string(process.join("stat")) else {
                continue;
            };
            let used = stat.split_whitespace().skip(USER_TIME).take(2);
            ticks += used
                .filter_map(|used| used.parse::<u64>().ok())
                .sum::<u64>();
        }
        Ok(ticks as f64 / TICKS_PER_SECOND)
    }

    fn sum(&self, file: &str, name: &str) -> Result<u64> {
        let mut sum = 0;
        for process in self.members()? {
            let text = fs::read_to_string(process.join(file)).unwrap_or_default();
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            let number = line.and_then(|line| line.split_whitespace().next());
            sum += number.map_or(Ok(0), str::parse)?;
        }
        Ok(sum)
    }

    /// The folders of the group's processes in `/proc`.
    fn members(&self) -> Result<Vec<PathBuf>> {
        let group = self.group.to_string();
        let belongs = |folder: &Path| {
            let stat = fs::read_to_string(folder.join("stat")).unwrap_or_default();
            stat.split_whitespace().nth(GROUP) == Some(&group)
        };
        let all = fs::read_dir("/proc")?.filter_map(|entry| Some(entry.ok()?.path()));
        Ok(all.filter(|folder| belongs(folder)).collect())
    }

    #[expect(unsafe_code, reason = "only the C library can signal a process group")]
    fn signal(&self) {
        // SAFETY: takes two numbers and touches no memory.
        unsafe {
            libc::kill(-self.group, libc::SIGKILL);
        }
    }
}

/// Places in `/proc/PID/stat`; no server under measurement has a space in its name.
const GROUP: usize = 4;
const USER_TIME: usize = 13;
/// `USER_HZ`, which Linux fixes for what it shows.
const TICKS_PER_SECOND: f64 = 100.0;

impl Drop for Process {
    fn drop(&mut self) {
        self.signal();
    }
}
