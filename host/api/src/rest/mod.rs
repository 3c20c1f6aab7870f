//! The HTTP+JSON binding (A2A 11): each operation has a path and a method of its own.

mod answer;
pub(crate) mod fuzzing;
mod params;
mod route;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::Method;
use axum::http::request::Parts;
use axum::response::Response;

use crate::base::Base;
use crate::call::{Call, check_scope};
use crate::error::ApiError;
use crate::operation::{self, Answer, Operation};
use crate::parameters::{Parameters, Version, asked_version};
use crate::trace::RequestId;
use crate::{Door, lost, metric, sse};

pub(crate) use answer::{Media, name as code_name, refuse};
pub(crate) use route::Route;

#[cfg(test)]
pub(crate) use params::of_query;

use answer::RestEnvelope;

/// Answers whatever no other door of the host does.
pub(crate) async fn handle(State(door): State<Arc<Door>>, request: Request) -> Response {
    let began = door.clock.instant();
    let (head, body) = request.into_parts();
    let Some(route) = Route::parse(head.uri.path()) else {
        return lost::answer(&door, &head);
    };
    let (media, request_id) = (Media::of(&head.headers), RequestId::of(&head));
    let Some(operation) = route.resource.operation(&head.method) else {
        let is_options = head.method == Method::OPTIONS;
        return answer::other_method(&route.resource, is_options, media);
    };
    let outcome = serve(&door, head, body, &route, operation, media).await;
    let code = outcome.as_ref().err().map_or(0, ApiError::code);
    metric::answered("rest", operation.name(), code, began.elapsed());
    outcome.unwrap_or_else(|error| answer::refuse(&error, media, &request_id))
}

/// Nobody's body is read before it is known who sends it, and that it may.
async fn serve(
    door: &Arc<Door>,
    head: Parts,
    body: Body,
    route: &Route,
    operation: Operation,
    media: Media,
) -> Result<Response, ApiError> {
    let access = door.gate.admit(&head).await?;
    let of_path = route.target(None)?;
    of_path.check(door, &head)?;
    if of_path.is_whole() {
        Call::admit(door, &head, &access, &of_path, operation, Version::V1)?;
    } else {
        check_scope(&access, operation)?;
    }
    let resource = &route.resource;
    // Whatever was read counts until the operation is done.
    let (params, _account) = params::read(door, &head, &access, body, resource, operation).await?;
    let assumed = door.config.assume_version_when_absent.as_deref();
    let asked = asked_version(&head, assumed);
    let version = asked.require_v1(|| version_advice(door, &head, route))?;
    let target = route.target(params.get("tenant").and_then(|tenant| tenant.as_str()))?;
    let parameters = Parameters::read(&head, version, Some(&params));
    let call = Call::enter(door, head, access, target, operation, parameters)?;
    let (parameters, request) = (call.parameters.clone(), call.request_id());
    let answers = door.answers(&call.caller.tenant);
    let mut response = match operation::serve(call, operation, Some(params)).await? {
        Answer::Plain(plain) => answers.until_written(answer::reply(media, &plain)),
        Answer::Pieced(plain, holes) => holes.fill(answer::reply(media, &plain)).await?,
        Answer::Stream(follow) => sse::respond(door, *follow, RestEnvelope { request }),
    };
    parameters.echo(response.headers_mut());
    Ok(response)
}

/// What fits a request that names another version than this binding speaks.
fn version_advice(door: &Door, head: &Parts, route: &Route) -> String {
    let advice = "send the header A2A-Version: 1.0";
    if !door.config.protocol_0_3 {
        return advice.to_owned();
    }
    let base = Base::of(&door.config, head);
    let (url, path) = (base.url(), path_in_v03(door, route));
    format!(
        "{advice}; version 0.3 is spoken below {url}{path}/{}",
        lost::V1
    )
}

/// The path of the agent and the tenant of `route` for clients of 0.3, which has no field for the tenant: it is
/// named in front of an agent only.
fn path_in_v03(door: &Door, route: &Route) -> String {
    match route.target(None) {
        Ok(target) if target.tenant.is_some() && target.name.is_none() => {
            let default = door.broker.default_agent();
            let name = default.as_ref().map_or("NAME", |agent| agent.name.as_str());
            format!("/{}", target.path_of(name))
        }
        Ok(target) => target.path(),
        // It was refused for that before.
        Err(_) => route.base.path(),
    }
}
