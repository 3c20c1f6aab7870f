//! What nobody can do to a host: take more than a share of it, or harm it in silence.
//!
//! One file per family of attacks, each on the real binary, with loads that are bounded and bounds that
//! are measured: memory, descriptors, threads. How bad input is refused is in `bad_input`, what misbehaving
//! workers can do in `guests`, and what crashes cost in `crash`. Certificates are tried in `tls`.

mod bodies;
mod compiling;
mod damage;
mod disk;
mod failing;
mod flips;
mod grpc;
mod health;
mod http1;
mod http2;
mod idle;
mod json;
mod names;
mod open_host;
mod outbound;
mod soak;
mod stopping;
mod tenants;
mod time;
mod tokens;
mod unread;
