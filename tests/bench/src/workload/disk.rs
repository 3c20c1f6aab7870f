//! A disk that is slow: every sync takes ten milliseconds more.

use std::path::{Path, PathBuf};
use std::slice::from_mut;

use anyhow::{Result, ensure};
use tempfile::TempDir;
use tokio::process::Command;

use super::{CONNECTIONS, Scale};
use crate::load::closed;
use crate::report::{Better, Section};
use crate::server::{Client, Dialect, Host, Peer, Place};

const SOURCE: &str = "tests/bench/slow-disk/sync.c";

pub(crate) async fn slow_disk(scale: Scale) -> Result<Section> {
    let folder = TempDir::new()?;
    let library = compile(&folder).await?;
    let mut section = Section::new(
        "slow-disk",
        "A slow disk",
        "Blocking echo, while every sync to disk takes 10 ms more than it does (closed loop). Group commit should \
         keep many clients busy all the same; one client waits for every sync on the way of its task.",
    )
    .measure("32 connections", "tasks/s", Better::Higher)
    .measure("256 connections", "tasks/s", Better::Higher)
    .measure("p50 of 32", "ms", Better::Lower)
    .measure("p50 of one", "ms", Better::Lower)
    .beside("Taskyard, slow disk");
    let slow = Host::preloading(&["plugins/echo"], &library).await?;
    section = section.row(
        "Taskyard, slow disk",
        measure(scale, &slow.place("echo")).await?,
    );
    drop(slow);
    let fast = Host::with(&["plugins/echo"]).await?;
    section = section.row("Taskyard", measure(scale, &fast.place("echo")).await?);
    drop(fast);
    let slow = Peer::bare_preloading(&library).await?;
    Ok(section.row(
        "bare loop, slow disk",
        measure(scale, &slow.place(Dialect::A2a)).await?,
    ))
}

async fn measure(scale: Scale, place: &Place) -> Result<Vec<f64>> {
    let mut one = Client::connect(place).await?;
    let mut some = Client::connect_all(place, CONNECTIONS).await?;
    let mut many = Client::connect_all(place, 8 * CONNECTIONS).await?;
    let one = closed(from_mut(&mut one), scale.seconds(3), echo).await?;
    let some = closed(&mut some, scale.seconds(4), echo).await?;
    let many = closed(&mut many, scale.seconds(4), echo).await?;
    Ok(vec![
        some.per_second(),
        many.per_second(),
        some.ms(50.0),
        one.ms(50.0),
    ])
}

async fn echo(client: &mut Client) -> Result<()> {
    client.run("hello").await
}

async fn compile(folder: &TempDir) -> Result<PathBuf> {
    let library = folder.path().join("slow-sync.so");
    let mut compiler = Command::new("cc");
    compiler
        .args(["-O1", "-shared", "-fPIC", "-o"])
        .arg(&library);
    let compiled = compiler.arg(Path::new(SOURCE)).arg("-ldl").status().await?;
    ensure!(compiled.success(), "{SOURCE} does not compile");
    Ok(library)
}
