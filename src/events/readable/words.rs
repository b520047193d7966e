// SPDX-License-Identifier: Apache-2.0
//! Numbers that stand for words, and sets of them. A number that this software has no word for stays a number.

use std::marker::PhantomData;

use serde::de::{Error, Unexpected};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A list of numbers on disk, each with its word.
pub(crate) trait Words {
    /// All of them.
    fn all() -> impl Iterator<Item = (u8, &'static str)>;

    fn word(code: u8) -> Option<&'static str> {
        Self::all()
            .find(|(it, _)| *it == code)
            .map(|(_, word)| word)
    }

    fn code(word: &str) -> Option<u8> {
        Self::all()
            .find(|(_, it)| *it == word)
            .map(|(code, _)| code)
    }
}

/// Defines an enum each of whose variants is a number on disk and a word, and which reads as its word, as `Display` and
/// for serde.
macro_rules! words {
    (
        $(#[$about:meta])*
        pub enum $name:ident {
            $($(#[$doc:meta])* $variant:ident = $code:literal $word:literal,)+
        }
    ) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum $name {
            $($(#[$doc])* $variant = $code,)+
        }

        impl $name {
            /// All of them, in the order of their numbers.
            pub const ALL: [Self; [$($code),+].len()] = [$(Self::$variant),+];

            /// The one with this number; `None` for one of a later software.
            #[must_use]
            pub fn from_code(code: u8) -> Option<Self> {
                Self::ALL.into_iter().find(|it| it.code() == code)
            }

            /// Its number on disk.
            #[must_use]
            pub const fn code(self) -> u8 {
                self as u8
            }

            /// A stable word: the specification's, where that has one.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl $crate::events::readable::words::Words for $name {
            fn all() -> impl Iterator<Item = (u8, &'static str)> {
                Self::ALL.into_iter().map(|it| (it.code(), it.name()))
            }
        }

        $crate::events::readable::words::named!($name);
    };
}

/// Makes enums with `name` read as their names, as `Display` and for serde.
macro_rules! named {
    ($($name:ty),+) => {$(
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }

        $crate::events::readable::words::spoken!($name);
    )+};
}

/// Makes values read for serde as `Display` has them.
macro_rules! spoken {
    ($($name:ty),+) => {$(
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    )+};
}

pub(crate) use {named, spoken, words};

/// A word, or the number of one that only a later software knows.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Spoken<T> {
    Word(T),
    Number(u64),
}

impl Spoken<&'static str> {
    fn of<W: Words>(code: u8) -> Self {
        W::word(code).map_or(Self::Number(code.into()), Self::Word)
    }
}

impl Spoken<String> {
    fn code<W: Words, E: Error>(self) -> Result<u8, E> {
        match &self {
            Self::Word(word) => W::code(word)
                .ok_or_else(|| E::invalid_value(Unexpected::Str(word), &"a known word")),
            Self::Number(code) => u8::try_from(*code)
                .map_err(|_| E::invalid_value(Unexpected::Unsigned(*code), &"at most 255")),
        }
    }
}

/// A field that is a number on disk and a word for people; 0 that is no word is nothing.
pub(crate) struct Code<W>(PhantomData<W>);

impl<W: Words> Code<W> {
    pub(crate) fn serialize<S: Serializer>(code: &u8, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            return serializer.serialize_u8(*code);
        }
        match (*code, Spoken::of::<W>(*code)) {
            (0, Spoken::Number(_)) => serializer.serialize_none(),
            (_, spoken) => spoken.serialize(serializer),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
        if !deserializer.is_human_readable() {
            return u8::deserialize(deserializer);
        }
        let spoken = Option::<Spoken<String>>::deserialize(deserializer)?;
        spoken.map_or(Ok(0), Spoken::code::<W, D::Error>)
    }
}

/// A field that is bits on disk and a list of words for people; bits without a word are one number.
pub(crate) struct Bits<W>(PhantomData<W>);

impl<W: Words> Bits<W> {
    pub(crate) fn serialize<S: Serializer>(
        bits: &(impl Into<u64> + Copy + Serialize),
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            return bits.serialize(serializer);
        }
        let bits: u64 = (*bits).into();
        let set = W::all().filter(|(bit, _)| bits & u64::from(*bit) != 0);
        let known = W::all().fold(0, |known, (bit, _)| known | u64::from(bit));
        let mut list: Vec<_> = set.map(|(_, word)| Spoken::Word(word)).collect();
        list.extend((bits & !known != 0).then_some(Spoken::Number(bits & !known)));
        list.serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
        if !deserializer.is_human_readable() {
            return u8::deserialize(deserializer);
        }
        let list = Vec::<Spoken<String>>::deserialize(deserializer)?;
        let mut codes = list.into_iter().map(Spoken::code::<W, D::Error>);
        codes.try_fold(0, |bits, code| Ok(bits | code?))
    }
}

/// Words one after the other, which are one number each on disk.
pub(crate) struct Codes<W>(PhantomData<W>);

impl<W: Words> Codes<W> {
    pub(crate) fn serialize<S: Serializer>(codes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        match serializer.is_human_readable() {
            true => serializer.collect_seq(codes.iter().map(|code| Spoken::of::<W>(*code))),
            false => serde_bytes::serialize(codes, serializer),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<u8>, D::Error> {
        if !deserializer.is_human_readable() {
            return serde_bytes::deserialize(deserializer);
        }
        let list = Vec::<Spoken<String>>::deserialize(deserializer)?;
        let codes = list.into_iter().map(Spoken::code::<W, D::Error>);
        codes.collect()
    }
}

/// Words of numbers that have no type of their own.
macro_rules! lists {
    ($($(#[$doc:meta])* $name:ident: $($code:literal $word:literal),+;)+) => {$(
        $(#[$doc])*
        pub(crate) struct $name;

        impl Words for $name {
            fn all() -> impl Iterator<Item = (u8, &'static str)> {
                [$(($code, $word)),+].into_iter()
            }
        }
    )+};
}

lists! {
    /// Of `TransitionsRecordedV1::machine`.
    Machines: 0 "runtime", 1 "execution";
    /// Of `ClockSkewedV1::direction`.
    Directions: 0 "behind", 1 "ahead", 2 "doubted";
    /// Of `SnapshotTakenV1::state`.
    Snapshots: 1 "execution_log", 2 "configuration", 3 "runtime_metadata", 4 "components";
    /// Of a header's flags.
    Flags: 1 "encrypted", 2 "archived", 4 "truncated", 8 "after_the_fact";
}
