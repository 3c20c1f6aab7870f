//! Scenes on the plain bindings of `wasi:http`, for what client libraries do not do.

use wasip2::cli::stdout::get_stdout;
use wasip2::clocks::monotonic_clock;
use wasip2::http::outgoing_handler::handle;
use wasip2::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, IncomingBody, IncomingResponse, Method,
    OutgoingBody, OutgoingRequest, RequestOptions, Scheme,
};
use wasip2::io::poll::poll;
use wasip2::io::streams::{InputStream, OutputStream, StreamError};

const NS_PER_MS: u64 = 1_000_000;
/// More than anybody wants to read or write at once.
const MUCH: u64 = 1 << 20;
/// What may be written without a look.
const CHUNK: [u8; 4096] = [b'x'; 4096];

type Scene = fn(&str) -> Result<String, String>;

/// The scenes, by name.
pub(crate) const SCENES: [(&str, Scene); 15] = [
    ("spin", spin),
    ("spin-read", spin_read),
    ("blocking", blocking),
    ("drip", drip),
    ("splice", splice),
    ("nothing", nothing),
    ("body-first", body_first),
    ("unfinished", unfinished),
    ("wrong-length", wrong_length),
    ("too-large", too_large),
    ("crowd", crowd),
    ("twice", twice),
    ("abandon", abandon),
    ("forget", forget),
    ("hang", hang),
];

/// Looks for a response again and again, without waiting.
fn spin(url: &str) -> Result<String, String> {
    let future = send(url, "/slow", "GET")?;
    loop {
        if let Some(response) = future.get() {
            return read(response);
        }
    }
}

/// Looks for more of a body again and again, without waiting.
fn spin_read(url: &str) -> Result<String, String> {
    let (_body, stream) = events(url)?;
    collect(|| stream.read(MUCH))
}

/// Waits in each read.
fn blocking(url: &str) -> Result<String, String> {
    let (_body, stream) = events(url)?;
    collect(|| stream.blocking_read(MUCH))
}

/// Reads a slow response as one, and then piece by piece, because it asks for it.
fn drip(url: &str) -> Result<String, String> {
    let mut seen = Vec::new();
    for headers in [
        Vec::new(),
        vec![("taskyard-stream".to_owned(), b"1".to_vec())],
    ] {
        let headers = Fields::from_list(&headers).map_err(text)?;
        let request = request_with(url, "/drip", "GET", headers)?;
        let (_body, stream) = open(wait(handle(request, None).map_err(text)?))?;
        seen.push(collect(|| stream.blocking_read(MUCH))?);
    }
    Ok(seen.join("\n"))
}

/// Passes a body on, from one request to the next.
fn splice(url: &str) -> Result<String, String> {
    let (_body, from) = events(url)?;
    let request = request(url, "/two", "POST")?;
    let body = request.body().map_err(text)?;
    let to = body.write().map_err(text)?;
    while to.blocking_splice(&from, MUCH).is_ok() {}
    drop(to);
    OutgoingBody::finish(body, None).map_err(text)?;
    read(wait(handle(request, None).map_err(text)?))
}

/// Waits no time, and writes and reads no bytes, wherever one can.
fn nothing(url: &str) -> Result<String, String> {
    let options = RequestOptions::new();
    for set in [
        RequestOptions::set_connect_timeout,
        RequestOptions::set_first_byte_timeout,
        RequestOptions::set_between_bytes_timeout,
    ] {
        set(&options, Some(0)).map_err(text)?;
    }
    monotonic_clock::subscribe_duration(0).block();
    monotonic_clock::subscribe_instant(0).block();
    let (_body, events) = events(url)?;
    let request = request(url, "/two", "POST")?;
    let body = request.body().map_err(text)?;
    let stream = body.write().map_err(text)?;
    for to in [&stream, &get_stdout()] {
        write_nothing(to, &events).map_err(text)?;
    }
    let read_so_far = events.read(0).map_err(text)?.len();
    let blocking = events.blocking_read(0).map_err(text)?.len();
    drop(stream);
    OutgoingBody::finish(body, None).map_err(text)?;
    let answer = read(wait(handle(request, Some(options)).map_err(text)?))?;
    Ok(format!("{answer}, {read_so_far} and {blocking} read"))
}

fn write_nothing(to: &OutputStream, from: &InputStream) -> Result<(), StreamError> {
    to.check_write()?;
    to.write(&[])?;
    to.write_zeroes(0)?;
    to.blocking_write_and_flush(&[])?;
    to.blocking_write_zeroes_and_flush(0)?;
    to.splice(from, 0)?;
    to.blocking_splice(from, 0)?;
    to.blocking_flush()
}

/// Finishes the body before the request is handled.
fn body_first(url: &str) -> Result<String, String> {
    let request = request(url, "/two", "POST")?;
    let body = request.body().map_err(text)?;
    let stream = body.write().map_err(text)?;
    stream.blocking_write_and_flush(b"early").map_err(text)?;
    drop(stream);
    OutgoingBody::finish(body, None).map_err(text)?;
    read(wait(handle(request, None).map_err(text)?))
}

/// Drops a body that is not finished.
fn unfinished(url: &str) -> Result<String, String> {
    let request = request(url, "/two", "POST")?;
    let body = request.body().map_err(text)?;
    let future = handle(request, None).map_err(text)?;
    drop(body);
    told(wait(future))
}

