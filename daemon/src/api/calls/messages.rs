//! Where one message of a stream of requests ends and the next begins.

/// Before each message: whether it is compressed, one byte, and its length, four (PROTOCOL-HTTP2.md of gRPC,
/// "Length-Prefixed-Message").
const PREFIX: u8 = 5;

/// How far the bytes of a stream have come.
#[derive(Debug, Default)]
pub(super) struct Messages {
    /// How many bytes of the prefix are here.
    prefix: u8,
    /// The length as far as it is known; then how many bytes of the message are missing.
    missing: u32,
}

impl Messages {
    /// These bytes came; returns whether a message has ended in them.
    pub(super) fn pass(&mut self, mut bytes: &[u8]) -> bool {
        let mut ended = false;
        while let [first, rest @ ..] = bytes {
            if self.prefix < PREFIX {
                self.prefix += 1;
                // The first byte, which is no part of the length, is pushed out by the fifth.
                self.missing = self.missing << 8 | u32::from(*first);
                bytes = rest;
            } else {
                let here = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
                let taken = here.min(self.missing);
                self.missing -= taken;
                bytes = bytes.get(taken as usize..).unwrap_or_default();
            }
            if self.prefix == PREFIX && self.missing == 0 {
                *self = Self::default();
                ended = true;
            }
        }
        ended
    }

    /// Whether a message was begun and is not complete.
    pub(super) fn is_amid_one(&self) -> bool {
        self.prefix > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(flag: u8, length: usize) -> Vec<u8> {
        let prefix = u32::try_from(length).unwrap().to_be_bytes();
        [&[flag], &prefix[..], &vec![7; length]].concat()
    }

    #[test]
    fn a_message_has_ended_with_its_last_byte_however_the_bytes_come() {
        let lengths = [0, 1, 300, 0, 70_000, 4];
        let messages = lengths.map(|length| message(1, length));
        let ends: Vec<usize> = messages
            .iter()
            .scan(0, |end, message| {
                *end += message.len();
                Some(*end)
            })
            .collect();
        let stream = messages.concat();
        for size in [1, 2, 5, 7, 64, 16 << 10, stream.len()] {
            let (mut passed, mut come) = (Messages::default(), 0);
            for bytes in stream.chunks(size) {
                let (before, ended) = (come, passed.pass(bytes));
                come += bytes.len();
                assert_eq!(passed.is_amid_one(), !ends.contains(&come), "{size} {come}");
                let has_end = ends.iter().any(|end| (before + 1..=come).contains(end));
                assert_eq!(ended, has_end, "{size} {come}");
            }
        }
    }

    #[test]
    fn the_longest_message_that_can_be_announced_is_begun() {
        let mut passed = Messages::default();
        assert!(!passed.pass(&[0xff; 100_000]) && passed.is_amid_one());
        assert_eq!(passed.missing, u32::MAX - (100_000 - 5));
    }
}
