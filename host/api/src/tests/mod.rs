//! The doors from outside: requests against the routers, with a real broker and a scripted worker.

mod admin;
mod admin_tasks;
mod cards;
mod envelope;
mod host;
mod http;
mod push;
mod send;
mod streams;
mod tasks;
mod tenants;
mod worker;
