//! Arbitrary values of whatever can be read: its reader says which fields and variants there are, and bytes
//! decide about each.
//!
//! So there is no list of types, variants and fields to keep up to date, and none can be forgotten.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::value::{Error, U32Deserializer};
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess,
    SeqAccess, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

/// The most items of a list, and of characters of a text.
const MOST_ITEMS: u8 = 4;
/// How often one text, number or blob is given something else because a rule refused what it was given.
const MOST_REFUSALS: usize = 12;

/// Texts that satisfy some rule: names and ids, host patterns, methods, names of headers, of secrets.
const TAME_TEXTS: [&str; 6] = [
    "0123456789abcdef",
    "api.example.com",
    "GET",
    "x-name",
    "NAME",
    "/",
];
/// Lengths that bytes may have to have: digests and seeds, ids of tasks, ids of keys.
const TAME_LENGTHS: [usize; 3] = [32, 16, 8];
/// What a type that reads anything is given: see [`taskyard_task::Expected`].
const WORDS: [&str; 2] = ["anything", "nothing"];
/// Characters that encodings tend to trip over.
const CHARACTERS: [char; 8] = ['a', '0', '\0', '"', '\\', '\n', 'ß', '\u{1f980}'];
/// Numbers at which encodings change.
const NUMBERS: [u64; 9] = [
    0,
    1,
    0x7f,
    0x80,
    0x100,
    0x1_0000,
    1 << 32,
    u64::MAX >> 1,
    u64::MAX,
];

/// The variants of enums that were met, and those of them that were made.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) offered: BTreeSet<(&'static str, &'static str)>,
    pub(super) made: BTreeSet<(&'static str, &'static str)>,
}

/// The value of `T` that `bytes` decide; nothing if a rule about several of its fields refuses that. Where
/// `bytes` are over, it is as small as it can be.
pub(super) fn value<T: DeserializeOwned>(bytes: &[u8], seen: &mut Seen) -> Option<T> {
    let mut refused: BTreeMap<usize, usize> = BTreeMap::new();
    while refused.values().all(|times| *times < MOST_REFUSALS) {
        let mut source = Source {
            bytes: bytes.iter(),
            leaves: 0,
            refused: &refused,
            seen,
        };
        let read = T::deserialize(&mut source);
        let leaf = source.leaves;
        match read {
            Ok(value) => return Some(value),
            // What was given last broke a rule: that one is given something tamer.
            Err(_) => *refused.entry(leaf).or_default() += 1,
        }
    }
    None
}

/// Where values come from.
struct Source<'a> {
    bytes: std::slice::Iter<'a, u8>,
    /// Texts, numbers and bytes that were given.
    leaves: usize,
    /// How often each of these was refused.
    refused: &'a BTreeMap<usize, usize>,
    seen: &'a mut Seen,
}

impl Source<'_> {
    fn byte(&mut self) -> u8 {
        self.bytes.next().copied().unwrap_or_default()
    }

    fn below(&mut self, end: usize) -> usize {
        usize::from(self.byte()) % end.max(1)
    }

    fn count(&mut self) -> usize {
        usize::from(self.byte() % MOST_ITEMS)
    }

    /// Begins a leaf; tells how often it was refused.
    fn leaf(&mut self) -> usize {
        self.leaves += 1;
        self.refused.get(&self.leaves).copied().unwrap_or_default()
    }

    fn number(&mut self) -> u64 {
        match self.leaf() {
            0 => {}
            refused => return refused as u64 - 1,
        }
        let choice = self.below(NUMBERS.len() + 1);
        match NUMBERS.get(choice) {
            Some(number) => *number,
            None => u64::from_le_bytes(std::array::from_fn(|_| self.byte())),
        }
    }

    fn text(&mut self) -> String {
        match self.leaf() {
            0 => {
                let count = self.count();
                let character = |_| CHARACTERS[self.below(CHARACTERS.len())];
                (0..count).map(character).collect()
            }
            refused => TAME_TEXTS[(refused - 1) % TAME_TEXTS.len()].to_owned(),
        }
    }

    fn blob(&mut self) -> Vec<u8> {
        let count = match self.leaf() {
            0 => self.count(),
            refused => TAME_LENGTHS[(refused - 1) % TAME_LENGTHS.len()],
        };
        (0..count).map(|_| self.byte()).collect()
    }
}

macro_rules! numbers {
    ($($method:ident $visit:ident $type:ty),*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            // Whatever of it the type can hold.
            visitor.$visit(self.number() as $type)
        })*
    };
}

impl<'de> Deserializer<'de> for &mut Source<'_> {
    type Error = Error;

    numbers!(
        deserialize_u8 visit_u8 u8, deserialize_u16 visit_u16 u16, deserialize_u32 visit_u32 u32,
        deserialize_u64 visit_u64 u64, deserialize_i8 visit_i8 i8, deserialize_i16 visit_i16 i16,
        deserialize_i32 visit_i32 i32, deserialize_i64 visit_i64 i64
    );

    forward_to_deserialize_any! { i128 u128 f32 f64 char identifier }

    /// For types that tell apart themselves what they were given.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.leaf() > 0 {
            return visitor.visit_unit();
        }
        match self.below(WORDS.len() + 2) {
            0 => visitor.visit_unit(),
            1 => visitor.visit_u64(self.number()),
            word => visitor.visit_str(WORDS[word - 2]),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_bool(self.byte() % 2 == 1)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_string(self.text())
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_string(self.text())
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_byte_buf(self.blob())
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_byte_buf(self.blob())
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.byte() % 2 {
            0 => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let left = self.count();
        visitor.visit_seq(Items { source: self, left })
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        left: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_seq(Items { source: self, left })
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        left: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_seq(Items { source: self, left })
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let left = self.count();
        visitor.visit_map(Items { source: self, left })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let left = fields.len();
        visitor.visit_seq(Items { source: self, left })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.seen
            .offered
            .extend(variants.iter().map(|it| (name, *it)));
        let chosen = self.below(variants.len());
        self.seen.made.insert((name, variants[chosen]));
        visitor.visit_enum(Chosen {
            source: self,
            variant: chosen,
        })
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    /// As records are not.
    fn is_human_readable(&self) -> bool {
        false
    }
}

/// Some values one after the other.
struct Items<'s, 'a> {
    source: &'s mut Source<'a>,
    left: usize,
}

impl<'de> SeqAccess<'de> for Items<'_, '_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        seed.deserialize(&mut *self.source).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

impl<'de> MapAccess<'de> for Items<'_, '_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        self.next_element_seed(seed)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(&mut *self.source)
    }
}

/// A variant of an enum.
struct Chosen<'s, 'a> {
    source: &'s mut Source<'a>,
    variant: usize,
}

impl<'s, 'a, 'de> EnumAccess<'de> for Chosen<'s, 'a> {
    type Error = Error;
    type Variant = Content<'s, 'a>;

    fn variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<(T::Value, Self::Variant), Error> {
        let number = u32::try_from(self.variant).map_err(de::Error::custom)?;
        let number: U32Deserializer<Error> = number.into_deserializer();
        Ok((seed.deserialize(number)?, Content(self.source)))
    }
}

/// What a variant holds.
struct Content<'s, 'a>(&'s mut Source<'a>);

impl<'de> VariantAccess<'de> for Content<'_, '_> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(self.0)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Error> {
        self.0.deserialize_tuple(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.0.deserialize_tuple(fields.len(), visitor)
    }
}
