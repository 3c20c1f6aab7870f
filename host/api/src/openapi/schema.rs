//! JSON schemas of the protocol's messages, by the rules of ProtoJSON (A2A 5.5 to 5.7).
//!
//! A message that is sent and answered has two schemas: in requests, members that nobody knows are
//! ignored, and answers have none.

use prost_reflect::{
    Cardinality, EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor, Value as Reflected,
};
use serde_json::{Map, Value, json};

use super::comments::Comments;
use crate::definition;

/// The number of `REQUIRED` in `google.api.FieldBehavior`.
const REQUIRED: i32 = 2;

/// Who writes a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Request,
    Answer,
}

/// The schemas that were referred to so far.
#[derive(Debug)]
pub(super) struct Schemas {
    pub(super) comments: Comments,
    named: Map<String, Value>,
}

impl Schemas {
    pub(super) fn new() -> Self {
        Self {
            comments: Comments::read(),
            named: Map::new(),
        }
    }

    /// All of them, sorted by their names.
    pub(super) fn into_components(mut self) -> Value {
        self.named.sort_keys();
        Value::Object(self.named)
    }

    /// A reference to the schema of `message`; its schema itself if nobody names it.
    pub(super) fn of_message(&mut self, message: &MessageDescriptor, side: Side) -> Value {
        match message.full_name() {
            "google.protobuf.Struct" => json!({"type": "object"}),
            // Any JSON value.
            "google.protobuf.Value" => json!({}),
            "google.protobuf.Timestamp" => json!({"type": "string", "format": "date-time"}),
            "google.protobuf.Empty" => json!({"type": "object", "additionalProperties": false}),
            _ => self.named(message, side),
        }
    }

    fn named(&mut self, message: &MessageDescriptor, side: Side) -> Value {
        let name = match side {
            Side::Request => format!("{}Input", message.name()),
            Side::Answer => message.name().to_owned(),
        };
        if !self.named.contains_key(&name) {
            // Before its fields, since a message may hold messages like itself.
            self.named.insert(name.clone(), Value::Null);
            let schema = self.object(message, side, &[]);
            self.named.insert(name.clone(), schema);
        }
        reference(&name)
    }

    /// The schema of `message` without the fields `except`, which the path has.
    pub(super) fn object(
        &mut self,
        message: &MessageDescriptor,
        side: Side,
        except: &[String],
    ) -> Value {
        let is_here = |field: &FieldDescriptor| !except.iter().any(|e| e == field.json_name());
        let fields: Vec<_> = message.fields().filter(is_here).collect();
        let mut properties = Map::new();
        for field in &fields {
            let schema = self.of_field(field, side);
            properties.insert(field.json_name().to_owned(), schema);
        }
        let mut schema = Map::new();
        schema.insert("type".to_owned(), json!("object"));
        self.describe(&mut schema, message.path());
        schema.insert("properties".to_owned(), Value::Object(properties));
        let required = fields.iter().filter(|field| is_required(field));
        let required: Vec<_> = required.map(FieldDescriptor::json_name).collect();
        if !required.is_empty() {
            schema.insert("required".to_owned(), json!(required));
        }
        if let Some(choices) = choices(message) {
            schema.insert("oneOf".to_owned(), choices);
        }
        if side == Side::Answer {
            schema.insert("additionalProperties".to_owned(), json!(false));
        }
        Value::Object(schema)
    }

    /// The schema of a field, with its description and its limits.
    pub(super) fn of_field(&mut self, field: &FieldDescriptor, side: Side) -> Value {
        let mut schema = match (field.is_map(), field.cardinality()) {
            (true, _) => self.map(field, side),
            (false, Cardinality::Repeated) => {
                json!({"type": "array", "items": self.of_kind(&field.kind(), side)})
            }
            (false, _) => self.of_kind(&field.kind(), side),
        };
        if let Value::Object(members) = &mut schema {
            members.extend(limits(field, side));
            self.describe(members, field.path());
        }
        schema
    }

    fn map(&mut self, field: &FieldDescriptor, side: Side) -> Value {
        let entry = field.kind();
        let value = entry
            .as_message()
            .map(MessageDescriptor::map_entry_value_field);
        let values = value.map_or(json!({}), |value| self.of_kind(&value.kind(), side));
        json!({"type": "object", "additionalProperties": values})
    }

    fn of_kind(&mut self, kind: &Kind, side: Side) -> Value {
        match kind {
            Kind::Bool => json!({"type": "boolean"}),
            Kind::String => json!({"type": "string"}),
            Kind::Bytes => json!({"type": "string", "contentEncoding": "base64", "format": "byte"}),
            Kind::Double | Kind::Float => json!({"type": "number"}),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => {
                json!({"type": "integer", "format": "int32"})
            }
            Kind::Uint32 | Kind::Fixed32 => json!({"type": "integer", "minimum": 0}),
            // ProtoJSON writes what a double cannot hold as a text.
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 | Kind::Uint64 | Kind::Fixed64 => {
                json!({"type": "string", "format": "int64"})
            }
            Kind::Message(message) => self.of_message(message, side),
            Kind::Enum(values) => self.of_enum(values),
        }
    }

