//! A client that writes header fields in every way that HPACK knows, and frames in every shape.

use super::super::{CONTINUATION_FRAME, HEADERS_FRAME, PADDED_FLAG, PREFACE, PRIORITY_FLAG};

/// Texts and their Huffman code, from another encoder (the Python package hpack 4.2).
const HUFFMAN: [(&[u8], &[u8]); 7] = [
    (b":authority", b"\xb8\x3b\x53\x39\xec\x32\x7d\x7f"),
    (PERCENT, b"\x4d\x35\xaa\x2c\x28\x97\xba\xa2\xc2\x89\x7b\x8e\xda\x12\xba\x0e\x4e\xbf"),
    (RAW, b"\x61\x34\xd6\xc2\x25\xee\xc2\x25\xee\x3b\x68\x4a\xe8\x39\x3a\xff"),
    (
        ODD,
        b"\x62\xcb\x6a\x62\xd4\x16\xc6\x02\x00\x01\x8f\xff\xe3\xff\xfe\xea\x7f\xff\x8f\xff\xfb\xbf\xf4\x16\x10\xba\x0e\x4e\xbf",
    ),
    (b"localhost", b"\xa0\xe4\x1d\x13\x9d\x09"),
    (b"x-job", b"\xf2\xb7\x43\xc7"),
    (
        b"nightly load of accounts",
        b"\xa8\xd3\x4e\x9a\x3d\x29\x41\xc7\x22\x87\x95\x41\x90\x87\xb6\xa4\xa3",
    ),
];

/// As grpcio sends it.
pub(super) const PERCENT: &[u8] = b"tmp%2Fsfv%2Fsfvault.sock";
/// As grpc-java sends it.
pub(super) const RAW: &[u8] = b"/tmp/sfv/sfvault.sock";
/// As nobody should send it.
pub(super) const ODD: &[u8] = "/run/user/1000/\u{e9}t\u{e9}#1/s.sock".as_bytes();

const END_STREAM_FLAG: u8 = 0x1;
const END_HEADERS_FLAG: u8 = 0x4;

/// How a field is written. What is not possible becomes a plain literal.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    /// By its index, if the table has it.
    pub(super) whole: bool,
    pub(super) literal: Literal,
    pub(super) name: Name,
    pub(super) huffman: bool,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Literal {
    Indexed,
    NotIndexed,
    NeverIndexed,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Name {
    Static,
    Dynamic,
    Plain,
    Huffman,
}

pub(super) const PLAIN: Style = Style {
    whole: true,
    literal: Literal::Indexed,
    name: Name::Static,
    huffman: false,
};

/// How a header block is cut into frames.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    /// One HEADERS frame, the others CONTINUATION frames, as long as the octets last.
    pub(super) frames: usize,
    pub(super) padding: Option<u8>,
    pub(super) priority: bool,
}

impl Shape {
    pub(super) const WHOLE: Self = Self {
        frames: 1,
        padding: None,
        priority: false,
    };
}

struct Entry {
    name: Vec<u8>,
    value: Vec<u8>,
    coded: usize,
}

/// One connection's sending half.
pub(super) struct Client {
    pub(super) sent: Vec<u8>,
    stream: u32,
    block: Vec<u8>,
    /// The newest entry first.
    table: Vec<Entry>,
    room: usize,
}

impl Client {
    /// Sends the preface and empty settings.
    pub(super) fn new() -> Self {
        let sent = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
        assert_eq!(sent.len(), PREFACE + 9);
        Self {
            sent,
            stream: 1,
            block: Vec::new(),
            table: Vec::new(),
            room: 4096,
        }
    }

    /// Changes the size of the table, in octets. Goes before all fields of a block.
    pub(super) fn resize(&mut self, room: usize) {
        self.number(0x20, 5, room);
        self.room = room;
        self.evict();
    }

    /// Appends what a request needs beside its authority.
    pub(super) fn preamble(&mut self, path: &[u8]) {
        self.block.extend([0x83, 0x86]);
        self.field(b":path", path, PLAIN);
    }

