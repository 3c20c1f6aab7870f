//! The command line: what it prints for programs, and how it exits.

mod deliveries;
mod operators;
mod tasks;

use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::support::host::ADMIN_TOKEN;
use crate::support::{Host, places};

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
    let output = Command::new(places::binary())
        .args(args)
        .current_dir(host.data())
        .env_clear()
        .env("TASKYARD_DATA_DIR", host.data())
        .env("TASKYARD_ADMIN_TOKEN", ADMIN_TOKEN)
        .stdin(Stdio::null())
        .output();
    output.unwrap().into()
}
