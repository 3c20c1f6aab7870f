//! Shows the user's token to the host that it is meant for. A card names where its agent takes requests, and
//! whoever writes cards would otherwise choose who gets the token.

use std::fmt;
use std::sync::Arc;

use anyhow::Context;
use futures::future::{BoxFuture, FutureExt, ready};
use reqwest::header::HeaderValue;
use taskyard_delegate::Carrier;
use taskyard_outbound::{BodyStream, Direct, Request};
use taskyard_task::{HttpError, HttpHead, HttpHeader, HttpResponse};
use url::{Origin, Url};

/// Sends requests with the user's token to where it is meant for, and none to anywhere else. Without a token it
/// sends all of them.
#[derive(Debug, Clone)]
pub(crate) struct Credentialed {
    direct: Direct,
    token: Option<Arc<Token>>,
}

/// A bearer token and the origins that it is meant for.
pub(crate) struct Token {
    header: HttpHeader,
    origins: Vec<Origin>,
}

impl Token {
    /// `token` is meant for the hosts of these addresses.
    ///
    /// # Errors
    /// If it cannot be sent.
    pub(crate) fn new(token: &str, addresses: &[&str]) -> anyhow::Result<Self> {
        let value = HeaderValue::from_str(&format!("Bearer {token}"));
        let value = value.context("the token cannot be sent in a header")?;
        let urls = addresses.iter().filter_map(|text| Url::parse(text).ok());
        Ok(Self {
            header: HttpHeader {
                name: "authorization".to_owned(),
                value: value.as_bytes().to_vec(),
            },
            origins: urls.map(|url| url.origin()).collect(),
        })
    }

    /// # Errors
    /// If it is not meant for `url`.
    pub(crate) fn is_for(&self, url: &str) -> Result<(), HttpError> {
        // What is no URL is refused where it is sent, in better words.
        let Ok(url) = Url::parse(url) else {
            return Ok(());
        };
        match self.origins.contains(&url.origin()) {
            true => Ok(()),
            false => Err(HttpError::Denied(format!(
                "its card names {}, and the token is not sent to any host but that of --url; if it is meant \
                 for that one, use its address with --url",
                url.origin().ascii_serialization()
            ))),
        }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").finish_non_exhaustive()
    }
}

impl Credentialed {
    pub(crate) fn new(direct: Direct, token: Option<Token>) -> Self {
        Self {
            direct,
            token: token.map(Arc::new),
        }
    }

    fn with_token(&self, mut request: Request) -> Result<Request, HttpError> {
        if let Some(token) = &self.token {
            token.is_for(&request.url)?;
            request.headers.push(token.header.clone());
        }
        Ok(request)
    }
}

impl Carrier for Credentialed {
    const MAX_EVENT_BYTES: usize = <Direct as Carrier>::MAX_EVENT_BYTES;

    fn fetch(&self, request: Request) -> BoxFuture<'_, Result<HttpResponse, HttpError>> {
        match self.with_token(request) {
            Ok(request) => self.direct.fetch(request).boxed(),
            Err(refused) => ready(Err(refused)).boxed(),
        }
    }

    fn stream(&self, request: Request) -> BoxFuture<'_, Result<(HttpHead, BodyStream), HttpError>> {
        match self.with_token(request) {
            Ok(request) => self.direct.stream(request).boxed(),
            Err(refused) => ready(Err(refused)).boxed(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn sent(token: Option<Token>, url: &str) -> Result<Vec<HttpHeader>, HttpError> {
        let client = crate::http::agent_client(url, &Config::default()).unwrap();
        let carrier = Credentialed::new(Direct::new(client), token);
        let request = carrier.with_token(Request::new("POST", url, Vec::new().into()))?;
        Ok(request.headers)
    }

    #[test]
    fn a_token_goes_to_the_host_of_the_user_and_nowhere_else() {
        let token = || Token::new("s3cret", &["https://a.example/x", "https://yard.example"]);
        let token = || Some(token().unwrap());
        for url in [
            "https://a.example/rpc",
            "https://A.example:443/",
            "https://yard.example/agents/echo",
        ] {
            let headers = sent(token(), url).unwrap();
            assert_eq!(headers.len(), 1, "{url}");
            assert_eq!(headers[0].value, b"Bearer s3cret");
        }
        for url in [
            "https://b.example/rpc",
            "http://a.example/rpc",
            "https://a.example:8443/rpc",
            "https://a.example.b.example/rpc",
            "https://a.example@b.example/rpc",
        ] {
            let refused = sent(token(), url).unwrap_err().to_string();
            assert!(refused.contains("use its address with --url"), "{refused}");
            assert!(!refused.contains("s3cret"), "{refused}");
            assert_eq!(sent(None, url), Ok(Vec::new()));
        }
    }

    #[test]
    fn a_token_that_cannot_be_sent_is_refused_and_none_is_printed() {
        assert!(Token::new("a\nb", &[]).is_err());
        let token = Token::new("s3cret", &["https://a.example"]).unwrap();
        assert!(!format!("{token:?}").contains("s3cret"));
    }
}
