//! The doors from outside: requests against the routers, with a real broker and a scripted worker.

mod admin;
mod admin_tasks;
mod auth;
mod cards;
mod compat;
mod compat_rest;
mod deliveries;
mod envelope;
mod extensions;
mod grpc;
mod grpc_beside;
mod grpc_client;
mod grpc_streams;
mod host;
mod http;
mod push;
mod rest;
mod rest_client;
mod rest_document;
mod rest_errors;
mod rest_streams;
mod send;
mod streams;
mod tasks;
mod tenants;
mod worker;
