//! What requests look like: the parts of the protocol's schema that clients send (A2A 4, `a2a.proto`).

/// A message of the protocol.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) fields: &'static [Field],
}

/// A field of a message, by its JSON name.
#[derive(Debug)]
pub(crate) struct Field {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) presence: Presence,
}

/// Whether a field must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    /// Its default says something else than its absence does.
    Optional,
    /// Its default is the same as its absence: a number or a truth value without presence (proto3).
    Implicit,
    /// It must, and it must not be empty (A2A 5.7).
    Required,
    /// Exactly one of the message's choices must be there; it may be empty.
    Choice,
}

/// What a field holds.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Text,
    Bool,
    /// 32 bits, signed.
    Int,
    /// Base64.
    Bytes,
    /// RFC 3339.
    Timestamp,
    /// Any JSON value, left alone.
    Value,
    /// Any JSON object, left alone.
    Struct,
    /// The names, in the order of their numbers; 0 is "unspecified" and counts as unset.
    Enum(&'static [&'static str]),
    Message(&'static Shape),
    List(&'static Kind),
}

impl Shape {
    /// The field that a member of a JSON object means: by its JSON name or by its proto name.
    pub(super) fn field(&self, name: &str) -> Option<&'static Field> {
        let name = current_name(name);
        self.fields
            .iter()
            .find(|field| field.name == name || is_snake_case_of(name, field.name))
    }

    /// The names of the choices.
    pub(super) fn choices(&self) -> impl Iterator<Item = &'static str> {
        let choices = self.fields.iter();
        choices
            .filter(|field| field.presence == Presence::Choice)
            .map(|field| field.name)
    }
}

/// The name that a field has now, for one that drafts of the protocol called otherwise.
pub(crate) fn current_name(name: &str) -> &str {
    match name {
        "lastUpdatedAfter" | "last_updated_after" => "statusTimestampAfter",
        _ => name,
    }
}

/// Whether `snake` is how the proto spells `camel`.
fn is_snake_case_of(snake: &str, camel: &str) -> bool {
    let spelled = camel.chars().flat_map(|c| {
        let hyphen = c.is_ascii_uppercase().then_some('_');
        hyphen.into_iter().chain([c.to_ascii_lowercase()])
    });
    snake.chars().eq(spelled)
}

pub(crate) const fn field(name: &'static str, kind: Kind) -> Field {
    Field {
        name,
        kind,
        presence: Presence::Optional,
    }
}

const fn implicit(name: &'static str, kind: Kind) -> Field {
    Field {
        name,
        kind,
        presence: Presence::Implicit,
    }
}

pub(crate) const fn required(name: &'static str, kind: Kind) -> Field {
    Field {
        name,
        kind,
        presence: Presence::Required,
    }
}

pub(crate) const fn choice(name: &'static str, kind: Kind) -> Field {
    Field {
        name,
        kind,
        presence: Presence::Choice,
    }
}

pub(crate) const TEXTS: Kind = Kind::List(&Kind::Text);

const ROLE: Kind = Kind::Enum(&["ROLE_UNSPECIFIED", "ROLE_USER", "ROLE_AGENT"]);

const TASK_STATE: Kind = Kind::Enum(&[
    "TASK_STATE_UNSPECIFIED",
    "TASK_STATE_SUBMITTED",
    "TASK_STATE_WORKING",
    "TASK_STATE_COMPLETED",
    "TASK_STATE_FAILED",
    "TASK_STATE_CANCELED",
    "TASK_STATE_INPUT_REQUIRED",
    "TASK_STATE_REJECTED",
    "TASK_STATE_AUTH_REQUIRED",
]);

static PART: Shape = Shape {
    fields: &[
        choice("text", Kind::Text),
        choice("raw", Kind::Bytes),
        choice("url", Kind::Text),
        choice("data", Kind::Value),
        field("metadata", Kind::Struct),
        field("filename", Kind::Text),
        field("mediaType", Kind::Text),
    ],
};

