//! Every [`Worker`] is a handler of the world `worker`.

use std::rc::Rc;

use super::bindings::exports::taskyard::worker::handler;
use super::imports::Imports;
use crate::{Task, Worker, current};

impl<W: Worker> handler::Guest for W {
    fn describe() -> handler::Manifest {
        W::describe().into()
    }

    fn run(
        input: handler::Message,
        state: Option<Vec<u8>>,
    ) -> Result<handler::Outcome, handler::Failure> {
        let host = Rc::new(Imports);
        let _entered = current::enter(Rc::clone(&host) as _);
        let task = Task::new(host, state);
        W::run(&task, input.into())
            .map(handler::Outcome::from)
            .map_err(handler::Failure::from)
    }
}
