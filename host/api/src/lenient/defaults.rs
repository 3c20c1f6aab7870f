//! A request with every default written out is the request without: for each message of the definition that
//! clients send, in each binding.

use std::iter;

use axum::body::Bytes;
use proptest::prelude::*;
use prost::Message as _;
use prost::encoding::{WireType, encode_key};
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value, json};

use super::{Shape, canonical, requests};
use crate::definition;
use crate::grpc::params;
use crate::operation::Operation;
use crate::rest::of_query;

fn shape(operation: Operation) -> &'static Shape {
    match operation {
        Operation::SendMessage | Operation::SendStreamingMessage => &requests::SEND_MESSAGE,
        Operation::GetTask => &requests::GET_TASK,
        Operation::ListTasks => &requests::LIST_TASKS,
        Operation::CancelTask => &requests::CANCEL_TASK,
        Operation::SubscribeToTask => &requests::SUBSCRIBE_TO_TASK,
        Operation::CreatePushConfig => &requests::CREATE_PUSH_CONFIG,
        Operation::GetPushConfig | Operation::DeletePushConfig => &requests::ONE_PUSH_CONFIG,
        Operation::ListPushConfigs => &requests::LIST_PUSH_CONFIGS,
        Operation::GetExtendedAgentCard => &requests::GET_EXTENDED_CARD,
    }
}

fn input(operation: Operation) -> MessageDescriptor {
    definition::input(operation).unwrap()
}

/// Choices, again and again the same ones.
struct Dice<'a>(iter::Cycle<std::slice::Iter<'a, u8>>);

impl<'a> Dice<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self(bytes.iter().cycle())
    }

    fn throw(&mut self, sides: u8) -> u8 {
        self.0.next().copied().unwrap_or_default() % sides
    }
}

/// A request that sets what `dice` say. Of what must be there, most is.
fn message(descriptor: &MessageDescriptor, dice: &mut Dice<'_>) -> Value {
    match descriptor.full_name() {
        "google.protobuf.Timestamp" => return json!("2026-01-31T12:00:00Z"),
        "google.protobuf.Struct" => return json!({"k": [1, null]}),
        "google.protobuf.Value" => return json!({"k": ""}),
        _ => {}
    }
    let choice = dice.throw(100);
    let fields = descriptor.fields().filter_map(|field| {
        let given = match one_of(&field) {
            Some(choices) => field == choices[usize::from(choice) % choices.len()],
            None => dice.throw(8) > 2,
        };
        given.then(|| (field.json_name().to_owned(), value(&field, dice)))
    });
    Value::Object(fields.collect())
}

/// The fields of which exactly one is given, if it is one of such.
fn one_of(field: &FieldDescriptor) -> Option<Vec<FieldDescriptor>> {
    let one_of = field.containing_oneof()?;
    let choices: Vec<_> = one_of.fields().collect();
    (choices.len() > 1).then_some(choices)
}

fn value(field: &FieldDescriptor, dice: &mut Dice<'_>) -> Value {
    match field.is_list() {
        true => (0..=dice.throw(2)).map(|_| one(field, dice)).collect(),
        false => one(field, dice),
    }
}

fn one(field: &FieldDescriptor, dice: &mut Dice<'_>) -> Value {
    match field.kind() {
        Kind::String => json!(format!("t{}", dice.throw(9))),
        Kind::Bytes => json!("AAH/"),
        Kind::Bool => json!(dice.throw(2) == 0),
        Kind::Int32 => json!(dice.throw(100)),
        Kind::Enum(kind) => {
            let named = kind.values().nth(1 + usize::from(dice.throw(2)));
            json!(named.unwrap().name())
        }
        Kind::Message(inner) => message(&inner, dice),
        other => panic!("{other:?} is in no request yet"),
    }
}

/// The same with the default of everything that is not given, which is `null` for what has presence.
fn written_out(descriptor: &MessageDescriptor, value: &Value, dice: &mut Dice<'_>) -> Value {
    let Value::Object(given) = value else {
        return value.clone();
    };
    if descriptor.full_name().starts_with("google.protobuf.") {
        return value.clone();
    }
    let mut all = Map::new();
    for field in descriptor.fields() {
        let written = match given.get(field.json_name()) {
            Some(given) => inner_written_out(&field, given, dice),
            None => default(&field, dice),
        };
        let name = [field.json_name(), field.name()][usize::from(dice.throw(2))];
        all.insert(name.to_owned(), written);
    }
    Value::Object(all)
}

