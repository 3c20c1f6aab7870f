//! What a host says of itself to machines.

use super::{Host, eventually, http};

impl Host {
    /// A page of the clients' door: status and text.
    pub(crate) async fn look(&self, path: &str) -> (u16, String) {
        http::look(&format!("{}{path}", self.url())).await
    }

    /// A page of the operators' door: status and text.
    pub(crate) async fn look_as_operator(&self, path: &str) -> (u16, String) {
        http::look(&format!("{}{path}", self.admin_url())).await
    }

    /// Waits until `/readyz` has this status; gives its text.
    pub(crate) async fn readyz_becomes(&self, expected: u16) -> String {
        eventually("the host to say how it is", async || {
            let (status, text) = self.look("/readyz").await;
            (status == expected).then_some(text)
        })
        .await
    }

    /// All figures of the host.
    pub(crate) async fn figures(&self) -> String {
        self.look_as_operator("/metrics").await.1
    }
}
