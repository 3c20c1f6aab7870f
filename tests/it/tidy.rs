//! Rules about the text of the repository that no compiler checks.

use std::fs;
use std::path::{Path, PathBuf};

use crate::arrows;
use crate::support::places;

/// Where the project's own text is.
const FOLDERS: [&str; 8] = [
    "host", "json", "plugins", "sdk", "tests", "fuzz", "wit", "scripts",
];

/// Text that somebody reads.
const TEXTS: [&str; 7] = ["rs", "wit", "md", "toml", "py", "sh", "yml"];

#[test]
fn every_file_says_first_what_it_is_about() {
    for file in files(&["rs"]) {
        let text = read(&file);
        assert!(
            text.starts_with("//! "),
            "{} must begin with a line `//!` that names its one subject",
            file.display()
        );
    }
}

#[test]
fn every_item_of_the_worker_interface_is_documented() {
    let own = files(&["wit"]).into_iter();
    for file in own.filter(|file| !is_of_others(file)) {
        let mut documented = false;
        for (index, line) in read(&file).lines().enumerate() {
            let line = line.trim();
            let place = format!("{}:{}: {line}", file.display(), index + 1);
            match line {
                _ if line.starts_with("///") => documented = true,
                // Attributes stand between an item and its documentation.
                _ if line.starts_with('@') => {}
                _ if is_item(line) => {
                    assert!(documented, "{place} needs a `///`");
                    documented = false;
                }
                _ => documented = false,
            }
        }
    }
}

#[test]
fn nothing_is_left_to_be_mended() {
    // Spelled so that this file does not contain them.
    let marks = [
        ["FIX", "ME"].concat(),
        ["XX", "X"].concat(),
        ["TO", "DO"].concat(),
    ];
    for file in files(&TEXTS) {
        let text = read(&file);
        for mark in &marks {
            assert!(!text.contains(mark), "{} contains {mark}", file.display());
        }
    }
}

/// What is stored must come back as it was, and encodings have one nothing for both kinds of it.
#[test]
fn no_stored_type_has_an_option_of_an_option() {
    // Spelled so that this file does not contain it.
    let nested = ["Option<", "Option<"].concat();
    for room in ["host/task/src", "host/storage/src"] {
        let mut files = Vec::new();
        collect(&places::root().join(room), &mut files, |_| true);
        for file in files.iter().filter(|file| !is_test(file)) {
            let text: String = read(file).split_whitespace().collect();
            assert!(
                !text.contains(&nested),
                "{}: what is not there and what is there and empty look the same once they are stored; name each of them in an enum",
                file.display()
            );
        }
    }
}

fn is_test(file: &Path) -> bool {
    file.components().any(|part| {
        let name = Path::new(&part).file_stem();
        name.is_some_and(|name| name == "tests")
    })
}

#[test]
fn the_map_names_every_room_and_no_other() {
    let map = read(&places::root().join("ARCHITECTURE.md"));
    for room in arrows::rooms() {
        let name = format!("host/{room}");
        assert!(map.contains(&name), "ARCHITECTURE.md does not name {name}");
    }
    for mention in map.split("host/").skip(1) {
        let end = mention.find(|c: char| !c.is_ascii_lowercase());
        let room = &mention[..end.unwrap_or(mention.len())];
        assert!(
            room.is_empty() || arrows::rooms().any(|known| known == room),
            "ARCHITECTURE.md names host/{room}, which does not exist"
        );
    }
}

#[test]
fn dependencies_come_from_one_place_and_bring_one_tls() {
    const OTHER_TLS: [&str; 8] = [
        "aws-lc-sys",
        "openssl",
        "openssl-sys",
        "native-tls",
        "boring",
        "boring-sys",
        "s2n-tls",
        "mbedtls",
    ];
    const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";
    let lock = read(&places::root().join("Cargo.lock"));
    let values = |key: &'static str| {
        let lines = lock.lines();
        lines.filter_map(move |line| {
            line.strip_prefix(key)?
                .strip_prefix(" = \"")?
                .strip_suffix('"')
        })
    };
    assert!(values("source").count() > 100);
    for source in values("source") {
        assert_eq!(source, CRATES_IO);
    }
    for name in values("name") {
        assert!(
            !OTHER_TLS.contains(&name),
            "{name} would be a second TLS library"
        );
    }
}

/// Whether a line of a WIT file declares something. Imports, exports and uses name what is declared
/// elsewhere.
fn is_item(line: &str) -> bool {
    let first = line
        .split([' ', ':', ',', '(', '{', ';'])
        .next()
        .unwrap_or_default();
    let is_name = !first.is_empty() && first.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
    is_name && !["package", "use", "import", "export", "include"].contains(&first)
}

/// Whether a file is somebody else's work, kept here as it is.
fn is_of_others(file: &Path) -> bool {
    file.parent()
        .is_some_and(|folder| folder.ends_with("wit/deps"))
}

/// All files with one of these extensions, at the root and in the project's folders.
fn files(extensions: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    collect(&places::root(), &mut found, |_| false);
    for folder in FOLDERS {
        collect(&places::root().join(folder), &mut found, |_| true);
    }
    found.retain(|file| {
        let extension = file.extension().and_then(|extension| extension.to_str());
        extension.is_some_and(|extension| extensions.contains(&extension))
    });
    assert!(!found.is_empty());
    found
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>, descend: fn(&Path) -> bool) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            found.push(path);
        } else if descend(&path) {
            collect(&path, found, descend);
        }
    }
}

fn read(file: &Path) -> String {
    let text = fs::read_to_string(file);
    text.unwrap_or_else(|error| panic!("cannot read {}: {error}", file.display()))
}
