// SPDX-License-Identifier: Apache-2.0
//! `Debug` by what serde is given for people: digests are hexadecimal digits, times are times.

use std::fmt::{self, Debug, DebugList, DebugMap, DebugStruct, DebugTuple, Formatter};

use serde::ser::{
    SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant,
};
use serde::{Serialize, Serializer};

/// Implements `Debug` for types that serde reads.
macro_rules! debug_as_read {
    ($($name:ty),+ $(,)?) => {$(
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                $crate::events::readable::as_read(self, f)
            }
        }
    )+};
}

pub(crate) use debug_as_read;

/// Writes what serde is given for people, in the form of `Debug`.
pub(crate) fn as_read<T: Serialize + ?Sized>(value: &T, f: &mut Formatter<'_>) -> fmt::Result {
    value.serialize(DebugShown(f))
}

struct DebugRead<'a, T: ?Sized>(&'a T);

impl<T: Serialize + ?Sized> Debug for DebugRead<'_, T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        as_read(self.0, f)
    }
}

struct DebugShown<'a, 'f>(&'a mut Formatter<'f>);

struct Parts<T>(T);

macro_rules! plain {
    ($($method:ident $type:ty,)+) => {$(
        fn $method(self, value: $type) -> fmt::Result { value.fmt(self.0) }
    )+};
}

type DebugFields<'a, 'f> = Parts<DebugStruct<'a, 'f>>;
type Tuple<'a, 'f> = Parts<DebugTuple<'a, 'f>>;

impl<'a, 'f> Serializer for DebugShown<'a, 'f> {
    type Ok = ();
    type Error = fmt::Error;
    type SerializeSeq = Parts<DebugList<'a, 'f>>;
    type SerializeTuple = Parts<DebugList<'a, 'f>>;
    type SerializeTupleStruct = Tuple<'a, 'f>;
    type SerializeTupleVariant = Tuple<'a, 'f>;
    type SerializeMap = Parts<DebugMap<'a, 'f>>;
    type SerializeStruct = DebugFields<'a, 'f>;
    type SerializeStructVariant = DebugFields<'a, 'f>;

    plain! {
        serialize_bool bool, serialize_i8 i8, serialize_i16 i16, serialize_i32 i32, serialize_i64 i64,
        serialize_u8 u8, serialize_u16 u16, serialize_u32 u32, serialize_u64 u64, serialize_f32 f32,
        serialize_f64 f64, serialize_char char, serialize_str &str, serialize_bytes &[u8],
    }

    fn serialize_none(self) -> fmt::Result {
        self.0.write_str("None")
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> fmt::Result {
        self.0.debug_tuple("Some").field(&DebugRead(value)).finish()
    }

    fn serialize_unit(self) -> fmt::Result {
        self.0.write_str("()")
    }

    fn serialize_unit_struct(self, name: &'static str) -> fmt::Result {
        self.0.write_str(name)
    }

    fn serialize_unit_variant(self, _: &str, _: u32, variant: &'static str) -> fmt::Result {
        self.0.write_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &str, value: &T) -> fmt::Result {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> fmt::Result {
        self.0
            .debug_tuple(variant)
            .field(&DebugRead(value))
            .finish()
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self::SerializeSeq, fmt::Error> {
        Ok(Parts(self.0.debug_list()))
    }

    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, fmt::Error> {
        Ok(Parts(self.0.debug_list()))
    }

    fn serialize_tuple_struct(self, name: &str, _: usize) -> Result<Tuple<'a, 'f>, fmt::Error> {
        Ok(Parts(self.0.debug_tuple(name)))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Tuple<'a, 'f>, fmt::Error> {
        Ok(Parts(self.0.debug_tuple(variant)))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, fmt::Error> {
        Ok(Parts(self.0.debug_map()))
    }

    fn serialize_struct(self, name: &str, _: usize) -> Result<DebugFields<'a, 'f>, fmt::Error> {
        Ok(Parts(self.0.debug_struct(name)))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<DebugFields<'a, 'f>, fmt::Error> {
        Ok(Parts(self.0.debug_struct(variant)))
    }

    fn collect_str<T: fmt::Display + ?Sized>(self, value: &T) -> fmt::Result {
        fmt::Display::fmt(value, self.0)
    }
}

macro_rules! parts {
    ($($of:ident $method:ident $type:ident $entry:ident ($($key:ident)?);)+) => {$(
        impl $of for Parts<$type<'_, '_>> {
            type Ok = ();
            type Error = fmt::Error;

            fn $method<T: Serialize + ?Sized>(&mut self, $($key: &'static str,)? value: &T) -> fmt::Result {
                self.0.$entry($($key,)? &DebugRead(value));
                Ok(())
            }

            fn end(mut self) -> fmt::Result {
                self.0.finish()
            }
        }
    )+};
}

parts! {
    SerializeSeq serialize_element DebugList entry ();
    SerializeTuple serialize_element DebugList entry ();
    SerializeTupleStruct serialize_field DebugTuple field ();
    SerializeTupleVariant serialize_field DebugTuple field ();
    SerializeStruct serialize_field DebugStruct field (name);
    SerializeStructVariant serialize_field DebugStruct field (name);
}

impl SerializeMap for Parts<DebugMap<'_, '_>> {
    type Ok = ();
    type Error = fmt::Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> fmt::Result {
        self.0.key(&DebugRead(key));
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> fmt::Result {
        self.0.value(&DebugRead(value));
        Ok(())
    }

    fn end(mut self) -> fmt::Result {
        self.0.finish()
    }
}
