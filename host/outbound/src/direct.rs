//! Requests without rules and guard: those of an operator's own tools, such as the command line.

use reqwest::Client;
use taskyard_task::{HttpError, HttpHead, HttpResponse};

use crate::body::{Begun, BodyStream};
use crate::call::Call;
use crate::failure::Failure;
use crate::outbound::failed;
use crate::request::Request;

/// The largest body that is read. The user of a tool decides whom it asks, and sees what it reads; this
/// keeps a mistake from filling the memory.
const MAX_BODY_BYTES: u64 = 1 << 30;

/// The way out for an operator's own tools: to wherever the user says, with a client that the caller sets up.
/// Responses are read as those to workers' requests are.
#[derive(Debug, Clone)]
pub struct Direct(Client);

impl Direct {
    /// Sends with `client`, which must not follow redirects. There is no limit on time but those of the
    /// client and of each request.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self(client)
    }

    /// Sends a request once, and waits for the whole response.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn fetch(&self, request: Request) -> Result<HttpResponse, HttpError> {
        let begun = self.send(request).await?;
        let (head, body) = begun.whole().await.map_err(Failure::into_error)?;
        Ok(HttpResponse { head, body })
    }

    /// Sends a request once, and waits until its response begins.
    ///
    /// # Errors
    /// As those of [`Direct::fetch`], and so are those of the stream.
    pub async fn stream(&self, request: Request) -> Result<(HttpHead, BodyStream), HttpError> {
        let Begun { head, content, .. } = self.send(request).await?;
        Ok((head, BodyStream::unguarded(content)))
    }

    async fn send(&self, request: Request) -> Result<Begun, HttpError> {
        let call = Call::unruled(request, MAX_BODY_BYTES)?;
        let response = self.0.execute(call.to_request()).await;
        Begun::new(&call, response.map_err(failed)?).map_err(Failure::into_error)
    }
}
