//! Which host the free functions talk to: that of the task whose `run` is on the stack.

use std::cell::RefCell;
use std::rc::Rc;

use crate::host::HostCalls;

thread_local! {
    static CURRENT: RefCell<Option<Rc<dyn HostCalls>>> = const { RefCell::new(None) };
}

/// While this lives, its host is the current one; then it is the one before. A test that runs one
/// worker inside another one's call has two of them.
#[must_use]
pub(crate) struct Entered {
    before: Option<Rc<dyn HostCalls>>,
}

/// Makes `host` the current one.
pub(crate) fn enter(host: Rc<dyn HostCalls>) -> Entered {
    Entered {
        before: CURRENT.replace(Some(host)),
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.set(self.before.take());
    }
}

/// The current host.
///
/// # Panics
/// In native code outside of a run: there is no task that the call could mean.
pub(crate) fn host() -> Rc<dyn HostCalls> {
    CURRENT
        .with_borrow(Clone::clone)
        .unwrap_or_else(outside_of_a_run)
}

/// In the sandbox the host itself refuses what comes too early.
#[cfg(target_family = "wasm")]
fn outside_of_a_run() -> Rc<dyn HostCalls> {
    Rc::new(crate::guest::Imports)
}

#[cfg(not(target_family = "wasm"))]
fn outside_of_a_run() -> Rc<dyn HostCalls> {
    panic!(
        "the host is there only while a worker runs; in a test use `taskyard_sdk::testing::Host`"
    )
}
