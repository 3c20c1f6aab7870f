//! Workers that call the host wrongly.

use super::check;
use crate::support::task;

#[tokio::test]
async fn a_part_with_broken_metadata_is_refused() {
    check("bad-part", "COMPLETED", "metadata").await;
}

#[tokio::test]
async fn every_wrong_call_is_answered_with_what_is_wrong() {
    let ended = check("bad-calls", "COMPLETED", "progress 101: ").await;
    let answers: Vec<_> = task::says(&ended).lines().collect();
    // Putting replaces whatever there was, an open artifact too: the only call that is right.
    let [wrong @ .., right] = &answers[..] else {
        panic!("no answers: {ended}");
    };
    assert_eq!(*right, "put an open one: ok");
    assert_eq!(wrong.len(), 11, "{wrong:#?}");
    for answer in wrong {
        let (call, told) = answer.split_once(": ").unwrap();
        assert!(
            told.starts_with("invalid"),
            "{call} was answered with {told:?}"
        );
    }
    assert_eq!(
        ended["artifacts"].as_array().map(Vec::len),
        Some(1),
        "{ended}"
    );
    assert_eq!(task::artifact(&ended, "twice"), "x");
}
