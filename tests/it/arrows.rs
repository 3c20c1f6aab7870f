//! The arrows between the rooms point down only, and each foreign world has one door.
//!
//! A room is a crate under `host/`; what it may depend on is written in `ARCHITECTURE.md` and here.

use std::collections::BTreeSet;
use std::fs;

use toml::Table;

use crate::support::places;

/// A room, and the rooms that it may know.
const ROOMS: &[(&str, &[&str])] = &[
    ("task", &[]),
    ("clock", &["task"]),
    ("storage", &["task"]),
    ("broker", &["task", "clock", "storage"]),
    ("outbound", &["task", "clock"]),
    ("signing", &["task", "clock"]),
    ("engine", &["task", "clock", "broker", "outbound"]),
    ("delegate", &["task", "clock", "broker", "outbound"]),
    (
        "notify",
        &["task", "clock", "broker", "outbound", "signing"],
    ),
    ("api", &["task", "clock", "broker", "signing"]),
    (
        "server",
        &[
            "task", "clock", "storage", "broker", "outbound", "signing", "engine", "delegate",
            "notify", "api",
        ],
    ),
];

/// The beginning of a crate's name, and the rooms that may know such crates.
const FOREIGN: &[(&str, &[&str])] = &[
    ("rocksdb", &["storage"]),
    ("wasmtime", &["engine"]),
    ("wasmparser", &["engine"]),
    ("wit-bindgen", &[]),
    ("axum", &["api", "server"]),
    ("async-compression", &["outbound"]),
    ("reqwest", &["outbound", "notify", "server"]),
    ("a2a-client", &["delegate", "server"]),
    ("a2a-pb", &["delegate", "api"]),
    ("tonic", &["api"]),
    ("prost", &["api"]),
    ("clap", &["server"]),
    ("tokio-rustls", &["server"]),
    ("x509-parser", &["server"]),
    // Notifications are verified in the tests of their room.
    ("jsonwebtoken", &["signing", "api", "notify"]),
    ("serde_json_canonicalizer", &["signing"]),
];

#[test]
fn every_room_is_known_here() {
    let folders = fs::read_dir(places::root().join("host")).unwrap();
    let folders = folders.map(|folder| folder.unwrap().file_name().into_string().unwrap());
    let known = ROOMS.iter().map(|(room, _)| (*room).to_owned());
    assert_eq!(
        folders.collect::<BTreeSet<_>>(),
        known.collect::<BTreeSet<_>>(),
        "a new room needs its place among the others: in ARCHITECTURE.md and in this test"
    );
}

#[test]
fn rooms_depend_only_on_rooms_below() {
    for (room, allowed) in ROOMS {
        // A test of a room may need a real broker, and that needs a folder to store in.
        for dependency in dependencies(room, &["dependencies", "build-dependencies"]) {
            let Some(other) = as_room(&dependency) else {
                continue;
            };
            assert!(
                allowed.contains(&other),
                "host/{room} depends on host/{other}, but may only know {allowed:?}"
            );
        }
    }
}

#[test]
fn each_foreign_world_has_one_door() {
    for (room, _) in ROOMS {
        let sections = ["dependencies", "dev-dependencies", "build-dependencies"];
        for dependency in dependencies(room, &sections) {
            let door = FOREIGN
                .iter()
                .find(|(prefix, _)| dependency.starts_with(prefix));
            let Some((_, doors)) = door else { continue };
            assert!(
                doors.contains(room),
                "host/{room} uses {dependency}, which belongs to {doors:?}"
            );
        }
    }
}

/// The names of all rooms.
pub(crate) fn rooms() -> impl Iterator<Item = &'static str> {
    ROOMS.iter().map(|(room, _)| *room)
}

/// The room that a crate of the workspace is.
fn as_room(dependency: &str) -> Option<&str> {
    match dependency {
        "taskyard" => Some("server"),
        // Below every room, and the SDK as well.
        "taskyard-json" => None,
        name => name.strip_prefix("taskyard-"),
    }
}

/// What a room names in these sections of its manifest.
fn dependencies(room: &str, sections: &[&str]) -> Vec<String> {
    let file = places::root().join("host").join(room).join("Cargo.toml");
    let manifest: Table = fs::read_to_string(&file).unwrap().parse().unwrap();
    let tables = sections
        .iter()
        .filter_map(|section| manifest.get(*section)?.as_table());
    tables.flat_map(|table| table.keys().cloned()).collect()
}
