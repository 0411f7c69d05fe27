//! Protobuf's wire format, read in place: a message is the slice it stands in, a field a piece of that slice.
//!
//! Nothing is copied and nothing allocated, so reading costs in proportion to the bytes, whatever they say of
//! themselves. Every step takes at least one byte or ends, so no input loops. Groups (wire types 3 and 4) are
//! refused: proto3 has none, and skipping them would need a stack as deep as the sender likes.
//!
//! Source: the [protobuf encoding guide](https://protobuf.dev/programming-guides/encoding/).

/// The bytes are no protobuf message: cut short, a varint too long, a tag that does not exist, a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    /// Wire type 0: a number of up to 64 bits.
    Varint(u64),
    /// Wire type 2: a string, a message or packed numbers.
    Bytes(&'a [u8]),
    /// Wire types 1 and 5: a number of fixed width, which nobody here looks at.
    Fixed,
}

/// The fields of one message in the order in which they stand. Ends after the first error.
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    #[inline]
    pub(crate) fn of(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    /// The next field's bytes, if it is this one and both its tag and its length are single bytes, as nearly all of
    /// a label set's are: then half the time goes. If not, nothing is taken, and the iterator reads it by the rules.
    #[inline]
    pub(crate) fn short(&mut self, number: u32) -> Option<&'a [u8]> {
        match self.rest {
            [tag @ ..0x80, length @ ..0x80, rest @ ..] if u32::from(*tag) == number << 3 | 2 => {
                let (taken, rest) = rest.split_at_checked(usize::from(*length))?;
                self.rest = rest;
                Some(taken)
            }
            _ => None,
        }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    #[inline]
    fn field(&mut self) -> Result<(u32, Value<'a>), Malformed> {
        let tag = u32::try_from(varint(&mut self.rest)?).map_err(|_| Malformed)?;
        let number = tag >> 3;
        if number == 0 {
            return Err(Malformed);
        }
        let value = match tag & 7 {
            0 => Value::Varint(varint(&mut self.rest)?),
            1 => self.skip(8)?,
            2 => {
                let length = usize::try_from(varint(&mut self.rest)?).map_err(|_| Malformed)?;
                Value::Bytes(self.take(length)?)
            }
            5 => self.skip(4)?,
            _ => return Err(Malformed),
        };
        Ok((number, value))
    }

    #[inline]
    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Malformed)?;
        self.rest = rest;
        Ok(taken)
    }

    #[inline]
    fn skip(&mut self, length: usize) -> Result<Value<'a>, Malformed> {
        self.take(length).map(|_| Value::Fixed)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Value<'a>), Malformed>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

/// Takes one varint off the front. Nearly all of remote write's (tags, lengths, references) are one or two bytes.
#[inline]
pub(crate) fn varint(bytes: &mut &[u8]) -> Result<u64, Malformed> {
    match *bytes {
        [first, rest @ ..] if *first < 0x80 => {
            *bytes = rest;
            Ok(u64::from(*first))
        }
        [first, second, rest @ ..] if *second < 0x80 => {
            *bytes = rest;
            Ok(u64::from(*first & 0x7f) | u64::from(*second) << 7)
        }
        _ => long_varint(bytes),
    }
}

/// Any varint. The tenth byte holds the 64th bit and nothing else.
#[cold]
fn long_varint(bytes: &mut &[u8]) -> Result<u64, Malformed> {
    let mut value = 0;
    for (place, byte) in bytes.iter().enumerate().take(10) {
        if place == 9 && *byte > 1 {
            break;
        }
        value |= u64::from(byte & 0x7f) << (7 * place);
        if *byte < 0x80 {
            *bytes = bytes.get(place + 1..).unwrap_or_default();
            return Ok(value);
        }
    }
    Err(Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(bytes: &[u8]) -> Result<(u64, usize), Malformed> {
        let mut rest = bytes;
        varint(&mut rest).map(|value| (value, bytes.len() - rest.len()))
    }

    fn fields(bytes: &[u8]) -> Result<Vec<(u32, Value<'_>)>, Malformed> {
        Fields::of(bytes).collect()
    }

    #[test]
    fn varints_of_every_length_are_read() {
        for bits in 0..64 {
            for value in [(1_u64 << bits) - 1, 1 << bits, (1 << bits) + 1, u64::MAX >> bits] {
                let mut bytes = Vec::new();
                prost::encoding::encode_varint(value, &mut bytes);
                let length = bytes.len();
                bytes.push(0xff);
                assert_eq!(number(&bytes), Ok((value, length)));
                assert_eq!(number(&bytes[..length - 1]), Err(Malformed), "{value} without its last byte");
            }
        }
    }

    #[test]
    fn varints_may_be_longer_than_needed_but_not_than_ten_bytes() {
        assert_eq!(number(&[0x80, 0]), Ok((0, 2)));
        assert_eq!(number(&[0x81, 0x80, 0x80, 0]), Ok((1, 4)));
        let all = [0xff; 9];
        assert_eq!(number(&[&all[..], &[1]].concat()), Ok((u64::MAX, 10)));
        assert_eq!(number(&[&all[..], &[2]].concat()), Err(Malformed), "a 65th bit");
        assert_eq!(number(&[&all[..], &[0x81, 0]].concat()), Err(Malformed), "an eleventh byte");
    }

    #[test]
    fn fields_of_every_wire_type_are_read() {
        let bytes = [0x08, 5, 0x11, 1, 2, 3, 4, 5, 6, 7, 8, 0x1a, 2, 7, 8, 0x25, 1, 2, 3, 4];
        let expected =
            [(1, Value::Varint(5)), (2, Value::Fixed), (3, Value::Bytes(&[7, 8])), (4, Value::Fixed)];
        assert_eq!(fields(&bytes), Ok(expected.to_vec()));
        for length in [1, 3, 10, 12, 14, 16, 19] {
            assert_eq!(fields(&bytes[..length]), Err(Malformed), "cut to {length}");
        }
    }

    #[test]
    fn short_fields_are_taken_or_left() {
        let mut read = Fields::of(&[0x0a, 1, 7, 0x0a, 0x81, 0, 8, 0x12, 0, 0x12, 2, 9]);
        assert_eq!(read.short(2), None);
        assert_eq!(read.short(1), Some(&[7][..]));
        assert_eq!(read.short(1), None, "a length of two bytes");
        assert_eq!(read.next(), Some(Ok((1, Value::Bytes(&[8])))));
        assert_eq!(read.short(2), Some(&[][..]));
        assert_eq!(read.short(2), None, "cut short");
        assert!(!read.is_empty());
        assert_eq!(read.next(), Some(Err(Malformed)));
        assert!(read.is_empty());
        assert_eq!(Fields::of(&[0x82, 1, 0]).short(16), None, "a tag of two bytes");
    }

    #[test]
    fn what_is_no_field_is_refused() {
        for (bytes, what) in [
            (&[0x0b, 0x0c][..], "a group"),
            (&[0x0c], "the end of a group"),
            (&[0x0e], "wire type 6"),
            (&[0x0f], "wire type 7"),
            (&[0x02, 0], "field 0"),
            (&[0x82, 0x80, 0x80, 0x80, 0x10, 0], "a tag of 33 bits"),
            (&[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], "a length of 2^64 - 1"),
        ] {
            assert_eq!(fields(bytes), Err(Malformed), "{what}");
        }
    }

    #[test]
    fn nothing_follows_an_error() {
        let mut read = Fields::of(&[0x0e, 0x08, 5]);
        assert_eq!(read.next(), Some(Err(Malformed)));
        assert_eq!(read.next(), None);
    }
}
