//! The methods of 0.3 and the operations that they are.

use crate::operation::Operation;

/// A method of 0.3's JSON-RPC. Tasks could not be listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Send,
    Stream,
    Get,
    Cancel,
    Resubscribe,
    SetPushConfig,
    GetPushConfig,
    ListPushConfigs,
    DeletePushConfig,
    GetExtendedCard,
}

impl Method {
    const ALL: [Self; 10] = [
        Self::Send,
        Self::Stream,
        Self::Get,
        Self::Cancel,
        Self::Resubscribe,
        Self::SetPushConfig,
        Self::GetPushConfig,
        Self::ListPushConfigs,
        Self::DeletePushConfig,
        Self::GetExtendedCard,
    ];

    /// The method with this name.
    pub(super) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.name() == name)
    }

    /// The method that `operation` was.
    pub(super) fn of(operation: Operation) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|method| method.operation() == operation)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Send => "message/send",
            Self::Stream => "message/stream",
            Self::Get => "tasks/get",
            Self::Cancel => "tasks/cancel",
            Self::Resubscribe => "tasks/resubscribe",
            Self::SetPushConfig => "tasks/pushNotificationConfig/set",
            Self::GetPushConfig => "tasks/pushNotificationConfig/get",
            Self::ListPushConfigs => "tasks/pushNotificationConfig/list",
            Self::DeletePushConfig => "tasks/pushNotificationConfig/delete",
            Self::GetExtendedCard => "agent/getAuthenticatedExtendedCard",
        }
    }

    /// The operation that it is.
    pub(super) fn operation(self) -> Operation {
        match self {
            Self::Send => Operation::SendMessage,
            Self::Stream => Operation::SendStreamingMessage,
            Self::Get => Operation::GetTask,
            Self::Cancel => Operation::CancelTask,
            Self::Resubscribe => Operation::SubscribeToTask,
            Self::SetPushConfig => Operation::CreatePushConfig,
            Self::GetPushConfig => Operation::GetPushConfig,
            Self::ListPushConfigs => Operation::ListPushConfigs,
            Self::DeletePushConfig => Operation::DeletePushConfig,
            Self::GetExtendedCard => Operation::GetExtendedAgentCard,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_is_found_by_its_name() {
        for method in Method::ALL {
            assert_eq!(Method::parse(method.name()), Some(method));
        }
        assert_eq!(Method::parse("SendMessage"), None);
        assert_eq!(Method::parse("tasks/list"), None);
    }
}
