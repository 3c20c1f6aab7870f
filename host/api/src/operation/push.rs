//! The four operations on notification configurations (A2A 3.1.7 to 3.1.10).

use a2a::{
    DeleteTaskPushNotificationConfigRequest, GetTaskPushNotificationConfigRequest,
    ListTaskPushNotificationConfigsRequest, TaskPushNotificationConfig,
};
use serde_json::Value;
use taskyard_task::wire::push_config_to_a2a;
use taskyard_task::{PushConfig, TaskId};

use super::{Answer, ConfigPage, Plain, field, request, send};
use crate::call::Call;
use crate::error::ApiError;
use crate::lenient::requests::{CREATE_PUSH_CONFIG, LIST_PUSH_CONFIGS, ONE_PUSH_CONFIG};

/// Registers a webhook, or replaces the one with the same id.
pub(crate) async fn create(call: Call, params: Option<Value>) -> Result<Answer, ApiError> {
    let request: TaskPushNotificationConfig = request(&CREATE_PUSH_CONFIG, params)?;
    let task = field::task_id(&request.task_id)?;
    let push = send::push_request(request, call.parameters.version);
    let broker = call.broker();
    let config = broker
        .put_push_config(&call.caller, &call.agent.name, task, push)
        .await?;
    Ok(Plain::Config(Box::new(push_config_to_a2a(task, &config))).into())
}

/// One webhook.
pub(crate) async fn get(call: Call, params: Option<Value>) -> Result<Answer, ApiError> {
    let request: GetTaskPushNotificationConfigRequest = request(&ONE_PUSH_CONFIG, params)?;
    let task = field::task_id(&request.task_id)?;
    let broker = call.broker();
    let config = broker
        .push_config(&call.caller, &call.agent.name, task, &request.id)
        .await?;
    let config = read_back(&call, push_config_to_a2a(task, &config));
    Ok(Plain::Config(Box::new(config)).into())
}

/// The webhooks of a task, in the order of their ids.
pub(crate) async fn list(call: Call, params: Option<Value>) -> Result<Answer, ApiError> {
    let request: ListTaskPushNotificationConfigsRequest = request(&LIST_PUSH_CONFIGS, params)?;
    let task = field::task_id(&request.task_id)?;
    let page_size = field::capped_page_size(request.page_size)?;
    let broker = call.broker();
    let configs = broker
        .push_configs(&call.caller, &call.agent.name, task)
        .await?;
    let after = request.page_token.unwrap_or_default();
    let most = usize::try_from(page_size).unwrap_or_default();
    let mut page = page(task, configs, &after, most);
    page.configs = page
        .configs
        .into_iter()
        .map(|config| read_back(&call, config))
        .collect();
    Ok(Plain::Configs(page).into())
}

/// A configuration for whoever reads it, who need not be the one that registered it: without its secrets
/// if the operator wants that, and for those who may only look.
fn read_back(call: &Call, config: TaskPushNotificationConfig) -> TaskPushNotificationConfig {
    match call.door.config.redact_push_credentials || !call.may_write {
        true => without_secrets(config),
        false => config,
    }
}

/// The scheme stays: it tells that there are credentials.
fn without_secrets(mut config: TaskPushNotificationConfig) -> TaskPushNotificationConfig {
    config.token = None;
    if let Some(authentication) = &mut config.authentication {
        authentication.credentials = None;
    }
    config
}

/// Removes a webhook; one that does not exist is as good as removed.
pub(crate) async fn delete(call: Call, params: Option<Value>) -> Result<Answer, ApiError> {
    let request: DeleteTaskPushNotificationConfigRequest = request(&ONE_PUSH_CONFIG, params)?;
    let task = field::task_id(&request.task_id)?;
    let broker = call.broker();
    broker
        .delete_push_config(&call.caller, &call.agent.name, task, &request.id)
        .await?;
    Ok(Plain::Deleted {}.into())
}

/// At most `most` configurations behind the one with the id `after`, which need not exist any more.
fn page(task: TaskId, mut configs: Vec<PushConfig>, after: &str, most: usize) -> ConfigPage {
    configs.retain(|config| config.id.as_str() > after);
    configs.sort_by(|a, b| a.id.cmp(&b.id));
    let more = configs.len() > most;
    configs.truncate(most);
    let last = configs.last().filter(|_| more);
    ConfigPage {
        next_page_token: last.map(|config| config.id.clone()).unwrap_or_default(),
        configs: configs
            .iter()
            .map(|config| push_config_to_a2a(task, config))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use taskyard_task::Timestamp;

    use super::*;

    fn check_page(after: &str, most: usize, ids: &[&str], next: &str) {
        let config = |id: &str| PushConfig {
            id: id.to_owned(),
            url: "https://example.com".to_owned(),
            token: None,
            scheme: None,
            credentials: None,
            created_at: Timestamp(0),
            on: None,
            version: taskyard_task::WireVersion::V1,
        };
        let task = TaskId::from_bytes([7; 16]);
        let page = page(
            task,
            vec![config("b"), config("c"), config("a")],
            after,
            most,
        );
        let found: Vec<_> = page
            .configs
            .iter()
            .filter_map(|c| c.id.as_deref())
            .collect();
        assert_eq!(
            (found.as_slice(), page.next_page_token.as_str()),
            (ids, next)
        );
    }

    #[test]
    fn pages_follow_each_other() {
        check_page("", 50, &["a", "b", "c"], "");
        check_page("", 2, &["a", "b"], "b");
        check_page("b", 2, &["c"], "");
        check_page("", 3, &["a", "b", "c"], "");
        check_page("zz", 2, &[], "");
    }
}
