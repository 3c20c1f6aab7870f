//! A worker on stock libraries, which know nothing of the host: `wstd` for HTTP and timers, and the plain
//! bindings.
//!
//! The workers in `tests/stock` do the same in other languages. The message is `SCENE URL`; a scene asks
//! the server at the URL for what the table says, and puts what it saw into the artifact with its name.
//!
//! | scene | what it asks for | what it puts |
//! | --- | --- | --- |
//! | `sequence` | `GET /one`, then `POST /two` with 200 000 bytes, then `GET /three` | the responses, one per line |
//! | `parallel` | `GET /parallel/1` to `/parallel/4` at once | the responses in the order in which they came |
//! | `race` | `GET /slow`, for 12 ms at most | the response, or `timer` |
//! | `stream` | `GET /events` | the pieces of the body as they came, one per line |
//! | `sleep` | | how long two waits of 30 and of 20 ms took, in tens of milliseconds |
//! | `random` | | a random number, and the order of a set |
//! | `refused` | `GET /refused` | the error, or the response |
//! | `tour` | everything above, in this order | all of them |
//!
//! This worker has further scenes, in `raw`.

#[cfg(target_family = "wasm")]
mod component;
#[cfg(target_family = "wasm")]
mod raw;
#[cfg(target_family = "wasm")]
mod scenes;
