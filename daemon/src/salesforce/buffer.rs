//! A buffer for what may hold a secret: when it grows, what it leaves behind is wiped.

use zeroize::Zeroizing;

/// Bytes that are wiped when dropped and when moved to a larger allocation.
#[derive(Default)]
pub(super) struct WipedBuffer(Zeroizing<Vec<u8>>);

impl WipedBuffer {
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self(Zeroizing::new(Vec::with_capacity(capacity)))
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        let needed = self.0.len().saturating_add(bytes.len());
        if needed > self.0.capacity() {
            // `Vec` would free the old allocation as it is.
            let mut larger = Zeroizing::new(Vec::with_capacity(needed.max(self.0.capacity() * 2)));
            larger.extend_from_slice(&self.0);
            self.0 = larger;
        }
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn push_char(&mut self, c: char) {
        self.push(c.encode_utf8(&mut [0; 4]).as_bytes());
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl AsRef<[u8]> for WipedBuffer {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl From<&[u8]> for WipedBuffer {
    fn from(bytes: &[u8]) -> Self {
        let mut buffer = Self::with_capacity(bytes.len());
        buffer.push(bytes);
        buffer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_keeps_what_was_pushed_while_it_grows() {
        let mut buffer = WipedBuffer::default();
        for n in 0..1000_u32 {
            buffer.push(&n.to_be_bytes());
        }
        buffer.push_char('é');
        let expected: Vec<u8> = (0..1000_u32)
            .flat_map(u32::to_be_bytes)
            .chain("é".bytes())
            .collect();
        assert_eq!((buffer.len(), buffer.as_ref()), (4002, expected.as_slice()));
    }
}
