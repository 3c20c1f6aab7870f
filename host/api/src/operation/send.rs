//! `SendMessage` and `SendStreamingMessage` (A2A 3.1.1, 3.1.2).

use a2a::{SendMessageConfiguration, SendMessageRequest, SendMessageResponse};
use futures::TryFutureExt as _;
use serde_json::Value;
use taskyard_broker::{self as broker, PushRequest, SendRequest, Sent, TaskSnapshot};
use taskyard_task::wire::{self, Projection};

use super::{Answer, Holes, Plain, field, idempotency, media};
use crate::call::Call;
use crate::detached::detached;
use crate::error::{ApiError, Violation};
use crate::extension::{self, Asked, Extension};
use crate::follow::{Follow, Start, Until};
use crate::lenient::{self, requests::SEND_MESSAGE};
use crate::parameters::Version;

/// A request that can be handed to the broker, and how the client wants to see the task.
struct Prepared {
    request: SendRequest,
    projection: Projection,
}

/// Sends, and answers when the turn is over, or at once if the client wants that.
pub(crate) async fn send(call: Call, params: Option<Value>) -> Result<Answer, ApiError> {
    let Prepared {
        request,
        projection,
    } = prepare(&call, params)?;
    let snapshot = if request.is_quick() {
        let over = call.broker().send_quick(&call.caller, request);
        call.unless_stopping(over.map_err(refusal)).await?
    } else {
        let at_once = request.announce;
        let sent = submit(&call, request).await?;
        match at_once {
            true => call.broker().watch_sent(&sent).await?.snapshot().await?,
            false => call.unless_stopping(call.broker().turn_end(&sent)).await?,
        }
    };
    let mut holes = Holes::new(&call.door.ids);
    let answer = answer(&call, snapshot, projection, &mut holes);
    Ok(Answer::pieced(Plain::Sent(Box::new(answer)), holes))
}

/// Sends, and answers with a stream of what the message leads to. Who repeats the request under the
/// same idempotency key follows the same task, from the event named by `Last-Event-ID` if there is one.
pub(crate) async fn stream(call: Call, params: Option<Value>) -> Result<Answer, ApiError> {
    let last_seen = field::last_event_id(&call.head.headers)?;
    let Prepared {
        mut request,
        projection,
    } = prepare(&call, params)?;
    // A2A 3.2.2: without effect on streams.
    request.announce = false;
    // Without a key this is a new message, and no client can have seen what it leads to.
    let last_seen = last_seen.filter(|_| request.idempotency.is_some());
    let sent = submit(&call, request).await?;
    let watch = call.broker().watch_sent(&sent).await?;
    let start = match last_seen {
        None => Start::Sent(sent.seq),
        Some(seq) => field::resume(&watch, seq)?,
    };
    let until = match call.door.config.close_stream_on_input_required {
        true => Until::InputRequired { after: sent.seq },
        false => Until::Ended,
    };
    Ok(Answer::Stream(Box::new(Follow {
        watch,
        start,
        until,
        projection,
        numbered: call.parameters.uses(Extension::StreamResume),
        holes: Holes::new(&call.door.ids),
    })))
}

/// Sends to the end even if the client goes away: its next try, under the same idempotency key, must
/// find what this one did.
async fn submit(call: &Call, request: SendRequest) -> Result<Sent, ApiError> {
    let (broker, caller) = (call.broker().clone(), call.caller.clone());
    let sent = detached(async move { broker.send(&caller, request).await }).await;
    sent.map_err(refusal)
}

/// Names fields as this request has them.
fn refusal(error: broker::Error) -> ApiError {
    match error {
        broker::Error::WebhookRefused(problem) => {
            Violation::new("configuration.taskPushNotificationConfig.url", problem).into()
        }
        broker::Error::Invalid { field, problem } => {
            let path = extension::path_of(field);
            Violation::new(path.unwrap_or_else(|| field.to_owned()), problem).into()
        }
        other => other.into(),
    }
}

fn prepare(call: &Call, params: Option<Value>) -> Result<Prepared, ApiError> {
    let params = lenient::canonical(&SEND_MESSAGE, params)?;
    let idempotency = idempotency::key(&call.head.headers, &params)?;
    let Asked { wishes, on } = extension::asked(&params, &call.parameters, call.door.clock.now())?;
    let mut request: SendMessageRequest = lenient::typed(params)?;
    let configuration = request.configuration.unwrap_or(NOTHING_CONFIGURED);
    let task = request.message.task_id.take();
    let context_id = request.message.context_id.take();
    let message = wire::message_from_a2a(request.message)?;
    media::check(&call.agent.manifest, &message)?;
    let history_length =
        field::history_length("configuration.historyLength", configuration.history_length)?;
    Ok(Prepared {
        projection: Projection {
            history_length,
            artifacts: true,
        },
        request: SendRequest {
            agent: call.agent.name.clone(),
            message,
            task: task.as_deref().map(field::task_id).transpose()?,
            context_id,
            accepted_output_modes: configuration.accepted_output_modes.unwrap_or_default(),
            metadata: wire::metadata_text(request.metadata),
            push: configuration
                .task_push_notification_config
                .map(|config| PushRequest {
                    on,
                    ..push_request(config, call.parameters.version)
                }),
            announce: configuration.return_immediately.unwrap_or(false),
            idempotency,
            wishes,
        },
    })
}

const NOTHING_CONFIGURED: SendMessageConfiguration = SendMessageConfiguration {
    accepted_output_modes: None,
    task_push_notification_config: None,
    history_length: None,
    return_immediately: None,
};

/// What a client asks to be registered; the task is not its to say here.
pub(super) fn push_request(
    config: a2a::TaskPushNotificationConfig,
    version: Version,
) -> PushRequest {
    let (scheme, credentials) = match config.authentication {
        Some(authentication) => (Some(authentication.scheme), authentication.credentials),
        None => (None, None),
    };
    PushRequest {
        id: config.id,
        url: config.url,
        token: config.token,
        scheme,
        credentials,
        on: None,
        version: version.into(),
    }
}

/// The task, or the direct message if that is all the client gets to see.
fn answer(
    call: &Call,
    snapshot: TaskSnapshot,
    projection: Projection,
    holes: &mut Holes,
) -> SendMessageResponse {
    match &snapshot.outline.view.reply {
        Some((seq, parts)) if !snapshot.header.announced => {
            let place = snapshot.header.place();
            SendMessageResponse::Message(wire::reply_to_a2a(place, *seq, parts))
        }
        _ => SendMessageResponse::Task(holes.show(call.broker(), snapshot, projection)),
    }
}
