//! Bits that flip and files that vanish in a stopped data folder: the host refuses, or says so, or nothing
//! that was acknowledged is lost. It is never silent.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::support::{Host, Settings, message, places, task};

/// Tasks that are acknowledged before something is damaged.
const TASKS: usize = 40;

/// A killed host, and the tasks that it acknowledged.
async fn killed() -> (Host, Vec<String>) {
    let host = Host::with(&["echo"], Settings::default()).await;
    let echo = host.agent("echo");
    let mut tasks = Vec::new();
    for number in 0..TASKS {
        let done = echo.send(message(&format!("task {number}"))).await;
        tasks.push(task::id(&done).to_owned());
    }
    host.kill();
    (host, tasks)
}

fn last_log(data: &Path) -> PathBuf {
    let files = fs::read_dir(data.join("db")).unwrap();
    let files = files.map(|file| file.unwrap().path());
    let logs = files.filter(|path| path.extension().is_some_and(|is| is == "log"));
    let logs = logs.filter(|path| fs::metadata(path).unwrap().len() > 0);
    logs.max().unwrap()
}

/// What a host says and how it ends that must not start.
fn refused(data: &Path) -> String {
    let Output { status, stderr, .. } = Command::new(places::binary())
        .args(["serve", "--listen", "127.0.0.1:0"])
        .args(["--admin-listen", "127.0.0.1:0", "--data-dir"])
        .arg(data)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(7), "{said}");
    said
}

#[tokio::test]
async fn a_bit_in_the_middle_of_the_last_log_is_refused_until_it_is_whole_again() {
    let (host, tasks) = killed().await;
    let log = last_log(&host.data());
    let whole = fs::read(&log).unwrap();
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 8;
    fs::write(&log, &damaged).unwrap();
    let said = refused(&host.data());
    assert!(
        said.contains("acknowledged commits would be lost"),
        "{said}"
    );
    assert!(
        said.contains(log.file_name().unwrap().to_str().unwrap()),
        "{said}"
    );
    assert!(said.contains("--accept-data-loss"), "{said}");

    fs::write(&log, &whole).unwrap();
    host.restart().await;
    for id in &tasks {
        assert_eq!(host.agent("echo").get(id).await["id"], id.as_str());
    }
}

#[tokio::test]
async fn a_log_that_is_gone_is_missed() {
    let (host, _) = killed().await;
    fs::remove_file(last_log(&host.data())).unwrap();
    let said = refused(&host.data());
    assert!(
        said.contains("acknowledged commits would be lost"),
        "{said}"
    );
}