fn inner_written_out(field: &FieldDescriptor, given: &Value, dice: &mut Dice<'_>) -> Value {
    match (field.kind(), given) {
        (Kind::Message(inner), Value::Array(items)) if field.is_list() => items
            .iter()
            .map(|item| written_out(&inner, item, dice))
            .collect(),
        (Kind::Message(inner), given) => written_out(&inner, given, dice),
        _ => given.clone(),
    }
}

fn default(field: &FieldDescriptor, dice: &mut Dice<'_>) -> Value {
    if field.supports_presence() || dice.throw(3) == 0 {
        return Value::Null;
    }
    match field.kind() {
        _ if field.is_list() => json!([]),
        Kind::String | Kind::Bytes => json!(""),
        Kind::Bool => json!(false),
        Kind::Int32 if dice.throw(2) == 0 => json!("0"),
        Kind::Int32 => json!(0),
        Kind::Enum(_) if dice.throw(2) == 0 => json!(0),
        Kind::Enum(kind) => json!(kind.default_value().name()),
        other => panic!("{other:?} has no default that can be written"),
    }
}

/// The bytes of a message, and behind them every default that a client may write and need not.
fn encoded(descriptor: &MessageDescriptor, request: &Value) -> (Bytes, Bytes) {
    let message = DynamicMessage::deserialize(descriptor.clone(), request).unwrap();
    let plain = message.encode_to_vec();
    let mut all = plain.clone();
    for field in descriptor.fields() {
        if field.supports_presence() || field.is_list() || message.has_field(&field) {
            continue;
        }
        let wire = match field.kind() {
            Kind::String | Kind::Bytes => WireType::LengthDelimited,
            _ => WireType::Varint,
        };
        encode_key(field.number(), wire, &mut all);
        // A length or a number.
        all.push(0);
    }
    (plain.into(), all.into())
}

/// The members that a query can have.
fn query(request: &Value) -> String {
    let members = request.as_object().unwrap().iter();
    let texts = members.filter_map(|(name, value)| match value {
        Value::Null => Some((name, String::new())),
        Value::String(text) => Some((name, text.clone())),
        Value::Bool(_) | Value::Number(_) => Some((name, value.to_string())),
        Value::Array(_) | Value::Object(_) => None,
    });
    url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(texts)
        .finish()
}

proptest! {
    #[test]
    fn defaults_written_out_say_nothing(bytes in prop::collection::vec(any::<u8>(), 16..200)) {
        for operation in Operation::ALL {
            let (shape, descriptor) = (shape(operation), input(operation));
            let without = message(&descriptor, &mut Dice::new(&bytes));
            let with = written_out(&descriptor, &without, &mut Dice::new(&bytes));
            // As JSON, in the params of JSON-RPC and in bodies.
            let expected = canonical(shape, Some(without.clone()));
            prop_assert_eq!(&canonical(shape, Some(with.clone())), &expected, "{}", with);

            let (plain, all) = encoded(&descriptor, &without);
            let plain = canonical(shape, Some(params(operation, plain).unwrap()));
            prop_assert_eq!(plain.is_ok(), expected.is_ok());
            let all = canonical(shape, Some(params(operation, all).unwrap()));
            prop_assert_eq!(all, plain);

            let of_query = |request| {
                let params = of_query(&descriptor, &query(request)).unwrap();
                canonical(shape, Some(Value::Object(params)))
            };
            prop_assert_eq!(of_query(&with), of_query(&without), "{}", with);
        }
    }
}

#[test]
fn requests_of_the_definition_are_made() {
    for operation in Operation::ALL {
        let bytes = [7];
        let request = message(&input(operation), &mut Dice::new(&bytes));
        let canonical = canonical(shape(operation), Some(request.clone()));
        assert!(canonical.is_ok(), "{operation:?}: {canonical:?}");
    }
}
