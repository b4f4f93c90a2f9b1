//! Where in the HTTP/2 byte stream a peer is: between frames, or in the middle of something.
//!
//! Only lengths are followed (RFC 9113, 3.4 and 4.1); what a frame means is for h2 to judge.

/// The bytes of the client preface.
const PREFACE: usize = 24;
const HEADER: usize = 9;
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;

/// Follows one connection.
#[derive(Debug)]
pub(super) struct Frames {
    /// What is left of the preface or of a payload.
    rest: usize,
    header: [u8; HEADER],
    /// How much of a frame's header has come.
    known: usize,
    /// Between HEADERS and the frame that ends its block.
    in_block: bool,
}

impl Frames {
    pub(super) fn new() -> Self {
        Self {
            rest: PREFACE,
            header: [0; HEADER],
            known: 0,
            in_block: false,
        }
    }

    /// Follows the next bytes.
    pub(super) fn follow(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.rest > 0 {
                let step = self.rest.min(bytes.len());
                self.rest -= step;
                bytes = bytes.get(step..).unwrap_or_default();
                continue;
            }
            let step = (HEADER - self.known).min(bytes.len());
            let (now, later) = bytes.split_at(step);
            if let Some(place) = self.header.get_mut(self.known..self.known + step) {
                place.copy_from_slice(now);
            }
            self.known += step;
            bytes = later;
            if self.known == HEADER {
                self.known = 0;
                let [a, b, c, kind, flags, ..] = self.header;
                self.rest = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
                if kind == HEADERS || kind == CONTINUATION {
                    self.in_block = flags & END_HEADERS == 0;
                }
            }
        }
    }

    /// Whether the peer owes nothing to finish what it began.
    pub(super) fn at_rest(&self) -> bool {
        self.rest == 0 && self.known == 0 && !self.in_block
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(kind: u8, flags: u8, length: usize) -> Vec<u8> {
        let mut frame = (length as u32).to_be_bytes()[1..].to_vec();
        frame.extend([kind, flags, 0, 0, 0, 1]);
        frame.resize(HEADER + length, 0xff);
        frame
    }

    #[test]
    fn a_peer_is_at_rest_after_its_preface_and_after_each_frame_only() {
        let mut frames = Frames::new();
        assert!(!frames.at_rest());
        frames.follow(&[b'P'; PREFACE - 1]);
        assert!(!frames.at_rest());
        frames.follow(b"\n");
        assert!(frames.at_rest());
        for byte in frame(6, 0, 8) {
            frames.follow(&[byte]);
        }
        assert!(frames.at_rest());
        frames.follow(&frame(0, 1, 300)[..20]);
        assert!(!frames.at_rest());
    }

    #[test]
    fn an_open_header_block_is_no_rest() {
        let mut frames = Frames::new();
        frames.follow(&[0; PREFACE]);
        frames.follow(&frame(HEADERS, 0, 5));
        assert!(!frames.at_rest());
        frames.follow(&frame(CONTINUATION, 0, 0));
        assert!(!frames.at_rest());
        frames.follow(&frame(CONTINUATION, END_HEADERS, 7));
        assert!(frames.at_rest());
    }

    proptest! {
        #[test]
        fn how_the_bytes_are_cut_does_not_matter(
            bytes in prop::collection::vec(any::<u8>(), 0..400),
            cut in 0_usize..400,
        ) {
            let (mut whole, mut parts) = (Frames::new(), Frames::new());
            whole.follow(&bytes);
            let (first, second) = bytes.split_at(cut.min(bytes.len()));
            parts.follow(first);
            parts.follow(second);
            prop_assert_eq!(format!("{whole:?}"), format!("{parts:?}"));
        }
    }
}
