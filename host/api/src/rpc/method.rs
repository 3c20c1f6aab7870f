//! The protocol's methods (A2A 9.4).

use a2a::jsonrpc::methods;

/// A method of the JSON-RPC binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    SendMessage,
    SendStreamingMessage,
    GetTask,
    ListTasks,
    CancelTask,
    SubscribeToTask,
    CreatePushConfig,
    GetPushConfig,
    ListPushConfigs,
    DeletePushConfig,
    GetExtendedAgentCard,
}

impl Method {
    const ALL: [Self; 11] = [
        Self::SendMessage,
        Self::SendStreamingMessage,
        Self::GetTask,
        Self::ListTasks,
        Self::CancelTask,
        Self::SubscribeToTask,
        Self::CreatePushConfig,
        Self::GetPushConfig,
        Self::ListPushConfigs,
        Self::DeletePushConfig,
        Self::GetExtendedAgentCard,
    ];

    /// The method with this name.
    pub(super) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.name() == name)
    }

    /// Its name on the wire.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::SendMessage => methods::SEND_MESSAGE,
            Self::SendStreamingMessage => methods::SEND_STREAMING_MESSAGE,
            Self::GetTask => methods::GET_TASK,
            Self::ListTasks => methods::LIST_TASKS,
            Self::CancelTask => methods::CANCEL_TASK,
            Self::SubscribeToTask => methods::SUBSCRIBE_TO_TASK,
            Self::CreatePushConfig => methods::CREATE_PUSH_CONFIG,
            Self::GetPushConfig => methods::GET_PUSH_CONFIG,
            Self::ListPushConfigs => methods::LIST_PUSH_CONFIGS,
            Self::DeletePushConfig => methods::DELETE_PUSH_CONFIG,
            Self::GetExtendedAgentCard => methods::GET_EXTENDED_AGENT_CARD,
        }
    }

    /// Whether a request names one existing task, so that it can be answered with "task not found".
    pub(super) fn is_about_a_task(self) -> bool {
        match self {
            Self::GetTask
            | Self::CancelTask
            | Self::SubscribeToTask
            | Self::CreatePushConfig
            | Self::GetPushConfig
            | Self::ListPushConfigs
            | Self::DeletePushConfig => true,
            Self::SendMessage
            | Self::SendStreamingMessage
            | Self::ListTasks
            | Self::GetExtendedAgentCard => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_has_the_name_of_its_operation() {
        for method in Method::ALL {
            assert!(methods::is_valid(method.name()));
            assert_eq!(Method::parse(method.name()), Some(method));
        }
        for unknown in ["", "sendMessage", "message/send", "tasks/get"] {
            assert_eq!(Method::parse(unknown), None, "{unknown}");
        }
    }
}
