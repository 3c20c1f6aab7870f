//! The scenes, as the table in `lib.rs` tells them.

use std::collections::HashSet;
use std::fmt::Debug;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use http_body_util::BodyExt;
use wstd::future::FutureExt;
use wstd::http::{Body, Client, Request};
use wstd::time::{Duration, Instant};

use crate::component::show;
use crate::raw;

/// Their names; `tour` is all of them.
pub(crate) const NAMES: [&str; 8] = [
    "sequence", "parallel", "race", "stream", "sleep", "random", "refused", "tour",
];

/// Plays a scene against the server at `url`.
pub(crate) async fn play(scene: &str, url: &str) -> Result<(), String> {
    let seen = match scene {
        "sequence" => sequence(url).await?,
        "parallel" => parallel(url).await?,
        "race" => race(url).await?,
        "stream" => stream(url).await?,
        "sleep" => sleep().await,
        "random" => random(),
        "refused" => refused(url).await,
        "tour" => {
            for scene in NAMES.into_iter().filter(|scene| *scene != "tour") {
                Box::pin(play(scene, url)).await?;
            }
            return Ok(());
        }
        other => match raw::SCENES.iter().find(|(name, _)| *name == other) {
            Some((_, play)) => play(url)?,
            None => return Err(format!("there is no scene {other:?}")),
        },
    };
    show(scene, seen)
}

async fn get(url: String) -> Result<String, String> {
    let request = Request::get(url).body(Body::empty()).map_err(text)?;
    let response = Client::new().send(request).await.map_err(text)?;
    let mut body = response.into_body();
    Ok(body.str_contents().await.map_err(text)?.to_owned())
}

async fn post(url: String, body: Vec<u8>) -> Result<String, String> {
    let request = Request::post(url).body(Body::from(body)).map_err(text)?;
    let response = Client::new().send(request).await.map_err(text)?;
    let mut body = response.into_body();
    Ok(body.str_contents().await.map_err(text)?.to_owned())
}

async fn sequence(url: &str) -> Result<String, String> {
    let one = get(format!("{url}/one")).await?;
    let two = post(format!("{url}/two"), vec![b'x'; 200_000]).await?;
    let three = get(format!("{url}/three")).await?;
    Ok([one, two, three].join("\n"))
}

async fn parallel(url: &str) -> Result<String, String> {
    let requests = (1..=4).map(|number| get(format!("{url}/parallel/{number}")));
    let mut requests: FuturesUnordered<_> = requests.collect();
    let mut seen = Vec::new();
    while let Some(response) = requests.next().await {
        seen.push(response?);
    }
    Ok(seen.join("\n"))
}

async fn race(url: &str) -> Result<String, String> {
    let request = get(format!("{url}/slow"));
    match request.timeout(Duration::from_millis(12)).await {
        Ok(response) => response,
        Err(_) => Ok("timer".to_owned()),
    }
}

async fn stream(url: &str) -> Result<String, String> {
    let request = Request::get(format!("{url}/events"))
        .header("accept", "text/event-stream")
        .body(Body::empty())
        .map_err(text)?;
    let response = Client::new().send(request).await.map_err(text)?;
    let mut body = response.into_body().into_boxed_body();
    let mut seen = Vec::new();
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => {
                if let Ok(piece) = frame.into_data() {
                    seen.push(format!("{:?}", String::from_utf8_lossy(&piece)));
                }
            }
            Err(error) => {
                seen.push(format!("broken off: {error}"));
                break;
            }
        }
    }
    Ok(seen.join("\n"))
}

#[expect(clippy::disallowed_methods, reason = "a worker is alone in its world")]
async fn sleep() -> String {
    let began = Instant::now();
    wstd::task::sleep(Duration::from_millis(30)).await;
    let first = began.elapsed().as_millis() / 10;
    std::thread::sleep(std::time::Duration::from_millis(20));
    let both = began.elapsed().as_millis() / 10;
    format!("{first} {both}")
}

fn random() -> String {
    let mut bytes = [0; 8];
    wstd::rand::get_random_bytes(&mut bytes);
    let set: HashSet<u32> = (0..8).collect();
    let order: Vec<_> = set.into_iter().collect();
    format!("{} {order:?}", u64::from_le_bytes(bytes))
}

async fn refused(url: &str) -> String {
    match get(format!("{url}/refused")).await {
        Ok(response) => response,
        Err(error) => format!("error: {error}"),
    }
}

fn text(error: impl Debug) -> String {
    format!("{error:?}")
}
