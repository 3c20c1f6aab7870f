//! Ends in every way there is.

use std::time::Duration;

use taskyard_sdk::prelude::*;

use crate::Args;

pub(crate) fn permanent(_: &Task, _: &Args) -> Result<Outcome> {
    Err(Error::permanent("told-to-fail", "failed for good"))
}

pub(crate) fn transient(_: &Task, _: &Args) -> Result<Outcome> {
    Err(Error::transient("told-to-fail", "failed this time"))
}

pub(crate) fn transient_after(_: &Task, args: &Args) -> Result<Outcome> {
    let delay = Duration::from_millis(args.number(0));
    Err(Error::permanent("told-to-fail", "failed this time")).transient_after(delay)
}

pub(crate) fn reject(_: &Task, _: &Args) -> Result<Outcome> {
    Ok(Outcome::rejected("told to reject"))
}

pub(crate) fn reply(_: &Task, _: &Args) -> Result<Outcome> {
    Ok(Outcome::reply("told to reply"))
}
