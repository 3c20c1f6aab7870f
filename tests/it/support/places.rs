//! Where the things under test are: all relative to where this test binary was built.

use std::path::{Path, PathBuf};

/// The workspace.
pub(crate) fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap().to_owned()
}

/// The host.
pub(crate) fn binary() -> PathBuf {
    built(profile().join("taskyard"))
}

/// A plugin that users get to see.
pub(crate) fn plugin(name: &str) -> PathBuf {
    built(target().join("plugins").join(name).with_extension("wasm"))
}

/// A plugin that misbehaves.
pub(crate) fn guest(name: &str) -> PathBuf {
    built(target().join("guests").join(name).with_extension("wasm"))
}

/// The Python with the stock A2A client.
pub(crate) fn python() -> PathBuf {
    python_in("python")
}

/// The Python with the stock client of version 0.3.
pub(crate) fn python_v03() -> PathBuf {
    python_in("python-0.3")
}

fn python_in(folder: &str) -> PathBuf {
    let python = target().join(folder).join("bin/python");
    assert!(
        python.exists(),
        "{} is missing: run `make python`",
        python.display()
    );
    python
}

/// Node.js, about to run a script of the tests with the stock client at hand.
pub(crate) fn node(script: &str) -> std::process::Command {
    let sdk = target().join("javascript");
    assert!(
        sdk.join("node_modules").exists(),
        "{} is missing: run `make javascript`",
        sdk.display()
    );
    let mut node = std::process::Command::new("node");
    node.arg(root().join("tests/it/js").join(script)).arg(sdk);
    node
}

/// The program that makes requests up from an OpenAPI document.
pub(crate) fn schemathesis() -> PathBuf {
    let program = target().join("schemathesis/bin/st");
    assert!(
        program.exists(),
        "{} is missing: run `make python`",
        program.display()
    );
    program
}

/// The folder that cargo builds into.
fn target() -> PathBuf {
    profile().parent().unwrap().to_owned()
}

/// `target/release`: this binary is in `target/release/deps`.
fn profile() -> PathBuf {
    let this = std::env::current_exe().unwrap();
    this.ancestors().nth(2).unwrap().to_owned()
}

fn built(file: PathBuf) -> PathBuf {
    assert!(
        file.exists(),
        "{} is missing: run `make build guests`",
        file.display()
    );
    file
}
