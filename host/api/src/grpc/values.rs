//! How many values a message has, counted before any of them is made: an empty one takes two bytes.

use prost::bytes::Buf as _;
use prost::encoding::{WireType, decode_key, decode_varint};
use prost_reflect::{Kind, MessageDescriptor};

/// Messages within each other; the decoder reads no more either.
const MAX_DEPTH: usize = 100;

/// The fields that `message` has, and those of the messages in it. What comes after something that is not
/// Protocol Buffers does not count: the decoder stops there.
pub(super) fn in_message(shape: &MessageDescriptor, message: &[u8]) -> usize {
    let mut count = 0;
    fields(shape, message, MAX_DEPTH, &mut count);
    count
}

fn fields(
    shape: &MessageDescriptor,
    mut rest: &[u8],
    depth: usize,
    count: &mut usize,
) -> Option<()> {
    while !rest.is_empty() {
        let (number, wire) = decode_key(&mut rest).ok()?;
        *count += 1;
        let length = match wire {
            WireType::Varint => {
                decode_varint(&mut rest).ok()?;
                0
            }
            WireType::ThirtyTwoBit => 4,
            WireType::SixtyFourBit => 8,
            WireType::LengthDelimited => usize::try_from(decode_varint(&mut rest).ok()?).ok()?,
            WireType::StartGroup | WireType::EndGroup => return None,
        };
        let content = rest.get(..length)?;
        rest.advance(length);
        if wire == WireType::LengthDelimited
            && let Some(field) = shape.get_field(number)
            && let Kind::Message(shape) = field.kind()
            && depth > 0
        {
            fields(&shape, content, depth - 1, count)?;
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use a2a_pb::proto;
    use proptest::prelude::*;
    use prost::Message as _;
    use prost_types::{ListValue, Value, value::Kind};

    use super::*;
    use crate::definition;
    use crate::operation::Operation;

    fn count(bytes: &[u8]) -> usize {
        in_message(&definition::input(Operation::SendMessage).unwrap(), bytes)
    }

    #[test]
    fn empty_values_are_counted() {
        let empty = Value {
            kind: Some(Kind::NullValue(0)),
        };
        let list = Kind::ListValue(ListValue {
            values: vec![empty; 1_000],
        });
        let data = proto::part::Content::Data(Value { kind: Some(list) });
        let part = proto::Part {
            content: Some(data),
            ..proto::Part::default()
        };
        let request = proto::SendMessageRequest {
            message: Some(proto::Message {
                parts: vec![part],
                ..proto::Message::default()
            }),
            ..proto::SendMessageRequest::default()
        };
        let counted = count(&request.encode_to_vec());
        assert!((1_000..=2_010).contains(&counted), "{counted}");
    }

    proptest! {
        #[test]
        fn nothing_breaks_the_count(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
            prop_assert!(count(&bytes) <= bytes.len());
        }
    }
}