/// Writes less than it announced.
fn wrong_length(url: &str) -> Result<String, String> {
    let headers = Fields::from_list(&[("content-length".to_owned(), b"5".to_vec())]);
    let request = request_with(url, "/two", "POST", headers.map_err(text)?)?;
    let body = request.body().map_err(text)?;
    let future = handle(request, None).map_err(text)?;
    let finished = OutgoingBody::finish(body, None);
    Ok(format!("{finished:?}, {}", told(wait(future))?))
}

/// Writes until it is told to stop.
fn too_large(url: &str) -> Result<String, String> {
    let request = request(url, "/two", "POST")?;
    let body = request.body().map_err(text)?;
    let future = handle(request, None).map_err(text)?;
    let stream = body.write().map_err(text)?;
    let mut written = 0;
    while stream.blocking_write_and_flush(&CHUNK).is_ok() {
        written += CHUNK.len();
    }
    drop(stream);
    Ok(format!("{written}, {}", told(wait(future))?))
}

/// Sends more requests at once than it may.
fn crowd(url: &str) -> Result<String, String> {
    let mut sent = Vec::new();
    let refused = loop {
        match handle(request(url, "/slow", "GET")?, None) {
            Ok(future) => sent.push(future),
            Err(error) => break error,
        }
    };
    let count = sent.len();
    for future in sent {
        read(wait(future))?;
    }
    read(wait(send(url, "/one", "GET")?))?;
    Ok(format!("{count}, {refused:?}"))
}

/// Takes what was taken before.
fn twice(url: &str) -> Result<String, String> {
    let future = send(url, "/one", "GET")?;
    future.subscribe().block();
    let first = future.get().is_some_and(|taken| taken.is_ok());
    let second = future.get().is_some_and(|taken| taken.is_err());
    Ok(format!("{first} {second}"))
}

/// Sends a request and gives it up at once.
fn abandon(url: &str) -> Result<String, String> {
    drop(send(url, "/slow", "GET")?);
    monotonic_clock::subscribe_duration(100 * NS_PER_MS).block();
    read(wait(send(url, "/one", "GET")?))
}

/// Sends a request and never asks for the response.
fn forget(url: &str) -> Result<String, String> {
    std::mem::forget(send(url, "/slow", "GET")?);
    Ok("sent".to_owned())
}

/// Waits for the response to a request that it never finishes.
fn hang(url: &str) -> Result<String, String> {
    let request = request(url, "/two", "POST")?;
    let _body = request.body().map_err(text)?;
    let future = handle(request, None).map_err(text)?;
    poll(&[&future.subscribe()]);
    Ok("woke up".to_owned())
}

fn request(url: &str, path: &str, method: &str) -> Result<OutgoingRequest, String> {
    request_with(url, path, method, Fields::new())
}

fn request_with(
    url: &str,
    path: &str,
    method: &str,
    headers: Fields,
) -> Result<OutgoingRequest, String> {
    let authority = url.strip_prefix("http://").ok_or("the URL is not http")?;
    let request = OutgoingRequest::new(headers);
    let method = match method {
        "POST" => Method::Post,
        _ => Method::Get,
    };
    request.set_method(&method).map_err(text)?;
    request.set_scheme(Some(&Scheme::Http)).map_err(text)?;
    request.set_authority(Some(authority)).map_err(text)?;
    request.set_path_with_query(Some(path)).map_err(text)?;
    Ok(request)
}

fn send(url: &str, path: &str, method: &str) -> Result<FutureIncomingResponse, String> {
    handle(request(url, path, method)?, None).map_err(text)
}

type Taken = Result<Result<IncomingResponse, ErrorCode>, ()>;

fn wait(future: FutureIncomingResponse) -> Taken {
    future.subscribe().block();
    future.get().unwrap_or(Err(()))
}

fn told(taken: Taken) -> Result<String, String> {
    match taken.map_err(text)? {
        Ok(response) => Ok(format!("status {}", response.status())),
        Err(error) => Ok(format!("{error:?}")),
    }
}

fn read(taken: Taken) -> Result<String, String> {
    let response = taken.map_err(text)?.map_err(text)?;
    let body = response.consume().map_err(text)?;
    let stream = body.stream().map_err(text)?;
    let mut seen = Vec::new();
    while let Ok(piece) = stream.blocking_read(MUCH) {
        seen.extend(piece);
    }
    Ok(String::from_utf8_lossy(&seen).into_owned())
}

fn events(url: &str) -> Result<(IncomingBody, InputStream), String> {
    open(wait(send(url, "/events", "GET")?))
}

fn open(taken: Taken) -> Result<(IncomingBody, InputStream), String> {
    let response = taken.map_err(text)?.map_err(text)?;
    let body = response.consume().map_err(text)?;
    let stream = body.stream().map_err(text)?;
    Ok((body, stream))
}

/// The pieces, one per line.
fn collect(mut read: impl FnMut() -> Result<Vec<u8>, StreamError>) -> Result<String, String> {
    let mut seen = Vec::new();
    loop {
        match read() {
            Ok(piece) if piece.is_empty() => {}
            Ok(piece) => seen.push(format!("{:?}", String::from_utf8_lossy(&piece))),
            Err(StreamError::Closed) => return Ok(seen.join("\n")),
            Err(error) => return Err(text(error)),
        }
    }
}

fn text(error: impl std::fmt::Debug) -> String {
    format!("{error:?}")
}
