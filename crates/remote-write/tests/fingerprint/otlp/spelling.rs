//! One push in many spellings: fields in any order, unknown ones among them, long varints, points in several pieces.

use prost::Message as _;
use remote_write::otlp::ExportRequest;

use crate::spelling::{Field, Spelling};

/// The messages of a push, as far as their fields may be rearranged.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Request,
    ResourceMetrics,
    Resource,
    Scope,
    Metric,
    /// The points of a metric, with the number of their attributes.
    Data(u32),
    Point(u32),
    Attribute,
    /// Left as it is.
    Other,
}

impl Kind {
    fn of_field(self, number: u32) -> Self {
        match (self, number) {
            (Self::Request, 1) => Self::ResourceMetrics,
            (Self::ResourceMetrics, 1) => Self::Resource,
            (Self::ResourceMetrics, 2) => Self::Scope,
            (Self::Scope, 2) => Self::Metric,
            (Self::Metric, 5 | 7 | 11) => Self::Data(7),
            (Self::Metric, 9) => Self::Data(9),
            (Self::Metric, 10) => Self::Data(1),
            (Self::Data(attributes), 1) => Self::Point(attributes),
            (Self::Point(attributes), number) if attributes == number => Self::Attribute,
            (Self::Resource, 1) => Self::Attribute,
            _ => Self::Other,
        }
    }
}

impl Spelling {
    pub(super) fn otlp(&mut self, request: &ExportRequest) -> Vec<u8> {
        self.respelt(Kind::Request, &request.encode_to_vec())
    }

    fn respelt(&mut self, kind: Kind, message: &[u8]) -> Vec<u8> {
        if kind == Kind::Other {
            return message.to_vec();
        }
        let mut fields: Vec<Field> = Vec::new();
        let mut rest = message;
        while !rest.is_empty() {
            let before = rest;
            let (number, bytes) = field(&mut rest);
            match bytes {
                Some(bytes) => {
                    let child = kind.of_field(number);
                    for piece in self.pieces(child, bytes) {
                        let piece = self.respelt(child, piece);
                        fields.push(self.bytes(number, &piece));
                    }
                }
                None => fields.push(before[..before.len() - rest.len()].to_vec()),
            }
        }
        self.shuffle(&mut fields);
        self.message(fields)
    }

    /// Protobuf puts the pieces of a message together again; so the points of a metric may come in two.
    fn pieces<'a>(&mut self, kind: Kind, message: &'a [u8]) -> Vec<&'a [u8]> {
        if !matches!(kind, Kind::Data(_)) || message.is_empty() || self.below(3) > 0 {
            return vec![message];
        }
        let mut rest = message;
        field(&mut rest);
        vec![&message[..message.len() - rest.len()], rest]
    }
}

/// The next field of a message that prost wrote: its number, and its bytes if it has any.
fn field<'a>(rest: &mut &'a [u8]) -> (u32, Option<&'a [u8]>) {
    let mut varint = || prost::encoding::decode_varint(rest).expect("prost wrote it");
    let tag = varint();
    let bytes = match tag & 7 {
        0 => {
            varint();
            return ((tag >> 3) as u32, None);
        }
        1 => 8,
        2 => varint() as usize,
        other => unreachable!("wire type {other}"),
    };
    let (taken, behind) = rest.split_at(bytes);
    *rest = behind;
    ((tag >> 3) as u32, (tag & 7 == 2).then_some(taken))
}
