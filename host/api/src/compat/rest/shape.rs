//! What requests looked like in 0.3's HTTP+JSON: messages of its gRPC definition, as JSON.

pub(super) use super::super::shape::WEBHOOK;
use crate::lenient::{Kind, Shape, TEXTS, choice, field, required};

const ROLE: Kind = Kind::Enum(&["ROLE_UNSPECIFIED", "ROLE_USER"]);

pub(super) static FILE: Shape = Shape {
    fields: &[
        choice("fileWithUri", Kind::Text),
        choice("fileWithBytes", Kind::Bytes),
        field("mimeType", Kind::Text),
        field("name", Kind::Text),
    ],
};

static DATA: Shape = Shape {
    fields: &[required("data", Kind::Struct)],
};

static PART: Shape = Shape {
    fields: &[
        choice("text", Kind::Text),
        choice("file", Kind::Message(&FILE)),
        choice("data", Kind::Message(&DATA)),
        field("metadata", Kind::Struct),
    ],
};

static MESSAGE: Shape = Shape {
    fields: &[
        required("messageId", Kind::Text),
        required("role", ROLE),
        required("content", Kind::List(&Kind::Message(&PART))),
        field("contextId", Kind::Text),
        field("taskId", Kind::Text),
        field("metadata", Kind::Struct),
        field("extensions", TEXTS),
    ],
};

static CONFIGURATION: Shape = Shape {
    fields: &[
        field("acceptedOutputModes", TEXTS),
        field("pushNotification", Kind::Message(&WEBHOOK)),
        field("historyLength", Kind::Int),
        field("blocking", Kind::Bool),
    ],
};

pub(super) static SEND: Shape = Shape {
    fields: &[
        required("message", Kind::Message(&MESSAGE)),
        field("configuration", Kind::Message(&CONFIGURATION)),
        field("metadata", Kind::Struct),
    ],
};

pub(super) static CONFIG: Shape = Shape {
    fields: &[required("pushNotificationConfig", Kind::Message(&WEBHOOK))],
};

pub(super) static SET_PUSH_CONFIG: Shape = Shape {
    fields: &[required("config", Kind::Message(&CONFIG))],
};