    /// Names; the one for "unspecified" says as much as no value at all, so nobody writes it.
    fn of_enum(&mut self, values: &EnumDescriptor) -> Value {
        let name = values.name().to_owned();
        if !self.named.contains_key(&name) {
            let said = values.values().filter(|value| value.number() != 0);
            let names: Vec<_> = said.map(|value| value.name().to_owned()).collect();
            let mut schema = Map::new();
            schema.insert("type".to_owned(), json!("string"));
            self.describe(&mut schema, values.path());
            schema.insert("enum".to_owned(), json!(names));
            self.named.insert(name.clone(), Value::Object(schema));
        }
        reference(&name)
    }

    fn describe(&self, schema: &mut Map<String, Value>, path: &[i32]) {
        if let Some(text) = self.comments.at(path) {
            schema.insert("description".to_owned(), json!(text));
        }
    }
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// Exactly one of the fields of a `oneof`; an `optional` field is none, whatever the compiler makes of it.
fn choices(message: &MessageDescriptor) -> Option<Value> {
    let oneof = message.oneofs().find(|oneof| !oneof.is_synthetic())?;
    let choices = oneof
        .fields()
        .map(|field| json!({"required": [field.json_name()]}));
    Some(choices.collect())
}

/// Whether the definition says that the field is always there.
pub(super) fn is_required(field: &FieldDescriptor) -> bool {
    let behavior = definition::pool().get_extension_by_name("google.api.field_behavior");
    let Some(behavior) = behavior else {
        return false;
    };
    let options = field.options();
    let said = options.get_extension(&behavior);
    let mut said = said.as_list().unwrap_or_default().iter();
    said.any(|value| *value == Reflected::EnumNumber(REQUIRED))
}

/// What the specification demands of values in words (3.1.4, 3.2.4, 5.7).
fn limits(field: &FieldDescriptor, side: Side) -> Map<String, Value> {
    let limits = match (field.name(), side) {
        // Where it has no presence, 0 is the same as none.
        ("page_size", Side::Request) if field.supports_presence() => {
            json!({"minimum": 1, "maximum": 100})
        }
        ("page_size" | "total_size" | "history_length", _) => json!({"minimum": 0}),
        (_, Side::Request) if is_required(field) && field.is_list() => json!({"minItems": 1}),
        (_, Side::Request) if is_required(field) && field.kind() == Kind::String => {
            json!({"minLength": 1})
        }
        _ => Value::Null,
    };
    limits.as_object().cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(message: &str, side: Side) -> Value {
        let name = format!("lf.a2a.v1.{message}");
        let message = definition::pool().get_message_by_name(&name).unwrap();
        Schemas::new().object(&message, side, &[])
    }

    #[test]
    fn fields_follow_protojson() {
        let part = schema("Part", Side::Answer);
        assert_eq!(part["properties"]["raw"]["contentEncoding"], "base64");
        assert_eq!(part["properties"]["metadata"]["type"], "object");
        assert!(part["properties"]["data"].get("type").is_none());
        assert_eq!(part["oneOf"][0], json!({"required": ["text"]}));
        assert_eq!(part["oneOf"].as_array().unwrap().len(), 4);
        let status = schema("TaskStatus", Side::Answer);
        assert_eq!(status["properties"]["timestamp"]["format"], "date-time");
        assert_eq!(status["required"], json!(["state"]));
        let state = &status["properties"]["state"]["$ref"];
        assert_eq!(state, "#/components/schemas/TaskState");
        let card = schema("AgentCard", Side::Answer);
        let schemes = &card["properties"]["securitySchemes"];
        let of_schemes = &schemes["additionalProperties"]["$ref"];
        assert_eq!(of_schemes, "#/components/schemas/SecurityScheme");
    }

    #[test]
    fn requests_are_read_more_generously_than_answers_are_written() {
        let (request, answer) = (
            schema("Message", Side::Request),
            schema("Message", Side::Answer),
        );
        assert!(request.get("additionalProperties").is_none());
        assert_eq!(answer["additionalProperties"], false);
        assert_eq!(request["properties"]["parts"]["minItems"], 1);
        assert_eq!(request["properties"]["messageId"]["minLength"], 1);
        let items = &request["properties"]["parts"]["items"]["$ref"];
        assert_eq!(items, "#/components/schemas/PartInput");
    }

    #[test]
    fn numbers_have_their_limits() {
        let list = schema("ListTasksRequest", Side::Request);
        let size = &list["properties"]["pageSize"];
        assert_eq!(
            (&size["minimum"], &size["maximum"]),
            (&json!(1), &json!(100))
        );
        assert_eq!(list["properties"]["historyLength"]["minimum"], 0);
        let webhooks = schema("ListTaskPushNotificationConfigsRequest", Side::Request);
        let size = &webhooks["properties"]["pageSize"];
        assert_eq!(
            (&size["minimum"], &size["maximum"]),
            (&json!(0), &Value::Null)
        );
        let page = schema("ListTasksResponse", Side::Answer);
        assert_eq!(page["properties"]["pageSize"]["minimum"], 0);
        assert_eq!(page["required"].as_array().unwrap().len(), 4);
    }

    #[test]
    fn no_message_has_two_choices() {
        for message in definition::pool().all_messages() {
            let oneofs = message.oneofs().filter(|oneof| !oneof.is_synthetic());
            assert!(oneofs.count() <= 1, "{}", message.full_name());
        }
    }
}
