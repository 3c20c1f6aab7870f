//! What operators see of the running host: log lines and figures.

pub(crate) mod figures;
pub(crate) mod logs;
