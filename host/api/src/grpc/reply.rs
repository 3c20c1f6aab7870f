//! Answers as the protocol's messages.

use a2a_pb::{pbconv, proto};
use axum::response::Response;

use super::frame;
use crate::error::ApiError;
use crate::operation::{ConfigPage, Plain};

/// The answer that is one message.
pub(super) fn respond(plain: &Plain) -> Result<Response, ApiError> {
    match plain {
        Plain::Sent(sent) => frame::respond(&pbconv::to_proto_send_message_response(sent)),
        Plain::Task(task) => frame::respond(&pbconv::to_proto_task(task)),
        Plain::Tasks(page) => frame::respond(&pbconv::to_proto_list_tasks_response(page)),
        Plain::Config(config) => {
            frame::respond(&pbconv::to_proto_task_push_notification_config(config))
        }
        Plain::Configs(page) => frame::respond(&configs(page)),
        Plain::Card(card) => frame::respond(&pbconv::to_proto_agent_card(card)),
        Plain::Deleted {} => frame::respond(&()),
    }
}

fn configs(page: &ConfigPage) -> proto::ListTaskPushNotificationConfigsResponse {
    let configs = page.configs.iter();
    proto::ListTaskPushNotificationConfigsResponse {
        configs: configs
            .map(pbconv::to_proto_task_push_notification_config)
            .collect(),
        next_page_token: page.next_page_token.clone(),
    }
}
