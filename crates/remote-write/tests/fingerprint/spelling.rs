//! One request in many spellings: everything that protobuf leaves to the writer, chosen at random.
//!
//! Fields in any order, fields that nobody knows, varints longer than needed, fields that a later one overrides,
//! repeated numbers packed, loose or both. A reader must see the same request in all of them.

use remote_write::message2::{self, Request};
use remote_write::{Label, TimeSeries, WriteRequest};

/// Makes the choices; the same seed makes the same.
pub(crate) struct Spelling(u64);

/// A field that is written: its bytes, tag included.
pub(crate) type Field = Vec<u8>;

impl Spelling {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `bound`, by splitmix64.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ mixed >> 31) % bound as u64) as usize
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for place in (1..items.len()).rev() {
            items.swap(place, self.below(place + 1));
        }
    }

    pub(crate) fn varint(&mut self, value: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        prost::encoding::encode_varint(value, &mut bytes);
        if self.below(8) == 0 {
            let longer = self.below(11 - bytes.len());
            for _ in 0..longer {
                *bytes.last_mut().expect("at least one") |= 0x80;
                bytes.push(0);
            }
        }
        bytes
    }

    pub(crate) fn number(&mut self, field: u32, value: u64) -> Field {
        [self.varint(u64::from(field << 3)), self.varint(value)].concat()
    }

    pub(crate) fn bytes(&mut self, field: u32, bytes: &[u8]) -> Field {
        [&self.varint(u64::from(field << 3 | 2)), &self.varint(bytes.len() as u64), bytes].concat()
    }

    /// A field above all that are known, of any wire type that a skipping reader must know.
    fn unknown(&mut self) -> Field {
        let field = 100 + self.below(1_000_000) as u32;
        match self.below(4) {
            0 => [self.varint(u64::from(field << 3 | 1)), vec![0xff; 8]].concat(),
            1 => [self.varint(u64::from(field << 3 | 5)), vec![0xff; 4]].concat(),
            2 => self.number(field, u64::MAX),
            _ => self.bytes(field, &[0xff; 5]),
        }
    }

    /// Some of the fields that nobody knows, anywhere among those of a message.
    pub(crate) fn message(&mut self, mut fields: Vec<Field>) -> Vec<u8> {
        while self.below(6) == 0 {
            let place = self.below(fields.len() + 1);
            let unknown = self.unknown();
            fields.insert(place, unknown);
        }
        fields.concat()
    }

    fn label(&mut self, label: &Label) -> Vec<u8> {
        let mut fields = Vec::new();
        for (field, string) in [(1, &label.name), (2, &label.value)] {
            if !string.is_empty() || self.below(2) == 0 {
                fields.push(self.bytes(field, string.as_bytes()));
            }
        }
        self.shuffle(&mut fields);
        for field in [1, 2] {
            if self.below(10) == 0 && fields.len() == 2 {
                let overridden = self.bytes(field, b"overridden");
                fields.insert(0, overridden);
            }
        }
        self.message(fields)
    }

    fn v1_series(&mut self, series: &TimeSeries) -> Vec<u8> {
        let mut fields: Vec<Field> = Vec::new();
        for label in &series.labels {
            let label = self.label(label);
            fields.push(self.bytes(1, &label));
        }
        for sample in &series.samples {
            let sample = prost::Message::encode_to_vec(sample);
            fields.push(self.bytes(2, &sample));
        }
        for exemplar in &series.exemplars {
            let exemplar = prost::Message::encode_to_vec(exemplar);
            fields.push(self.bytes(3, &exemplar));
        }
        if self.below(2) == 0 {
            self.shuffle(&mut fields);
        }
        self.message(fields)
    }

    /// A 1.0 message with its series in any order.
    pub(crate) fn v1(&mut self, request: &WriteRequest) -> Vec<u8> {
        let mut fields = Vec::new();
        for series in &request.timeseries {
            let series = self.v1_series(series);
            fields.push(self.bytes(1, &series));
        }
        self.shuffle(&mut fields);
        self.message(fields)
    }

    /// References, packed in one piece or several, or loose, or both. They keep their order.
    fn references(&mut self, references: &[u32]) -> Vec<Field> {
        let mut fields = Vec::new();
        let mut rest = references;
        while !rest.is_empty() {
            let (piece, later) = rest.split_at(self.below(rest.len()) + 1);
            rest = later;
            if self.below(3) == 0 {
                fields.extend(piece.iter().map(|reference| self.number(1, u64::from(*reference))));
            } else {
                let packed: Vec<u8> =
                    piece.iter().flat_map(|reference| self.varint(u64::from(*reference))).collect();
                fields.push(self.bytes(1, &packed));
            }
        }
        fields
    }

    fn v2_series(&mut self, series: &message2::TimeSeries) -> Vec<u8> {
        let mut rest = series.clone();
        rest.labels_refs.clear();
        let rest = prost::Message::encode_to_vec(&rest);
        let mut fields = self.references(&series.labels_refs);
        let place = self.below(fields.len() + 1);
        fields.insert(place, rest);
        self.message(fields)
    }

    /// A 2.0 message with its table in any order, before its series, after or among them.
    pub(crate) fn v2(&mut self, request: &WriteRequest) -> Vec<u8> {
        let request = self.renumbered(Request::from_v1(request));
        let mut symbols = Vec::new();
        for symbol in &request.symbols {
            symbols.push(self.bytes(4, symbol.as_bytes()));
        }
        let mut series = Vec::new();
        for one in &request.timeseries {
            let one = self.v2_series(one);
            series.push(self.bytes(5, &one));
        }
        self.shuffle(&mut series);
        let fields = match self.below(3) {
            0 => [symbols, series].concat(),
            1 => [series, symbols].concat(),
            _ => self.interleaved(symbols, series),
        };
        self.message(fields)
    }

    /// Both sequences in one, each in its own order: a symbol's place is its number.
    fn interleaved(&mut self, left: Vec<Field>, right: Vec<Field>) -> Vec<Field> {
        let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
        let mut fields = Vec::new();
        while left.peek().is_some() || right.peek().is_some() {
            let next = if self.below(2) == 0 { left.next() } else { right.next() };
            fields.extend(next);
        }
        fields
    }

    /// The same request with the table in another order.
    fn renumbered(&mut self, mut request: Request) -> Request {
        let mut order: Vec<usize> = (0..request.symbols.len()).collect();
        self.shuffle(&mut order);
        let symbols = order.iter().map(|old| request.symbols[*old].clone()).collect();
        let mut places = vec![0; order.len()];
        for (new, old) in order.iter().enumerate() {
            places[*old] = new as u32;
        }
        request.symbols = symbols;
        for series in &mut request.timeseries {
            for reference in &mut series.labels_refs {
                *reference = places[*reference as usize];
            }
            let mut pairs: Vec<[u32; 2]> =
                series.labels_refs.chunks(2).map(|pair| [pair[0], pair[1]]).collect();
            self.shuffle(&mut pairs);
            series.labels_refs = pairs.concat();
        }
        request
    }
}
