//! One client for every binding: the same operation, the same request, the same answer as ProtoJSON.

use reqwest::{Method, Response, Url, header};
use serde_json::{Value, json};

use super::grpc;
use super::schema::Schemas;
use super::v03;
use crate::support::{Event, Events, Host, http, in_time};

/// A binding of the protocol (A2A 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Binding {
    JsonRpc,
    Rest,
    Grpc,
    /// JSON-RPC of version 0.3, which has fewer operations.
    V03,
}

impl Binding {
    /// Those of version 1.0.
    pub(crate) const ALL: [Self; 3] = [Self::JsonRpc, Self::Rest, Self::Grpc];
}

/// Why there is no result, as far as bindings must agree on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    /// The reason of its `ErrorInfo`, or nothing.
    pub(crate) reason: String,
    /// For people.
    pub(crate) message: String,
    /// The fields that are not as they must be.
    pub(crate) fields: Vec<String>,
    /// The binding's own code: of JSON-RPC, of HTTP, of gRPC.
    pub(crate) code: i64,
}

impl Refused {
    /// From the parts of an error that JSON-RPC and HTTP+JSON share.
    pub(crate) fn of(code: i64, message: &Value, details: &Value) -> Self {
        let details = details.as_array().cloned().unwrap_or_default();
        let of_type = |name: &str| {
            let wanted = format!("type.googleapis.com/google.rpc.{name}");
            details
                .iter()
                .find(|detail| detail["@type"] == wanted)
                .cloned()
        };
        let violations = of_type("BadRequest").map(|detail| detail["fieldViolations"].clone());
        let violations = violations.as_ref().and_then(Value::as_array);
        Self {
            reason: of_type("ErrorInfo")
                .and_then(|info| Some(info["reason"].as_str()?.to_owned()))
                .unwrap_or_default(),
            message: message.as_str().unwrap_or_default().to_owned(),
            fields: violations
                .into_iter()
                .flatten()
                .map(|violation| violation["field"].as_str().unwrap_or_default().to_owned())
                .collect(),
            code,
        }
    }
}

/// A client of one agent over one binding.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) binding: Binding,
    base: String,
    agent: String,
    tenant: Option<String>,
    headers: Vec<(String, String)>,
    http: reqwest::Client,
}

impl Client {
    pub(crate) fn new(binding: Binding, host: &Host, agent: &str) -> Self {
        let version = match binding {
            Binding::V03 => "0.3",
            Binding::JsonRpc | Binding::Rest | Binding::Grpc => "1.0",
        };
        Self {
            binding,
            base: host.url(),
            agent: agent.to_owned(),
            tenant: None,
            headers: vec![("a2a-version".to_owned(), version.to_owned())],
            http: http::client(),
        }
    }

    pub(crate) fn of_tenant(mut self, tenant: &str) -> Self {
        self.tenant = Some(tenant.to_owned());
        self
    }

