//! What requests looked like in 0.3's JSON-RPC.

use crate::lenient::{Kind, Shape, TEXTS, choice, field, required};

/// Clients are users: what an agent says is no request.
const ROLE: Kind = Kind::Enum(&["", "user"]);

/// By the names of JSON-RPC, and by those that 0.3's gRPC definition and 1.0 have for the same.
static FILE: Shape = Shape {
    fields: &[
        choice("bytes", Kind::Bytes),
        choice("uri", Kind::Text),
        choice("fileWithBytes", Kind::Bytes),
        choice("fileWithUri", Kind::Text),
        field("mimeType", Kind::Text),
        field("mediaType", Kind::Text),
        field("name", Kind::Text),
        field("filename", Kind::Text),
    ],
};

/// Which kind a part is follows from the member that it has, so `kind` is not read.
static PART: Shape = Shape {
    fields: &[
        choice("text", Kind::Text),
        choice("file", Kind::Message(&FILE)),
        choice("data", Kind::Value),
        field("metadata", Kind::Struct),
    ],
};

static MESSAGE: Shape = Shape {
    fields: &[
        required("messageId", Kind::Text),
        required("role", ROLE),
        required("parts", Kind::List(&Kind::Message(&PART))),
        field("contextId", Kind::Text),
        field("taskId", Kind::Text),
        field("metadata", Kind::Struct),
        field("extensions", TEXTS),
        field("referenceTaskIds", TEXTS),
    ],
};

static AUTHENTICATION: Shape = Shape {
    fields: &[field("schemes", TEXTS), field("credentials", Kind::Text)],
};

/// A webhook without its task.
pub(super) static WEBHOOK: Shape = Shape {
    fields: &[
        field("id", Kind::Text),
        required("url", Kind::Text),
        field("token", Kind::Text),
        field("authentication", Kind::Message(&AUTHENTICATION)),
    ],
};

static CONFIGURATION: Shape = Shape {
    fields: &[
        field("acceptedOutputModes", TEXTS),
        field("blocking", Kind::Bool),
        field("historyLength", Kind::Int),
        field("pushNotificationConfig", Kind::Message(&WEBHOOK)),
    ],
};

pub(super) static SEND: Shape = Shape {
    fields: &[
        required("message", Kind::Message(&MESSAGE)),
        field("configuration", Kind::Message(&CONFIGURATION)),
        field("metadata", Kind::Struct),
    ],
};

pub(super) static GET_TASK: Shape = Shape {
    fields: &[
        required("id", Kind::Text),
        field("historyLength", Kind::Int),
    ],
};

/// Of canceling a task and of following one.
pub(super) static ONE_TASK: Shape = Shape {
    fields: &[required("id", Kind::Text), field("metadata", Kind::Struct)],
};

pub(super) static SET_PUSH_CONFIG: Shape = Shape {
    fields: &[
        required("taskId", Kind::Text),
        required("pushNotificationConfig", Kind::Message(&WEBHOOK)),
    ],
};

pub(super) static GET_PUSH_CONFIG: Shape = Shape {
    fields: &[
        required("id", Kind::Text),
        field("pushNotificationConfigId", Kind::Text),
    ],
};

pub(super) static LIST_PUSH_CONFIGS: Shape = Shape {
    fields: &[required("id", Kind::Text)],
};

pub(super) static DELETE_PUSH_CONFIG: Shape = Shape {
    fields: &[
        required("id", Kind::Text),
        required("pushNotificationConfigId", Kind::Text),
    ],
};

pub(super) static GET_CARD: Shape = Shape { fields: &[] };
