//! Children on a small agent on loopback that forgets, breaks and disappears as told.

mod desk;
mod remote;

use std::time::Duration;

use taskyard_clock::{Clock, IdSource};
use taskyard_outbound::{GuardConfig, Outbound, Secrets};
use taskyard_task::{ChildEnd, Part, RemoteStage, TaskState, Timestamp};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::ConnectError;
use crate::agent::Agents;
use crate::delegate::run;
use crate::follow::Follower;
use crate::pace::Pace;
use desk::{Board, child};
use remote::{Answer, Remote};

const PACE: Pace = Pace {
    first: Duration::from_millis(2),
    longest: Duration::from_millis(20),
    settling: Duration::from_millis(30),
};
const NOW: Timestamp = Timestamp(1_000_000);

/// The loop that looks after children; ends like a killed process when it is dropped.
struct Running(JoinHandle<()>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn start(board: &Board) -> Running {
    let config = taskyard_outbound::Config {
        allow_private: true,
        max_response_bytes: 10_000,
        ..taskyard_outbound::Config::default()
    };
    let clock = Clock::system();
    let outbound = Outbound::new(&config, Secrets::default(), clock.clone()).unwrap();
    let stop = CancellationToken::new();
    let agents = Agents::new(outbound, clock.clone());
    let follower = Follower::new(
        board.clone(),
        agents,
        clock.clone(),
        IdSource::system(),
        PACE,
        stop.clone(),
    );
    // The rows of before are read again.
    board.wake_all();
    Running(tokio::spawn(
        async move { run(&follower, &clock, &stop).await },
    ))
}

fn text(end: &ChildEnd) -> String {
    format!("{:?}", end.message)
}

#[tokio::test]
async fn a_child_is_sent_once_and_followed_to_its_end() {
    for streams in [true, false] {
        let remote = Remote::start().await;
        remote.script(|script| script.streams = streams);
        let board = Board::with(child(&remote.url));
        let _running = start(&board);
        let task = remote.task().await;
        assert_eq!(task.context_id, board.row().child.context_id);
        assert_eq!(task.message_id, board.row().child.message_id);
        remote
            .until_called(if streams {
                "SubscribeToTask"
            } else {
                "GetTask"
            })
            .await;
        remote.change(&task.id, "TASK_STATE_WORKING");
        remote.end(&task.id, "TASK_STATE_COMPLETED", "result");
        let end = board.end().await;
        assert_eq!(end.state, TaskState::Completed);
        assert_eq!(end.message, [Part::text("said result")]);
        assert_eq!(end.artifacts[0].parts, [Part::text("result")]);
        assert_eq!(remote.calls_of("SendMessage"), 1);
        let [key] = &remote.keys()[..] else {
            panic!("one message went out");
        };
        assert_eq!(*key, task.message_id);
    }
}

#[tokio::test]
async fn an_answer_that_is_lost_makes_no_second_task() {
    let remote = Remote::start().await;
    remote.script(|script| script.send = Answer::TakenAndCut);
    let board = Board::with(child(&remote.url));
    let _running = start(&board);
    let task = remote.task().await;
    remote.end(&task.id, "TASK_STATE_COMPLETED", "result");
    assert_eq!(board.end().await.state, TaskState::Completed);
    assert_eq!((remote.tasks(), remote.calls_of("SendMessage")), (1, 1));
}

#[tokio::test]
async fn a_message_that_did_not_arrive_is_sent_again() {
    let remote = Remote::start().await;
    remote.script(|script| script.send = Answer::Cut);
    let board = Board::with(child(&remote.url));
    let _running = start(&board);
    remote.until_called("ListTasks").await;
    assert_eq!(board.stage(), RemoteStage::Sending);
    remote.script(|script| script.send = Answer::Task);
    let task = remote.task().await;
    remote.end(&task.id, "TASK_STATE_COMPLETED", "result");
    assert_eq!(board.end().await.state, TaskState::Completed);
    let keys = remote.keys();
    assert!(keys.iter().all(|key| *key == task.message_id), "{keys:?}");
}

#[tokio::test]
async fn wherever_this_host_dies_there_is_one_task() {
    let stages = [
        ("before it is sent", RemoteStage::New),
        ("while it is sent", RemoteStage::Sending),
    ];
    for (when, last) in stages {
        for arrives in [true, false] {
            let remote = Remote::start().await;
            let answer = if arrives { Answer::Task } else { Answer::Cut };
            remote.script(|script| script.send = answer);
            let board = Board::with(child(&remote.url));
            board.freeze_after(&last);
            let running = start(&board);
            board.until_frozen().await;
            drop(running);
            board.thaw();
            remote.script(|script| script.send = Answer::Task);
            let _running = start(&board);
            let task = remote.task().await;
            remote.end(&task.id, "TASK_STATE_COMPLETED", "result");
            let end = board.end().await;
            assert_eq!(end.state, TaskState::Completed, "{when}, {arrives}");
            assert_eq!(remote.tasks(), 1, "{when}, {arrives}");
        }
    }
}

#[tokio::test]
async fn an_agent_that_lists_nothing_is_not_sent_the_message_twice() {
    for arrives in [true, false] {
        let remote = Remote::start().await;
        let answer = if arrives {
            Answer::TakenAndCut
        } else {
            Answer::Cut
        };
        remote.script(|script| {
            script.send = answer;
            script.lists = false;
        });
        let board = Board::with(child(&remote.url));
        let _running = start(&board);
        let end = board.end().await;
        assert_eq!(end.state, TaskState::Failed);
        assert!(text(&end).contains("not sent twice"), "{}", text(&end));
        assert_eq!(remote.calls_of("SendMessage"), 1);
    }
}

#[tokio::test]
async fn tasks_of_other_conversations_are_no_answer() {
    let remote = Remote::start().await;
    remote.script(|script| {
        script.send = Answer::TakenAndCut;
        script.mixes_up = true;
    });
    let board = Board::with(child(&remote.url));
    let _running = start(&board);
    assert!(text(&board.end().await).contains("not sent twice"));
}

#[tokio::test]
async fn a_direct_answer_ends_a_child() {
    let remote = Remote::start().await;
    remote.script(|script| script.send = Answer::Message);
    let board = Board::with(child(&remote.url));
    let _running = start(&board);
    let end = board.end().await;
    assert_eq!(
        (end.state, end.message),
        (TaskState::Completed, vec![Part::text("pong")])
    );
}

#[tokio::test]
async fn a_remote_host_may_be_down_at_any_time() {
    let remote = Remote::start().await;
    remote.script(|script| script.down = true);
    let board = Board::with(child(&remote.url));
    let _running = start(&board);
    remote.until_attempts(3).await;
    assert_eq!(board.stage(), RemoteStage::New, "nothing was sent");

    remote.script(|script| script.down = false);
    let task = remote.task().await;
    remote.until_called("SubscribeToTask").await;
    remote.script(|script| script.down = true);
    // Cuts what is open.
    remote.change(&task.id, "TASK_STATE_WORKING");
    remote.until_attempts(3).await;
    remote.end(&task.id, "TASK_STATE_COMPLETED", "result");
    remote.script(|script| script.down = false);
    assert_eq!(board.end().await.artifacts.len(), 1);
    assert_eq!(remote.calls_of("SendMessage"), 1);
}

#[tokio::test]
async fn a_child_that_is_wanted_no_more_is_canceled() {
    let remote = Remote::start().await;
    let board = Board::with(child(&remote.url));
    let _running = start(&board);
    let task = remote.task().await;
    remote.until_called("SubscribeToTask").await;
    board.cancel();
    remote.until_called("CancelTask").await;
    assert_eq!(board.end().await.state, TaskState::Canceled);
    assert_eq!(remote.state_of(&task.id), "TASK_STATE_CANCELED");
    assert_eq!(remote.calls_of("CancelTask"), 1);
}

#[tokio::test]
async fn a_child_that_does_not_let_itself_be_canceled_goes_on_to_its_end() {
    let remote = Remote::start().await;
    remote.script(|script| script.cancels = false);
    let board = Board::with(child(&remote.url));
    let _running = start(&board);
    let task = remote.task().await;
    remote.until_called("SubscribeToTask").await;
    board.cancel();
    remote.until_called("CancelTask").await;
    remote.end(&task.id, "TASK_STATE_COMPLETED", "result");
    assert_eq!(board.end().await.state, TaskState::Completed);
}

#[tokio::test]
async fn a_child_that_was_not_sent_need_not_be() {
    let remote = Remote::start().await;
    let board = Board::with(child(&remote.url));
    board.cancel();
    let _running = start(&board);
    assert_eq!(board.end().await.state, TaskState::Canceled);
    assert_eq!(remote.calls(), 0);

    // Nobody knows whether it was; it was not.
    let mut work = child(&remote.url);
    work.child.stage = RemoteStage::Sending;
    work.child.cancel = true;
    let board = Board::with(work);
    let _running = start(&board);
    assert_eq!(board.end().await.state, TaskState::Canceled);
    assert_eq!((remote.calls_of("SendMessage"), remote.tasks()), (0, 0));
}

#[tokio::test]
async fn a_host_that_is_not_allowed_is_not_asked() {
    let remote = Remote::start().await;
    let mut work = child(&remote.url);
    work.egress = taskyard_task::EgressPolicy::default();
    let board = Board::with(work);
    let _running = start(&board);
    let end = board.end().await;
    assert_eq!(end.state, TaskState::Failed);
    assert!(text(&end).contains("not allowed"), "{}", text(&end));
    assert_eq!(remote.calls(), 0);
}

#[tokio::test]
async fn a_refusal_is_passed_on() {
    for (answer, words) in [
        (Answer::Error(-32602, "no such mode"), "no such mode"),
        (Answer::Status(403), "HTTP 403"),
    ] {
        let remote = Remote::start().await;
        remote.script(|script| script.send = answer);
        let board = Board::with(child(&remote.url));
        let _running = start(&board);
        let end = board.end().await;
        assert_eq!(end.state, TaskState::Failed);
        assert!(text(&end).contains(words), "{}", text(&end));
        assert_eq!(remote.calls_of("SendMessage"), 1);
    }
}

#[tokio::test]
async fn what_is_no_agent_ends_a_child() {
    let remote = Remote::start().await;
    let board = Board::with(child(&format!("{}/nowhere", remote.url)));
    let _running = start(&board);
    let end = board.end().await;
    assert!(
        text(&end).contains("HTTP 404 instead of an agent card"),
        "{}",
        text(&end)
    );
}

#[tokio::test]
async fn a_task_that_the_agent_forgot_has_failed() {
    let remote = Remote::start().await;
    let board = Board::with(child(&remote.url));
    let _running = start(&board);
    remote.task().await;
    remote.until_called("SubscribeToTask").await;
    remote.forget_tasks();
    let end = board.end().await;
    assert_eq!(end.state, TaskState::Failed);
    assert_eq!(remote.calls_of("SendMessage"), 1);
}

#[tokio::test]
async fn a_child_that_waits_for_an_answer_goes_on_waiting() {
    let remote = Remote::start().await;
    let board = Board::with(child(&remote.url));
    let _running = start(&board);
    let task = remote.task().await;
    remote.change(&task.id, "TASK_STATE_INPUT_REQUIRED");
    remote.until_called("SubscribeToTask").await;
    assert!(board.is_kept());
    board.cancel();
    assert_eq!(board.end().await.state, TaskState::Canceled);
}

#[tokio::test]
async fn a_detached_child_of_a_parent_that_is_over_is_sent_and_left_alone() {
    let remote = Remote::start().await;
    let mut work = child(&remote.url);
    work.awaited = false;
    let board = Board::with(work);
    let _running = start(&board);
    board.end().await;
    assert_eq!((remote.tasks(), remote.calls_of("GetTask")), (1, 0));
}

#[tokio::test]
async fn a_child_that_cannot_be_reached_fails_at_the_deadline() {
    let remote = Remote::start().await;
    remote.script(|script| script.down = true);
    let mut work = child(&remote.url);
    work.deadline = NOW;
    let board = Board::with(work);
    let _running = start(&board);
    let end = board.end().await;
    assert!(text(&end).contains("deadline"), "{}", text(&end));
}

#[tokio::test]
async fn results_that_are_too_large_are_left_out() {
    let remote = Remote::start().await;
    let board = Board::with(child(&remote.url));
    let _running = start(&board);
    let task = remote.task().await;
    remote.end(&task.id, "TASK_STATE_COMPLETED", &"x".repeat(20_000));
    let end = board.end().await;
    assert_eq!((end.state, end.artifacts.len()), (TaskState::Completed, 0));
    assert!(
        text(&end).contains("larger than 10000 bytes"),
        "{}",
        text(&end)
    );
}

#[tokio::test]
async fn servers_may_leave_out_what_is_empty() {
    let remote = Remote::start().await;
    remote.script(|script| {
        script.terse = true;
        script.send = Answer::Cut;
    });
    let board = Board::with(child(&remote.url));
    let _running = start(&board);
    remote.until_called("ListTasks").await;
    remote.script(|script| script.send = Answer::Task);
    let task = remote.task().await;
    remote.end(&task.id, "TASK_STATE_REJECTED", "result");
    assert_eq!(board.end().await.state, TaskState::Rejected);
}

/// Lets a child at `address` end, and says how.
async fn done_at(remote: &Remote, address: &str) -> ChildEnd {
    let board = Board::with(child(address));
    let _running = start(&board);
    let task = remote.task().await;
    remote.end(&task.id, "TASK_STATE_COMPLETED", "result");
    board.end().await
}

#[tokio::test]
async fn an_agent_that_speaks_http_and_json_alone_is_spoken_to() {
    for streams in [true, false] {
        let remote = Remote::start().await;
        remote.script(|script| {
            script.rest = true;
            script.streams = streams;
        });
        let end = done_at(&remote, &remote.url).await;
        assert_eq!(end.state, TaskState::Completed);
        assert_eq!(end.artifacts[0].parts, [Part::text("result")]);
        assert_eq!(remote.calls_of("SendMessage"), 1);
        assert_eq!(remote.keys().len(), 1);
    }
}

#[tokio::test]
async fn what_is_lost_or_refused_over_http_and_json_is_understood() {
    let remote = Remote::start().await;
    remote.script(|script| {
        script.rest = true;
        script.send = Answer::TakenAndCut;
    });
    let end = done_at(&remote, &remote.url).await;
    assert_eq!((end.state, remote.tasks()), (TaskState::Completed, 1));

    let remote = Remote::start().await;
    remote.script(|script| {
        script.rest = true;
        script.send = Answer::Error(-32602, "no such mode");
    });
    let board = Board::with(child(&remote.url));
    let _running = start(&board);
    let end = board.end().await;
    assert!(text(&end).contains("no such mode"), "{}", text(&end));

    let remote = Remote::start().await;
    remote.script(|script| script.rest = true);
    let board = Board::with(child(&remote.url));
    let _running = start(&board);
    remote.until_called("SubscribeToTask").await;
    board.cancel();
    assert_eq!(board.end().await.state, TaskState::Canceled);
}

#[tokio::test]
async fn an_agent_is_found_by_the_address_that_the_card_of_its_host_names() {
    for rest in [false, true] {
        let remote = Remote::start().await;
        remote.script(|script| script.rest = rest);
        let path = if rest { "/rest/" } else { "/rpc" };
        let end = done_at(&remote, &format!("{}{path}", remote.url)).await;
        assert_eq!(end.state, TaskState::Completed);
    }
}

#[tokio::test]
async fn the_card_of_the_host_counts_however_the_address_refuses_to_have_one() {
    for no_card in [
        "500 Broken",
        "503 Busy",
        "408 Late",
        "425 Early",
        "429 Many",
        "405 Not That",
        "401 Who",
        "302 Found\r\nlocation: https://login.invalid/",
    ] {
        let remote = Remote::start().await;
        remote.script(|script| script.no_card = Some(no_card));
        let end = done_at(&remote, &format!("{}/rpc", remote.url)).await;
        assert_eq!(end.state, TaskState::Completed, "{no_card}");
    }
}

#[tokio::test]
async fn the_first_problem_is_told_if_the_card_of_the_host_does_not_help() {
    let remote = Remote::start().await;
    let no_card = "302 Found\r\nlocation: https://login.invalid/";
    remote.script(|script| script.no_card = Some(no_card));
    let board = Board::with(child(&format!("{}/nowhere", remote.url)));
    let _running = start(&board);
    let end = text(&board.end().await);
    assert!(end.contains("redirects to another origin"), "{end}");
    assert!(end.contains("names other addresses"), "{end}");
}

#[tokio::test]
async fn a_refusal_in_plain_words_is_a_refusal() {
    for rest in [true, false] {
        let remote = Remote::start().await;
        remote.script(|script| {
            script.rest = rest;
            script.plain = true;
            script.send = Answer::Error(-32602, "no such mode");
        });
        let board = Board::with(child(&remote.url));
        let _running = start(&board);
        let end = board.end().await;
        assert!(text(&end).contains("no such mode"), "{}", text(&end));
        assert_eq!(remote.calls_of("SendMessage"), 1);

        let remote = Remote::start().await;
        remote.script(|script| {
            script.rest = rest;
            script.plain = true;
        });
        let board = Board::with(child(&remote.url));
        let _running = start(&board);
        remote.task().await;
        remote.until_called("SubscribeToTask").await;
        remote.forget_tasks();
        let end = tokio::time::timeout(Duration::from_secs(20), board.end()).await;
        let end = end.expect("a task that is gone is not looked for until the deadline");
        assert_eq!(end.state, TaskState::Failed);
        assert!(text(&end).contains("task not found"), "{}", text(&end));
    }
}

#[tokio::test]
async fn a_card_may_be_sloppy_and_an_agent_may_have_moved() {
    for rest in [false, true] {
        let remote = Remote::start().await;
        remote.script(|script| {
            script.rest = rest;
            script.moved = true;
            script.sloppy = true;
        });
        let end = done_at(&remote, &format!("{}/old", remote.url)).await;
        assert_eq!(end.state, TaskState::Completed, "{}", text(&end));
        assert_eq!(remote.calls_of("SendMessage"), 1);
    }
}

#[tokio::test]
async fn half_a_character_in_a_result_costs_a_character() {
    for (rest, streams) in [(false, true), (true, false)] {
        let remote = Remote::start().await;
        remote.script(|script| {
            script.rest = rest;
            script.streams = streams;
        });
        let board = Board::with(child(&remote.url));
        let _running = start(&board);
        let task = remote.task().await;
        remote.end(&task.id, "TASK_STATE_COMPLETED", "a HALF b");
        let end = board.end().await;
        assert_eq!(end.state, TaskState::Completed);
        assert_eq!(end.artifacts[0].parts, [Part::text("a \u{fffd} b")]);
    }
}

#[tokio::test]
async fn the_command_line_finds_agents_as_children_do() {
    let remote = Remote::start().await;
    remote.script(|script| {
        script.rest = true;
        script.sloppy = true;
    });
    let direct = taskyard_outbound::Direct::new(
        taskyard_outbound::client(
            &taskyard_outbound::Guard::new(&GuardConfig {
                allow_private: true,
                allow: Vec::new(),
            })
            .unwrap(),
            None,
            false,
        )
        .unwrap(),
    );
    let found = crate::connect(direct.clone(), &format!("{}/rest", remote.url))
        .await
        .map(drop);
    assert!(found.is_ok(), "{found:?}");
    let nowhere = crate::connect(direct.clone(), &format!("{}/nowhere", remote.url))
        .await
        .map(drop);
    assert!(
        matches!(nowhere, Err(ConnectError::NoAgent(_))),
        "{nowhere:?}"
    );
    remote.script(|script| script.down = true);
    let silent = crate::connect(direct, &remote.url).await.map(drop);
    assert!(
        matches!(silent, Err(ConnectError::Unreachable(_))),
        "{silent:?}"
    );
}
