//! The chain: each line names the code of the line before it, and its own code covers all of that, under a key that is
//! used for this line only.
//!
//! The keys follow from each other by a one-way function, and each is wiped when the next is made. Who gets the present
//! key can write lines from now on; to change an earlier one he would need a key that is nowhere any more but in the
//! vault, sealed, as the first of all.

use std::fmt;

use ring::{
    hmac,
    rand::{SecureRandom as _, SystemRandom},
};
use zeroize::Zeroizing;

use super::line::{Code, Entry, Line, finished};
use crate::hex::{from_hex, to_hex};

/// The first key of a chain, from which all others follow.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Seed {
    /// Which chain.
    pub(super) chain: u32,
    /// The number of its first line.
    pub(super) first: u64,
    pub(super) key: Key,
}

/// A key of a chain.
pub(super) type Key = Zeroizing<[u8; 32]>;

/// Where a chain is: all that the next line needs.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) chain: u32,
    /// Of the next line.
    pub(super) seq: u64,
    /// For the next line.
    pub(super) key: Key,
    /// Of the line before.
    pub(super) code: Code,
}

/// The system gives no random bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct NoRandom;

impl Seed {
    /// A new chain, whose first line has this number.
    ///
    /// # Errors
    /// If the system gives no random bytes.
    pub(super) fn random(first: u64) -> Result<Self, NoRandom> {
        let (mut chain, mut key) = ([0; 4], Key::default());
        let random = SystemRandom::new();
        random.fill(&mut chain).map_err(|_| NoRandom)?;
        random.fill(key.as_mut_slice()).map_err(|_| NoRandom)?;
        Ok(Self {
            chain: u32::from_be_bytes(chain),
            first,
            key,
        })
    }

    /// Before the first line.
    #[must_use]
    pub(super) fn start(&self) -> Link {
        Link {
            chain: self.chain,
            seq: self.first,
            key: self.key.clone(),
            code: [0; 32],
        }
    }
}

impl Link {
    /// Makes the entry the next line, and returns its text.
    pub(super) fn write(&mut self, entry: &mut Entry) -> String {
        entry.seq = self.seq;
        entry.chain = chain_name(self.chain);
        entry.after = beginning(&self.code);
        let body = entry.body();
        let code = self.code_of(&body);
        self.advance();
        self.code = code;
        finished(&body, &code)
    }

    /// Whether this is the next line and follows the one before; if so, goes on to the one after it.
    pub(super) fn accept(&mut self, line: &Line<'_>) -> bool {
        let accepted = self.is_genuine(line) && line.entry.after == beginning(&self.code);
        if accepted {
            self.pass(line);
        }
        accepted
    }

    /// Whether this is the line of the next number as it was written, whatever came before it.
    #[must_use]
    pub(super) fn is_genuine(&self, line: &Line<'_>) -> bool {
        line.entry.seq == self.seq
            && chain_number(&line.entry.chain) == Some(self.chain)
            && same(&self.code_of(line.body), &line.code)
    }

    /// Goes on to the line after this one, genuine or not.
    pub(super) fn pass(&mut self, line: &Line<'_>) {
        self.advance();
        self.code = line.code;
    }

    /// Goes on without a line to where the line of this number is next; never back.
    pub(super) fn skip_to(&mut self, seq: u64) {
        while self.seq < seq {
            self.advance();
        }
    }

    fn code_of(&self, body: &str) -> Code {
        let key = hmac::Key::new(
            hmac::HMAC_SHA256,
            &derived(&self.key, b"sfvault audit line v1")[..],
        );
        bytes(&hmac::sign(&key, body.as_bytes()))
    }

    fn advance(&mut self) {
        self.key = derived(&self.key, b"sfvault audit next v1");
        self.seq = self.seq.saturating_add(1);
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("chain", &chain_name(self.chain))
            .field("seq", &self.seq)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Seed({})", chain_name(self.chain))
    }
}

