//! Reads a file line by line, whatever is in it, with a bounded buffer.

use std::io::{self, BufRead};

use super::line::LONGEST;

/// A file's lines.
#[derive(Debug)]
pub(super) struct Lines<R> {
    reader: R,
    /// Where the next line begins, in bytes.
    offset: u64,
    buffer: Vec<u8>,
}

/// One of them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Raw<'b> {
    /// Without its line feed. Of a line that is too long, somewhat more than the longest may have.
    pub(super) bytes: &'b [u8],
    /// Where it begins.
    pub(super) offset: u64,
    /// Whether a line feed ends it.
    pub(super) ended: bool,
}

impl<R: BufRead> Lines<R> {
    /// `offset` is where the reader is.
    pub(super) fn new(reader: R, offset: u64) -> Self {
        Self {
            reader,
            offset,
            buffer: Vec::new(),
        }
    }

    /// What is left of the reader, wherever it is.
    pub(super) fn into_inner(self) -> R {
        self.reader
    }

    /// The next line; `None` at the end.
    ///
    /// # Errors
    /// If the file can't be read.
    pub(super) fn next(&mut self) -> io::Result<Option<Raw<'_>>> {
        self.buffer.clear();
        let start = self.offset;
        let mut ended = false;
        while !ended {
            let chunk = match self.reader.fill_buf() {
                Ok([]) => break,
                Ok(chunk) => chunk,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let feed = chunk.iter().position(|byte| *byte == b'\n');
            let part = chunk.get(..feed.unwrap_or(chunk.len())).unwrap_or_default();
            let room = (LONGEST + 1).saturating_sub(self.buffer.len());
            self.buffer
                .extend_from_slice(part.get(..room.min(part.len())).unwrap_or_default());
            let used = part.len() + usize::from(feed.is_some());
            ended = feed.is_some();
            self.reader.consume(used);
            self.offset += used as u64;
        }
        if self.offset == start {
            return Ok(None);
        }
        Ok(Some(Raw {
            bytes: &self.buffer,
            offset: start,
            ended,
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    #[test]
    fn lines_come_with_their_places_and_an_endless_one_takes_no_memory() {
        let text = [&b"one\n\n"[..], &vec![b'x'; 5 * LONGEST], b"\ntorn"].concat();
        let mut lines = Lines::new(BufReader::with_capacity(100, text.as_slice()), 7);
        let mut seen = Vec::new();
        while let Some(raw) = lines.next().unwrap() {
            seen.push((raw.bytes.len(), raw.offset, raw.ended));
        }
        let long = 5 * LONGEST as u64;
        assert_eq!(
            seen,
            [
                (3, 7, true),
                (0, 11, true),
                (LONGEST + 1, 12, true),
                (4, 13 + long, false)
            ]
        );
        assert_eq!(lines.offset, 17 + long);
        assert!(lines.buffer.capacity() < 4 * LONGEST);
    }
}
