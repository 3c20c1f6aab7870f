//! The four operations on notification configurations (A2A 3.1.7 to 3.1.10).

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use taskyard_task::{AgentName, Input, PushConfig, TaskId, TaskState, Tenant, WireVersion};

use crate::broker::Broker;
use crate::error::Error;
use crate::operations::Caller;

/// The longest id, token and credentials that a configuration may have, in bytes.
const MAX_FIELD_BYTES: usize = 4_096;

/// A webhook to register.
#[derive(Clone, Default)]
pub struct PushRequest {
    /// Its id; made by the host if absent. Registering an id again replaces its configuration.
    pub id: Option<String>,
    /// Where to post.
    pub url: String,
    /// Sent back with each notification.
    pub token: Option<String>,
    /// The scheme of the `Authorization` header.
    pub scheme: Option<String>,
    /// What follows the scheme.
    pub credentials: Option<String>,
    /// The states that notify; everything that clients can see if absent.
    pub on: Option<Vec<TaskState>>,
    /// The version of the protocol to write the notifications in.
    pub version: WireVersion,
}

impl std::fmt::Debug for PushRequest {
    /// Leaves the secrets out.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PushRequest")
            .field("id", &self.id)
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

/// Port: decides whether the host may post to a URL. Implemented where the posting is done.
pub trait WebhookPolicy: Send + Sync {
    /// Whether it may, for a tenant.
    fn check<'a>(&'a self, tenant: &'a Tenant, url: &'a str)
    -> BoxFuture<'a, Result<(), NotTaken>>;
}

/// Why a webhook is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotTaken {
    /// The client's to mend: what is wrong with the URL.
    Refused(String),
    /// It could not be looked at, as the tenant has too much looked at already.
    Busy(String),
}

/// When it may be worth trying again after [`NotTaken::Busy`].
const RETRY_AFTER: Duration = Duration::from_secs(5);

impl From<NotTaken> for Error {
    fn from(not_taken: NotTaken) -> Self {
        match not_taken {
            NotTaken::Refused(why) => Self::WebhookRefused(why),
            NotTaken::Busy(what) => Self::QueueFull {
                what,
                retry_after: RETRY_AFTER,
            },
        }
    }
}

impl Broker {
    /// Says who decides about webhooks. Without, none can be registered. Only the first call counts.
    pub fn set_webhook_policy(&self, policy: Arc<dyn WebhookPolicy>) {
        // A second policy would be a mistake of the composition; the first, stricter or not, stays.
        let _ = self.shared.webhooks.set(policy);
    }

    /// Registers a webhook.
    ///
    /// # Errors
    /// [`Error::WebhookRefused`], [`Error::TaskNotFound`], [`Error::Refused`] if there are too many,
    /// [`Error::QueueFull`] if too many are being looked at.
    pub async fn put_push_config(
        &self,
        caller: &Caller,
        agent: &AgentName,
        task: TaskId,
        request: PushRequest,
    ) -> Result<PushConfig, Error> {
        self.visible(caller, agent, task)?;
        self.check_disk_for(&caller.tenant)?;
        self.check_webhook(&caller.tenant, &request).await?;
        let config = self.push_config_of(request);
        let input = Input::PutPushConfig(config.clone());
        self.change_for_caller(task, input, |header| caller.may_see(agent, header))
            .await?;
        Ok(config)
    }

    /// One webhook.
    ///
    /// # Errors
    /// [`Error::TaskNotFound`], also for a configuration that does not exist (A2A 3.1.8).
    pub async fn push_config(
        &self,
        caller: &Caller,
        agent: &AgentName,
        task: TaskId,
        id: &str,
    ) -> Result<PushConfig, Error> {
        let header = self.visible(caller, agent, task)?;
        if !header.push.iter().any(|known| known == id) {
            return Err(Error::TaskNotFound);
        }
        self.shared
            .storage
            .push_config(task, id)?
            .ok_or(Error::TaskNotFound)
    }

    /// All webhooks of a task.
    ///
    /// # Errors
    /// [`Error::TaskNotFound`].
    pub async fn push_configs(
        &self,
        caller: &Caller,
        agent: &AgentName,
        task: TaskId,
    ) -> Result<Vec<PushConfig>, Error> {
        let header = self.visible(caller, agent, task)?;
        let configs = header.push.iter();
        let configs = configs.map(|id| self.shared.storage.push_config(task, id));
        Ok(configs
            .collect::<Result<Vec<_>, _>>()?
            .into_iter()
            .flatten()
            .collect())
    }

    /// Removes a webhook, and what was due to it. Removing one that does not exist is fine (A2A 3.1.10).
    ///
    /// # Errors
    /// [`Error::TaskNotFound`].
    pub async fn delete_push_config(
        &self,
        caller: &Caller,
        agent: &AgentName,
        task: TaskId,
        id: &str,
    ) -> Result<(), Error> {
        let header = self.visible(caller, agent, task)?;
        if !header.push.iter().any(|known| known == id) {
            return Ok(());
        }
        let input = Input::DeletePushConfig(id.to_owned());
        self.change_for_caller(task, input, |header| caller.may_see(agent, header))
            .await?;
        Ok(())
    }

    pub(crate) async fn check_webhook(
        &self,
        tenant: &Tenant,
        request: &PushRequest,
    ) -> Result<(), Error> {
        for (field, value) in [
            ("id", request.id.as_ref()),
            ("url", Some(&request.url)),
            ("token", request.token.as_ref()),
            ("authentication.scheme", request.scheme.as_ref()),
            ("authentication.credentials", request.credentials.as_ref()),
        ] {
            check_field(field, value)?;
        }
        match self.shared.webhooks.get() {
            Some(policy) => Ok(policy.check(tenant, &request.url).await?),
            None => Err(Error::WebhookRefused(
                "this host posts to no webhooks".to_owned(),
            )),
        }
    }

    pub(crate) fn push_config_of(&self, request: PushRequest) -> PushConfig {
        let sources = &self.shared.sources;
        let id = request.id.filter(|id| !id.is_empty());
        PushConfig {
            id: id.unwrap_or_else(|| sources.ids.unique()),
            url: request.url,
            token: request.token,
            scheme: request.scheme,
            credentials: request.credentials,
            created_at: sources.clock.now(),
            on: request.on,
            version: request.version,
        }
    }
}

/// These become parts of keys or of HTTP headers: no control characters.
fn check_field(field: &'static str, value: Option<&String>) -> Result<(), Error> {
    let Some(value) = value else { return Ok(()) };
    if value.len() > MAX_FIELD_BYTES || value.chars().any(char::is_control) {
        return Err(Error::Invalid {
            field,
            problem: format!("must have at most {MAX_FIELD_BYTES} bytes and no control characters"),
        });
    }
    Ok(())
}
