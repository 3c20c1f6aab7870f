//! The side of the SDK that runs inside the sandbox: the only code that knows the generated bindings.

pub mod bindings;
mod convert;
mod exports;
mod imports;

pub(crate) use imports::Imports;
