//! One operation of A2A, as either binding writes it.

use a2a::jsonrpc::methods;
use a2a::{A2AError, JsonRpcId, JsonRpcRequest};
use bytes::Bytes;
use serde::Serialize;
use serde_json::{Map, Value};
use taskyard_outbound::Request;
use url::Url;

use crate::card::Binding;
use crate::line::header;

/// One operation of A2A, with what it is about.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    method: &'static str,
    params: Value,
}

impl Operation {
    /// The operation of that name in JSON-RPC.
    ///
    /// # Errors
    /// If the request has no JSON form.
    pub(crate) fn new(method: &'static str, request: &impl Serialize) -> Result<Self, A2AError> {
        let params = serde_json::to_value(request).map_err(unsendable)?;
        Ok(Self { method, params })
    }

    /// Whether it is a message that makes a task.
    pub(crate) fn sends(&self) -> bool {
        [methods::SEND_MESSAGE, methods::SEND_STREAMING_MESSAGE].contains(&self.method)
    }

    /// The request to an agent at `endpoint`.
    ///
    /// # Errors
    /// If there can be none.
    pub(crate) fn request(&self, binding: Binding, endpoint: &Url) -> Result<Request, A2AError> {
        match binding {
            Binding::JsonRpc => self.rpc(endpoint),
            Binding::HttpJson => self.http(endpoint),
        }
    }

    fn rpc(&self, endpoint: &Url) -> Result<Request, A2AError> {
        let params = Some(self.params.clone());
        let call = JsonRpcRequest::new(JsonRpcId::Number(1), self.method, params);
        let body = serde_json::to_vec(&call).map_err(unsendable)?;
        Ok(with_body("POST", endpoint, body))
    }

    /// A2A 11.3: a path of the method's own below that of the agent, and of the tenant.
    fn http(&self, endpoint: &Url) -> Result<Request, A2AError> {
        let (verb, path) = self.route()?;
        let mut url = endpoint.clone();
        {
            let no_path = |()| A2AError::invalid_request("the URL of the agent has no path");
            let mut segments = url.path_segments_mut().map_err(no_path)?;
            segments.pop_if_empty();
            segments.extend(
                self.param("tenant")
                    .into_iter()
                    .chain(path.iter().map(String::as_str)),
            );
        }
        if verb == "POST" {
            let body = serde_json::to_vec(&self.params).map_err(unsendable)?;
            return Ok(with_body(verb, &url, body));
        }
        for (name, value) in query(&self.params) {
            url.query_pairs_mut().append_pair(&name, &value);
        }
        Ok(Request::new(verb, url.as_str(), Bytes::new()))
    }

    fn route(&self) -> Result<(&'static str, Vec<String>), A2AError> {
        let id = || self.param("id").unwrap_or_default().to_owned();
        let tasks = |last: String| vec!["tasks".to_owned(), last];
        match self.method {
            methods::SEND_MESSAGE => Ok(("POST", vec!["message:send".to_owned()])),
            methods::SEND_STREAMING_MESSAGE => Ok(("POST", vec!["message:stream".to_owned()])),
            methods::GET_TASK => Ok(("GET", tasks(id()))),
            methods::LIST_TASKS => Ok(("GET", vec!["tasks".to_owned()])),
            methods::CANCEL_TASK => Ok(("POST", tasks(format!("{}:cancel", id())))),
            methods::SUBSCRIBE_TO_TASK => Ok(("GET", tasks(format!("{}:subscribe", id())))),
            other => Err(A2AError::method_not_found(other)),
        }
    }

    fn param(&self, name: &str) -> Option<&str> {
        let text = self.params.get(name)?.as_str()?;
        (!text.is_empty()).then_some(text)
    }
}

fn unsendable(error: serde_json::Error) -> A2AError {
    A2AError::invalid_request(error.to_string())
}

fn with_body(verb: &str, url: &Url, body: Vec<u8>) -> Request {
    let mut request = Request::new(verb, url.as_str(), body.into());
    request
        .headers
        .push(header("content-type", "application/json"));
    request
}

/// What is not in the path.
fn query(params: &Value) -> Vec<(String, String)> {
    let none = Map::new();
    let fields = params.as_object().unwrap_or(&none).iter();
    let fields = fields.filter(|(name, _)| !["id", "tenant"].contains(&name.as_str()));
    let pair = |(name, value): (&String, &Value)| match value {
        Value::String(text) => Some((name.clone(), text.clone())),
        Value::Number(_) | Value::Bool(_) => Some((name.clone(), value.to_string())),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    };
    fields.filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn http(method: &'static str, params: Value, endpoint: &str) -> (String, String, Value) {
        let operation = Operation { method, params };
        let endpoint = Url::parse(endpoint).unwrap();
        let request = operation.request(Binding::HttpJson, &endpoint).unwrap();
        let body = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
        (request.method, request.url, body)
    }

    #[test]
    fn each_operation_has_its_path() {
        let base = "https://a.example/x/";
        for (method, params, verb, url) in [
            (
                methods::SEND_MESSAGE,
                json!({}),
                "POST",
                "https://a.example/x/message:send",
            ),
            (
                methods::SEND_STREAMING_MESSAGE,
                json!({}),
                "POST",
                "https://a.example/x/message:stream",
            ),
            (
                methods::GET_TASK,
                json!({"id": "a/b?c", "historyLength": 0, "tenant": null}),
                "GET",
                "https://a.example/x/tasks/a%2Fb%3Fc?historyLength=0",
            ),
            (
                methods::LIST_TASKS,
                json!({"contextId": "a b", "includeArtifacts": false, "tenant": "t"}),
                "GET",
                "https://a.example/x/t/tasks?contextId=a+b&includeArtifacts=false",
            ),
            (
                methods::CANCEL_TASK,
                json!({"id": "1"}),
                "POST",
                "https://a.example/x/tasks/1:cancel",
            ),
            (
                methods::SUBSCRIBE_TO_TASK,
                json!({"id": "1"}),
                "GET",
                "https://a.example/x/tasks/1:subscribe",
            ),
        ] {
            let expected = if verb == "POST" {
                params.clone()
            } else {
                Value::Null
            };
            assert_eq!(
                http(method, params, base),
                (verb.to_owned(), url.to_owned(), expected)
            );
        }
        let root = http(methods::SEND_MESSAGE, json!({}), "https://a.example");
        assert_eq!(root.1, "https://a.example/message:send");
    }
}
