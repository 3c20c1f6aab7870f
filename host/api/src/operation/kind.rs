//! The protocol's operations (A2A 5.3), by whatever binding they are asked for.

use a2a::jsonrpc::methods;

/// One operation of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
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

/// The largest request that brings no message.
pub(crate) const MAX_SMALL_BODY_BYTES: usize = 1 << 20;

/// What a client must be allowed to do for an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Permission {
    /// Look.
    Read,
    /// Give work and change it.
    Write,
}

impl Operation {
    /// All of them.
    pub(crate) const ALL: [Self; 11] = [
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

    /// The operation with this name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|operation| operation.name() == name)
    }

    /// Its name: the method of JSON-RPC and the rpc of gRPC.
    pub(crate) fn name(self) -> &'static str {
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
    pub(crate) fn is_about_a_task(self) -> bool {
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

    /// Whether it is answered with a stream.
    pub(crate) fn is_streaming(self) -> bool {
        matches!(self, Self::SendStreamingMessage | Self::SubscribeToTask)
    }

    /// Whether it is about notifications.
    pub(crate) fn is_about_push(self) -> bool {
        matches!(
            self,
            Self::CreatePushConfig
                | Self::GetPushConfig
                | Self::ListPushConfigs
                | Self::DeletePushConfig
        )
    }

    /// The largest request, where the largest send has `most` bytes: everything else says little.
    pub(crate) fn max_body_bytes(self, most: usize) -> usize {
        match self {
            Self::SendMessage | Self::SendStreamingMessage => most,
            _ => most.min(MAX_SMALL_BODY_BYTES),
        }
    }

    /// What a client must be allowed to do. Registering a webhook gives nothing away that reading does
    /// not, but makes the host post: it counts as a change.
    pub(crate) fn permission(self) -> Permission {
        match self {
            Self::SendMessage
            | Self::SendStreamingMessage
            | Self::CancelTask
            | Self::CreatePushConfig
            | Self::DeletePushConfig => Permission::Write,
            Self::GetTask
            | Self::ListTasks
            | Self::SubscribeToTask
            | Self::GetPushConfig
            | Self::ListPushConfigs
            | Self::GetExtendedAgentCard => Permission::Read,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_found_by_its_name() {
        for operation in Operation::ALL {
            assert_eq!(Operation::parse(operation.name()), Some(operation));
        }
        assert_eq!(Operation::parse("message/send"), None);
    }
}
