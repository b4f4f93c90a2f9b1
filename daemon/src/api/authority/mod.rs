//! Lets in clients whose `:authority` is not one.
//!
//! On a Unix socket some gRPC libraries send the path of the socket as `:authority`: grpcio percent-encodes it,
//! grpc-java sends it as it is. Neither is an authority in the sense of RFC 3986, so h2 answers PROTOCOL_ERROR
//! (hyperium/h2#487, grpc/grpc#38142).
//!
//! [`AuthorityMask`] sees the octets of one connection before h2 does and overwrites the value of every `:authority`
//! with as many letters as it has octets. So no octet is added, dropped or held back: frames and strings keep their
//! lengths, nothing is buffered, and a header that later refers to the value by its index in the HPACK table finds
//! the letters.
//!
//! Valid names are not spared. On a Unix socket the authority says nothing and nobody may trust it, and a second idea
//! of which names are valid could only differ from h2's.
//!
//! The mask judges nothing: what is malformed passes, and h2 refuses it. A peer that leads it astray has octets of its
//! own overwritten, and could have sent them so itself.
//!
//! The day h2 takes such names, a test below fails. Then the line in `Connection::poll_read` that calls
//! [`AuthorityMask::cover`] can go, and this directory with it.

mod fields;
#[cfg(test)]
mod tests;

use self::fields::Fields;

/// The length of the connection preface (RFC 9113, 3.4).
const PREFACE: usize = 24;
/// The length of a frame's header (RFC 9113, 4.1).
const FRAME_HEADER: usize = 9;
/// The length of the priority fields in a HEADERS frame (RFC 9113, 6.2).
const PRIORITY: usize = 5;

const HEADERS_FRAME: u8 = 0x1;
const CONTINUATION_FRAME: u8 = 0x9;
const PADDED_FLAG: u8 = 0x8;
const PRIORITY_FLAG: u8 = 0x20;

/// Where one connection stands in its HTTP/2 frames, and what covers the authorities in them.
#[derive(Debug)]
pub struct AuthorityMask {
    /// The header of the next frame, and how many octets of it are still to come.
    header: [u8; FRAME_HEADER],
    header_left: usize,
    /// The parts of the current frame that are still to come, in this order: the octet that tells how long the padding
    /// is, what is passed over, the piece of a header block, the padding.
    pad_length: bool,
    before: usize,
    fragment: usize,
    after: usize,
    /// Outlives the frame: a header block, and a field in it, may go on in the next.
    fields: Fields,
}

impl AuthorityMask {
    /// For a connection of which nothing was read yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            header: [0; FRAME_HEADER],
            header_left: FRAME_HEADER,
            pad_length: false,
            before: PREFACE,
            fragment: 0,
            after: 0,
            fields: Fields::new(),
        }
    }

    /// Takes the next octets of the connection, however many, and covers what they hold of authorities.
    pub fn cover(&mut self, mut octets: &mut [u8]) {
        while !octets.is_empty() {
            if self.pad_length {
                self.pad_length = false;
                self.pad(take_one(&mut octets));
            } else if self.before > 0 {
                take(&mut self.before, &mut octets);
            } else if self.fragment > 0 {
                self.fields.cover(take(&mut self.fragment, &mut octets));
            } else if self.after > 0 {
                take(&mut self.after, &mut octets);
            } else {
                let start = FRAME_HEADER - self.header_left;
                let piece = take(&mut self.header_left, &mut octets);
                self.header[start..start + piece.len()].copy_from_slice(piece);
                if self.header_left == 0 {
                    self.begin_frame();
                }
            }
        }
    }

    fn begin_frame(&mut self) {
        self.header_left = FRAME_HEADER;
        let [a, b, c, kind, flags, ..] = self.header;
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        match kind {
            // A frame too short for its flags ends the connection: what follows it does not matter.
            HEADERS_FRAME => {
                self.pad_length = flags & PADDED_FLAG != 0;
                self.before = if flags & PRIORITY_FLAG != 0 {
                    PRIORITY
                } else {
                    0
                };
                self.fragment = length.saturating_sub(self.before + usize::from(self.pad_length));
            }
            CONTINUATION_FRAME => self.fragment = length,
            _ => self.before = length,
        }
    }

    fn pad(&mut self, length: u8) {
        self.after = usize::from(length).min(self.fragment);
        self.fragment -= self.after;
    }
}

impl Default for AuthorityMask {
    fn default() -> Self {
        Self::new()
    }
}

/// Splits off the first octet. There is one: the callers have looked.
fn take_one(octets: &mut &mut [u8]) -> u8 {
    octets.split_off_first_mut().map_or(0, |octet| *octet)
}

/// Splits off up to `left` octets, and counts them.
fn take<'a>(left: &mut usize, octets: &mut &'a mut [u8]) -> &'a mut [u8] {
    let length = (*left).min(octets.len());
    *left -= length;
    octets.split_off_mut(..length).unwrap_or_default()
}