/// A chain's name in the file.
#[must_use]
pub(super) fn chain_name(chain: u32) -> String {
    to_hex(&chain.to_be_bytes())
}

/// The reverse of [`chain_name`].
#[must_use]
pub(super) fn chain_number(name: &str) -> Option<u32> {
    from_hex(name).map(u32::from_be_bytes)
}

fn beginning(code: &Code) -> String {
    to_hex(code.first_chunk::<8>().map_or(&[][..], |start| start))
}

fn derived(key: &Key, purpose: &[u8]) -> Key {
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key[..]);
    Zeroizing::new(bytes(&hmac::sign(&key, purpose)))
}

/// HMAC-SHA256 gives 32 bytes.
fn bytes(tag: &hmac::Tag) -> Code {
    tag.as_ref().try_into().unwrap_or([0; 32])
}

/// In a time that does not tell where they differ.
fn same(a: &Code, b: &Code) -> bool {
    a.iter().zip(b).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::audit::event::{Action, Event, Verdict};

    fn seed() -> Seed {
        Seed {
            chain: 7,
            first: 1,
            key: Zeroizing::new([3; 32]),
        }
    }

    fn written(link: &mut Link, record: &str) -> String {
        let event = Event {
            record: Some(record.into()),
            ..Event::new(Action::GET, Verdict::Served)
        };
        link.write(&mut Entry::new(&event, SystemTime::UNIX_EPOCH, 1))
    }

    fn accepted(link: &mut Link, text: &str) -> bool {
        Line::parse(text.trim_end().as_bytes()).is_ok_and(|line| link.accept(&line))
    }

    #[test]
    fn lines_are_accepted_in_their_order_and_in_no_other() {
        let mut writer = seed().start();
        let lines: Vec<_> = ["a", "b", "c"]
            .map(|name| written(&mut writer, name))
            .into();
        let mut reader = seed().start();
        assert!(!accepted(&mut reader, &lines[1]));
        assert!(accepted(&mut reader, &lines[0]));
        assert!(!accepted(&mut reader, &lines[0]));
        assert!(!accepted(&mut reader, &lines[2]));
        assert!(accepted(&mut reader, &lines[1]) && accepted(&mut reader, &lines[2]));
        assert_eq!(reader, writer);
    }

    #[test]
    fn no_byte_of_a_line_can_change() {
        let line = written(&mut seed().start(), "prod");
        for at in 0..line.len() - 1 {
            let mut altered = line.clone().into_bytes();
            altered[at] ^= 1;
            let altered = String::from_utf8_lossy(&altered);
            assert!(
                !accepted(&mut seed().start(), &altered),
                "byte {at}: {altered}"
            );
        }
    }

    /// Whoever steals what the daemon has now can't make the line before.
    #[test]
    fn the_present_key_makes_no_earlier_line() {
        let mut writer = seed().start();
        let first = written(&mut writer, "a");
        let stolen = writer.clone();
        let mut thief = Link {
            seq: 1,
            code: [0; 32],
            ..stolen
        };
        let forged = written(&mut thief, "a");
        assert_ne!(first, forged);
        assert!(!accepted(&mut seed().start(), &forged));
    }

    #[test]
    fn a_line_of_another_chain_or_after_another_line_is_not_accepted() {
        let mut writer = seed().start();
        let first = written(&mut writer, "a");
        let second = written(&mut writer, "b");
        let mut other = Seed { chain: 8, ..seed() }.start();
        assert!(!accepted(&mut other, &first));
        let mut reader = seed().start();
        reader.skip_to(2);
        assert!(!accepted(&mut reader, &second), "it follows another line");
    }

    #[test]
    fn debug_shows_no_key() {
        let shown = format!("{:?} {:?}", seed(), seed().start());
        assert_eq!(
            shown,
            "Seed(00000007) Link { chain: \"00000007\", seq: 1, .. }"
        );
    }
}
