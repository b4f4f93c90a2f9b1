//! The first octets of a connection, covered before h2 sees them.

use crate::api::authority::AuthorityMask;

/// The two octets that the mask writes: the letter X, plain and in Huffman's code.
const LETTERS: [u8; 2] = [b'X', 0xfc];

/// Whatever a peer sends, and however the socket cuts it, the same octets are covered, with letters, once.
///
/// # Panics
/// If they are not.
pub fn authority(octets: &[u8]) {
    let whole = covered(octets, |_| usize::MAX);
    assert_eq!(covered(octets, |_| 1), whole);
    assert_eq!(covered(octets, |next| 1 + usize::from(next % 64)), whole);
    assert_eq!(covered(&whole, |_| usize::MAX), whole);
    for (was, is) in octets.iter().zip(&whole) {
        assert!(was == is || LETTERS.contains(is), "{was:#x} became {is:#x}");
    }
}

/// `length` says how long the piece is that begins with this octet.
fn covered(octets: &[u8], length: impl Fn(u8) -> usize) -> Vec<u8> {
    let mut mask = AuthorityMask::new();
    let mut octets = octets.to_vec();
    let mut rest = octets.as_mut_slice();
    while let Some(first) = rest.first() {
        let (piece, later) = rest.split_at_mut(length(*first).min(rest.len()));
        mask.cover(piece);
        rest = later;
    }
    octets
}
