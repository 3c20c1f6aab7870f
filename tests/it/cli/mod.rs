//! The command line: what it prints for programs, and how it exits.

mod configuration;
mod deliveries;
mod operators;
mod tasks;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

use crate::support::host::ADMIN_TOKEN;
use crate::support::{Host, in_time, places};

/// What a command did.
pub(crate) struct Done {
    code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Done {
    /// The JSON document that it printed.
    pub(crate) fn json(&self) -> Value {
        let parsed = serde_json::from_str(&self.stdout);
        parsed.unwrap_or_else(|error| panic!("{error}: {} {}", self.stdout, self.stderr))
    }

    /// The JSON lines that it printed.
    pub(crate) fn lines(&self) -> Vec<Value> {
        let lines = self.stdout.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Checks how it exited.
    pub(crate) fn exits(self, code: i32) -> Self {
        let Self { stdout, stderr, .. } = &self;
        assert_eq!(self.code, code, "stdout: {stdout}\nstderr: {stderr}");
        self
    }
}

impl From<Output> for Done {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// Runs a command on the machine of `host`, where it finds everything in the data folder.
pub(crate) fn taskyard(host: &Host, args: &[&str]) -> Done {
    command(host, args).output().unwrap().into()
}

fn command(host: &Host, args: &[&str]) -> Command {
    let mut command = Command::new(places::binary());
    command
        .args(args)
        .current_dir(host.data())
        .env_clear()
        .env("TASKYARD_DATA_DIR", host.data())
        .env("TASKYARD_ADMIN_TOKEN", ADMIN_TOKEN)
        .stdin(Stdio::null());
    command
}

/// A command that goes on; it is killed when it is dropped.
pub(crate) struct Going(Child);

/// Starts a command on the machine of `host`.
pub(crate) fn start(host: &Host, args: &[&str]) -> Going {
    let child = command(host, args)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    Going(child.unwrap())
}

impl Going {
    /// Waits until it says so on standard error, and gives that line.
    pub(crate) async fn until_said(mut self, what: &str) -> String {
        let lines = BufReader::new(self.0.stderr.take().unwrap()).lines();
        let wanted = what.to_owned();
        let said = tokio::task::spawn_blocking(move || {
            let mut lines = lines.map_while(Result::ok);
            lines.find(|line| line.contains(&wanted))
        });
        let said = in_time(what, said).await.unwrap();
        said.unwrap_or_else(|| panic!("it ended without {what}"))
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        // One that has ended needs no killing.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
