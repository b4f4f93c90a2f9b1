//! Header fields as HPACK (RFC 7541) writes them, and in them the values of `:authority`.

use super::{take, take_one};

/// `:authority` in the static table.
const STATIC_AUTHORITY: u32 = 1;
/// The newest entry of the dynamic table.
const FIRST_DYNAMIC: u32 = 62;

const NAME: &[u8] = b":authority";
/// The same in the Huffman code of RFC 7541, appendix B.
const HUFFMAN_NAME: &[u8] = b"\xb8\x3b\x53\x39\xec\x32\x7d\x7f";

/// The letter that covers a value, an octet in either code.
///
/// With a code of 8 bits the covered text has as many octets as the coded one. Encoders use Huffman's code where it
/// shortens, so the entry in h2's table is never larger than the peer reckons, and never gone before the peer thinks
/// so: its indices stay right. (One that codes `[::]` at the price of an octet has that octet less in its table.)
const LETTER: u8 = b'X';
const HUFFMAN_LETTER: u8 = 0b1111_1100;

/// A peer may spend this many octets on a number beyond its first. h2 ends a connection that spends more.
const LONGEST_NUMBER: u32 = 4;

/// Where one connection stands in its header blocks.
#[derive(Debug)]
pub(super) struct Fields {
    at: At,
    /// Of the field being read: whether it enters the dynamic table, and whether it is an `:authority`.
    indexed: bool,
    authority: bool,
    /// Which entries of the dynamic table are named `:authority`, the newest in the lowest bit. All fit: an entry
    /// takes at least 32 of the 4096 octets that h2 grants. Entries that were evicted do not matter: whoever refers to
    /// one is refused by h2.
    table: u128,
}

#[derive(Debug, Clone, Copy)]
enum At {
    /// The first octet of a field, or of a change of the table's size.
    Start,
    /// The first octet of a text's length.
    Length(Text),
    /// Inside a number that did not fit its first octet.
    Number {
        number: u32,
        octets: u32,
        of: Number,
    },
    /// Inside a name. `rest` is what has to follow if it is `:authority`.
    Name { left: usize, rest: &'static [u8] },
    /// Inside a value.
    Value { left: usize, letter: u8 },
    /// Nowhere: h2 will end this connection.
    Lost,
}

/// What a text is.
#[derive(Debug, Clone, Copy)]
enum Text {
    Name,
    Value,
}

/// What a number is.
#[derive(Debug, Clone, Copy)]
enum Number {
    /// All there is: the index of a whole field, or the size of the table.
    Whole,
    /// The index of a field's name, or 0: the name follows.
    Name,
    /// The length of a text, which follows.
    Length { text: Text, huffman: bool },
}

impl Fields {
    pub(super) fn new() -> Self {
        Self {
            at: At::Start,
            indexed: false,
            authority: false,
            table: 0,
        }
    }

    /// Takes the next octets of header blocks.
    pub(super) fn cover(&mut self, mut octets: &mut [u8]) {
        while !octets.is_empty() {
            match &mut self.at {
                At::Start => self.start(take_one(&mut octets)),
                At::Length(text) => {
                    let (text, octet) = (*text, take_one(&mut octets));
                    let huffman = octet & 0x80 != 0;
                    self.number(octet, 0x7f, Number::Length { text, huffman });
                }
                At::Number {
                    number,
                    octets: spent,
                    of,
                } => {
                    let octet = take_one(&mut octets);
                    *number += u32::from(octet & 0x7f) << (7 * *spent);
                    *spent += 1;
                    if octet & 0x80 == 0 {
                        let (number, of) = (*number, *of);
                        self.know(number, of);
                    } else if *spent == LONGEST_NUMBER {
                        self.at = At::Lost;
                    }
                }
                At::Name { left, rest } => {
                    match rest.strip_prefix(&*take(left, &mut octets)) {
                        Some(next) => *rest = next,
                        None => self.authority = false,
                    }
                    if *left == 0 {
                        self.end(Text::Name);
                    }
                }
                At::Value { left, letter } => {
                    let value = take(left, &mut octets);
                    if self.authority {
                        value.fill(*letter);
                    }
                    if *left == 0 {
                        self.end(Text::Value);
                    }
                }
                At::Lost => return,
            }
        }
    }

    /// RFC 7541, 6.
    fn start(&mut self, octet: u8) {
        self.indexed = octet & 0xc0 == 0x40;
        if octet & 0x80 != 0 {
            self.number(octet, 0x7f, Number::Whole);
        } else if self.indexed {
            self.number(octet, 0x3f, Number::Name);
        } else if octet & 0x20 != 0 {
            self.number(octet, 0x1f, Number::Whole);
        } else {
            self.number(octet, 0x0f, Number::Name);
        }
    }

    /// RFC 7541, 5.1.
    fn number(&mut self, octet: u8, prefix: u8, of: Number) {
        let number = u32::from(octet & prefix);
        if octet & prefix < prefix {
            self.know(number, of);
        } else {
            self.at = At::Number {
                number,
                octets: 0,
                of,
            };
        }
    }

    fn know(&mut self, number: u32, of: Number) {
        match of {
            Number::Whole => self.at = At::Start,
            Number::Name if number == 0 => self.at = At::Length(Text::Name),
            Number::Name => {
                self.authority = self.is_authority(number);
                self.at = At::Length(Text::Value);
            }
            Number::Length { text, huffman } => self.begin(text, number as usize, huffman),
        }
    }

    fn begin(&mut self, text: Text, left: usize, huffman: bool) {
        self.at = match text {
            Text::Name => {
                let rest = if huffman { HUFFMAN_NAME } else { NAME };
                self.authority = left == rest.len();
                At::Name { left, rest }
            }
            Text::Value => {
                let letter = if huffman { HUFFMAN_LETTER } else { LETTER };
                At::Value { left, letter }
            }
        };
        if left == 0 {
            self.end(text);
        }
    }

    fn end(&mut self, text: Text) {
        self.at = match text {
            Text::Name => At::Length(Text::Value),
            Text::Value => {
                if self.indexed {
                    self.table = self.table << 1 | u128::from(self.authority);
                }
                At::Start
            }
        };
    }

    fn is_authority(&self, index: u32) -> bool {
        let entry = index.checked_sub(FIRST_DYNAMIC);
        let bits = entry.and_then(|entry| self.table.checked_shr(entry));
        index == STATIC_AUTHORITY || bits.is_some_and(|bits| bits & 1 == 1)
    }
}