    /// Appends a field. Returns how many octets its value took when it was written out, now or earlier.
    pub(super) fn field(&mut self, name: &[u8], value: &[u8], style: Style) -> usize {
        let same = |entry: &Entry| entry.name == name && entry.value == value;
        if style.whole
            && let Some(place) = self.table.iter().position(same)
        {
            self.number(0x80, 7, 62 + place);
            return self.table[place].coded;
        }
        let (tag, prefix) = match style.literal {
            Literal::Indexed => (0x40, 6),
            Literal::NotIndexed => (0x00, 4),
            Literal::NeverIndexed => (0x10, 4),
        };
        let index = match style.name {
            Name::Static => static_name(name),
            Name::Dynamic => {
                let place = self.table.iter().position(|entry| entry.name == name);
                place.map(|place| 62 + place)
            }
            Name::Plain | Name::Huffman => None,
        };
        self.number(tag, prefix, index.unwrap_or(0));
        if index.is_none() {
            self.text(name, matches!(style.name, Name::Huffman));
        }
        let coded = self.text(value, style.huffman);
        if matches!(style.literal, Literal::Indexed) {
            let (name, value) = (name.to_vec(), value.to_vec());
            self.table.insert(0, Entry { name, value, coded });
            self.evict();
        }
        coded
    }

    /// Sends what was appended as the headers of a stream that ends with them.
    pub(super) fn send(&mut self, shape: &Shape) {
        let block = std::mem::take(&mut self.block);
        let mut pieces = block
            .chunks(block.len().div_ceil(shape.frames))
            .enumerate()
            .peekable();
        while let Some((number, piece)) = pieces.next() {
            let end = if pieces.peek().is_none() {
                END_HEADERS_FLAG
            } else {
                0
            };
            if number > 0 {
                self.frame(CONTINUATION_FRAME, end, piece);
                continue;
            }
            let mut flags = END_STREAM_FLAG | end;
            let mut payload = Vec::new();
            if let Some(padding) = shape.padding {
                flags |= PADDED_FLAG;
                payload.push(padding);
            }
            if shape.priority {
                flags |= PRIORITY_FLAG;
                payload.extend([0, 0, 0, 0, 15]);
            }
            payload.extend(piece);
            payload.resize(payload.len() + usize::from(shape.padding.unwrap_or(0)), 0);
            self.frame(HEADERS_FRAME, flags, &payload);
        }
        self.stream += 2;
    }

    /// Sends a frame on the current stream.
    pub(super) fn frame(&mut self, kind: u8, flags: u8, payload: &[u8]) {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        self.sent.extend(&length[1..]);
        self.sent.extend([kind, flags]);
        self.sent.extend(self.stream.to_be_bytes());
        self.sent.extend(payload);
    }

    fn text(&mut self, text: &[u8], huffman: bool) -> usize {
        let code = HUFFMAN.iter().find(|(plain, _)| huffman && *plain == text);
        let (tag, octets) = code.map_or((0, text), |(_, code)| (0x80, *code));
        self.number(tag, 7, octets.len());
        self.block.extend(octets);
        octets.len()
    }

    fn number(&mut self, tag: u8, prefix: u8, number: usize) {
        let most = (1 << prefix) - 1;
        let first = u8::try_from(number.min(most)).unwrap();
        self.block.push(tag | first);
        let Some(mut rest) = number.checked_sub(most) else {
            return;
        };
        while rest > 0x7f {
            self.block.push(0x80 | u8::try_from(rest & 0x7f).unwrap());
            rest >>= 7;
        }
        self.block.push(u8::try_from(rest).unwrap());
    }

    fn evict(&mut self) {
        let mut room = self.room;
        let fits = |entry: &Entry| {
            let size = entry.name.len() + entry.value.len() + 32;
            room.checked_sub(size).map(|left| room = left).is_some()
        };
        let kept = self.table.iter().map(fits).take_while(|fits| *fits).count();
        self.table.truncate(kept);
    }
}

fn static_name(name: &[u8]) -> Option<usize> {
    match name {
        b":authority" => Some(1),
        b":path" => Some(4),
        b"user-agent" => Some(58),
        _ => None,
    }
}
