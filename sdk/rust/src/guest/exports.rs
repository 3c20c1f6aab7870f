//! Every [`Worker`] is a handler of the world `worker`.

use std::rc::Rc;

use super::bindings::exports::taskyard::worker::handler;
use super::imports::Imports;
use crate::{Task, Worker};

impl<W: Worker> handler::Guest for W {
    fn describe() -> handler::Manifest {
        W::describe().into()
    }

    fn run(input: handler::Message) -> Result<handler::Outcome, handler::Failure> {
        let task = Task::new(Rc::new(Imports));
        W::run(&task, input.into())
            .map(handler::Outcome::from)
            .map_err(handler::Failure::from)
    }
}