    /// Sends this header, or gRPC metadata, instead of any other of its name.
    pub(crate) fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        if !value.is_empty() {
            self.headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// Calls an operation that has one answer.
    pub(crate) async fn call(&self, operation: &str, params: Value) -> Result<Value, Refused> {
        let what = format!("{operation} over {:?}", self.binding);
        in_time(&what, async {
            let result = match self.binding {
                Binding::JsonRpc => rpc_result(read(self.rpc(operation, &params).await).await),
                Binding::Rest => rest_result(read(self.rest(operation, params).await).await),
                // Protobuf has but one form.
                Binding::Grpc => return grpc::call(&self.address(), operation, params).await,
                // Its form is another one.
                Binding::V03 => {
                    let (method, params) = (v03::method(operation), v03::request(&params));
                    let result = rpc_result(read(self.rpc(method, &params).await).await);
                    let result = result.map_err(v03::refused)?;
                    return Ok(v03::answer(operation, &result));
                }
            };
            if let Ok(answer) = &result {
                Schemas::of(&self.base).await.check(operation, answer);
            }
            result
        })
        .await
    }

    /// Opens a stream.
    pub(crate) async fn open(&self, operation: &str, params: Value) -> Result<Stream, Refused> {
        let what = format!("{operation} over {:?}", self.binding);
        in_time(&what, async {
            let response = match self.binding {
                Binding::JsonRpc => self.rpc(operation, &params).await,
                Binding::Rest => self.rest(operation, params).await,
                Binding::Grpc => {
                    let stream = grpc::open(&self.address(), operation, params).await?;
                    return Ok(Stream::Grpc(Box::new(stream)));
                }
                Binding::V03 => {
                    let method = v03::method(operation);
                    self.rpc(method, &v03::request(&params)).await
                }
            };
            if self.binding == Binding::V03 && is_error_event(&response) {
                return Err(v03::refused(error_event(response).await));
            }
            if is_stream(&response) {
                let schemas = Schemas::of(&self.base).await;
                return Ok(Stream::Sse {
                    binding: self.binding,
                    events: Box::new(Events::of(response)),
                    schemas,
                });
            }
            let refused = match self.binding {
                Binding::JsonRpc | Binding::V03 => rpc_result(read(response).await),
                Binding::Rest | Binding::Grpc => rest_result(read(response).await),
            };
            Err(refused.expect_err("an answer that is neither a stream nor an error"))
        })
        .await
    }

    fn path(&self) -> String {
        match &self.tenant {
            Some(tenant) => format!("{tenant}/agents/{}", self.agent),
            None => format!("agents/{}", self.agent),
        }
    }

    fn address(&self) -> grpc::Address {
        grpc::Address {
            host: self.base.clone(),
            tenant: self.path(),
            metadata: self.headers.clone(),
        }
    }

    fn request(&self, method: Method, url: String) -> reqwest::RequestBuilder {
        let request = self.http.request(method, url);
        let headers = self.headers.iter();
        headers.fold(request, |request, (name, value)| {
            request.header(name, value)
        })
    }

    async fn rpc(&self, method: &str, params: &Value) -> Response {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let request = self.request(Method::POST, format!("{}/{}", self.base, self.path()));
        request.json(&body).send().await.unwrap()
    }

    async fn rest(&self, operation: &str, mut params: Value) -> Response {
        let (method, path) = route(operation, &mut params);
        let url = format!("{}/{}{path}", self.base, self.path());
        let request = match method {
            Method::POST => self
                .request(method, url)
                .header(header::CONTENT_TYPE, "application/a2a+json")
                .body(params.to_string()),
            _ => {
                let url = Url::parse_with_params(&url, query(&params)).unwrap();
                self.request(method, url.into())
            }
        };
        request.send().await.unwrap()
    }
}

/// Where HTTP+JSON has an operation (A2A 11.3); takes what is part of the path out of `params`.
fn route(operation: &str, params: &mut Value) -> (Method, String) {
    let mut take = |name: &str| {
        let taken = params.as_object_mut().and_then(|map| map.remove(name));
        taken
            .and_then(|value| value.as_str().map(str::to_owned))
            .unwrap_or_default()
    };
    match operation {
        "SendMessage" => (Method::POST, "/message:send".to_owned()),
        "SendStreamingMessage" => (Method::POST, "/message:stream".to_owned()),
        "GetTask" => (Method::GET, format!("/tasks/{}", take("id"))),
        "ListTasks" => (Method::GET, "/tasks".to_owned()),
        "CancelTask" => (Method::POST, format!("/tasks/{}:cancel", take("id"))),
        "SubscribeToTask" => (Method::POST, format!("/tasks/{}:subscribe", take("id"))),
        "CreateTaskPushNotificationConfig" => (
            Method::POST,
            format!("/tasks/{}/pushNotificationConfigs", take("taskId")),
        ),
        "GetTaskPushNotificationConfig" => (Method::GET, one_config(&mut take)),
        "DeleteTaskPushNotificationConfig" => (Method::DELETE, one_config(&mut take)),
        "ListTaskPushNotificationConfigs" => (
            Method::GET,
            format!("/tasks/{}/pushNotificationConfigs", take("taskId")),
        ),
        "GetExtendedAgentCard" => (Method::GET, "/extendedAgentCard".to_owned()),
        other => panic!("where is {other} served?"),
    }
}

fn one_config(take: &mut impl FnMut(&str) -> String) -> String {
    let (task, id) = (take("taskId"), take("id"));
    format!("/tasks/{task}/pushNotificationConfigs/{id}")
}

fn query(params: &Value) -> Vec<(String, String)> {
    let members = params.as_object().into_iter().flatten();
    members
        .map(|(name, value)| {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            (name.clone(), text)
        })
        .collect()
}

fn is_stream(response: &Response) -> bool {
    let content_type = response.headers().get(header::CONTENT_TYPE);
    content_type.is_some_and(|value| value.as_bytes().starts_with(b"text/event-stream"))
}

/// Clients of 0.3 that ask for a stream are refused by one, which is whole at once.
fn is_error_event(response: &Response) -> bool {
    is_stream(response) && response.content_length().is_some()
}

async fn error_event(response: Response) -> Refused {
    let text = response.text().await.unwrap();
    let data = text.lines().find_map(|line| line.strip_prefix("data: "));
    let event = serde_json::from_str(data.unwrap()).unwrap();
    rpc_result((200, event)).expect_err("a stream of one event is an error")
}

async fn read(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    let value = serde_json::from_str(&text);
    (
        status,
        value.unwrap_or_else(|_| panic!("{status} with {text:?}")),
    )
}

fn rpc_result((_, mut body): (u16, Value)) -> Result<Value, Refused> {
    let Some(error) = body.get("error") else {
        return Ok(body["result"].take());
    };
    // In 0.3 the details are a member of an object.
    let details = error.pointer("/data/details").unwrap_or(&error["data"]);
    let code = error["code"].as_i64().unwrap_or_default();
    Err(Refused::of(code, &error["message"], details))
}

fn rest_result((status, body): (u16, Value)) -> Result<Value, Refused> {
    match body.get("error") {
        None => Ok(body),
        Some(error) => Err(Refused::of(
            status.into(),
            &error["message"],
            &error["details"],
        )),
    }
}

/// A stream of events, whatever carries them.
pub(crate) enum Stream {
    Sse {
        binding: Binding,
        events: Box<Events>,
        schemas: &'static Schemas,
    },
    Grpc(Box<grpc::Stream>),
}

impl Stream {
    /// The next event; nothing once the stream is over.
    pub(crate) async fn next(&mut self) -> Option<Result<Value, Refused>> {
        match self {
            Self::Grpc(stream) => in_time("the next event", stream.next()).await,
            Self::Sse {
                binding,
                events,
                schemas,
            } => {
                let event = event(*binding, events.next().await?);
                if let (Ok(event), true) = (&event, *binding != Binding::V03) {
                    schemas.check("SubscribeToTask", event);
                }
                Some(event)
            }
        }
    }

    /// All events up to the end.
    pub(crate) async fn all(mut self) -> Vec<Result<Value, Refused>> {
        let mut all = Vec::new();
        while let Some(event) = self.next().await {
            all.push(event);
        }
        all
    }
}

fn event(binding: Binding, event: Event) -> Result<Value, Refused> {
    match binding {
        Binding::JsonRpc => rpc_result((200, event.response)),
        Binding::V03 => {
            let result = rpc_result((200, event.response))?;
            Ok(v03::answer("SubscribeToTask", &result))
        }
        Binding::Rest | Binding::Grpc => rest_result((200, event.response)),
    }
}