static MESSAGE: Shape = Shape {
    fields: &[
        required("messageId", Kind::Text),
        field("contextId", Kind::Text),
        field("taskId", Kind::Text),
        required("role", ROLE),
        required("parts", Kind::List(&Kind::Message(&PART))),
        field("metadata", Kind::Struct),
        field("extensions", TEXTS),
        field("referenceTaskIds", TEXTS),
    ],
};

static AUTHENTICATION: Shape = Shape {
    fields: &[
        required("scheme", Kind::Text),
        field("credentials", Kind::Text),
    ],
};

/// A configuration within a send: the task is the one that the message makes or continues.
static INLINE_PUSH_CONFIG: Shape = Shape {
    fields: &[
        field("id", Kind::Text),
        required("url", Kind::Text),
        field("token", Kind::Text),
        field("authentication", Kind::Message(&AUTHENTICATION)),
    ],
};

static SEND_CONFIGURATION: Shape = Shape {
    fields: &[
        field("acceptedOutputModes", TEXTS),
        field(
            "taskPushNotificationConfig",
            Kind::Message(&INLINE_PUSH_CONFIG),
        ),
        field("historyLength", Kind::Int),
        implicit("returnImmediately", Kind::Bool),
    ],
};

/// The requests of the protocol's operations (A2A 9.4).
pub(crate) mod requests {
    use super::{
        AUTHENTICATION, Kind, MESSAGE, SEND_CONFIGURATION, Shape, TASK_STATE, field, implicit,
        required,
    };

    pub(crate) static SEND_MESSAGE: Shape = Shape {
        fields: &[
            field("tenant", Kind::Text),
            required("message", Kind::Message(&MESSAGE)),
            field("configuration", Kind::Message(&SEND_CONFIGURATION)),
            field("metadata", Kind::Struct),
        ],
    };

    pub(crate) static GET_TASK: Shape = Shape {
        fields: &[
            field("tenant", Kind::Text),
            required("id", Kind::Text),
            field("historyLength", Kind::Int),
        ],
    };

    pub(crate) static LIST_TASKS: Shape = Shape {
        fields: &[
            field("tenant", Kind::Text),
            field("contextId", Kind::Text),
            field("status", TASK_STATE),
            field("pageSize", Kind::Int),
            field("pageToken", Kind::Text),
            field("historyLength", Kind::Int),
            field("statusTimestampAfter", Kind::Timestamp),
            field("includeArtifacts", Kind::Bool),
        ],
    };

    pub(crate) static CANCEL_TASK: Shape = Shape {
        fields: &[
            field("tenant", Kind::Text),
            required("id", Kind::Text),
            field("metadata", Kind::Struct),
        ],
    };

    pub(crate) static SUBSCRIBE_TO_TASK: Shape = Shape {
        fields: &[field("tenant", Kind::Text), required("id", Kind::Text)],
    };

    pub(crate) static CREATE_PUSH_CONFIG: Shape = Shape {
        fields: &[
            field("tenant", Kind::Text),
            field("id", Kind::Text),
            required("taskId", Kind::Text),
            required("url", Kind::Text),
            field("token", Kind::Text),
            field("authentication", Kind::Message(&AUTHENTICATION)),
        ],
    };

    /// Of getting one and of deleting one.
    pub(crate) static ONE_PUSH_CONFIG: Shape = Shape {
        fields: &[
            field("tenant", Kind::Text),
            required("taskId", Kind::Text),
            required("id", Kind::Text),
        ],
    };

    pub(crate) static LIST_PUSH_CONFIGS: Shape = Shape {
        fields: &[
            field("tenant", Kind::Text),
            required("taskId", Kind::Text),
            implicit("pageSize", Kind::Int),
            field("pageToken", Kind::Text),
        ],
    };

    pub(crate) static GET_EXTENDED_CARD: Shape = Shape {
        fields: &[field("tenant", Kind::Text)],
    };
}
