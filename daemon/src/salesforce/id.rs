//! Salesforce record ids: 15 characters where case matters, or 18 where the last three tell the case.

/// What the id of an org starts with.
pub(super) const ORG: &str = "00D";
/// What the id of a user starts with.
pub(super) const USER: &str = "005";

/// An id in its long form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SalesforceId(String);

impl SalesforceId {
    /// Takes 15 or 18 characters whose first three are `prefix`: `00D` for an org, `005` for a user.
    /// `None` if it is no such id, or if the last three of 18 characters do not fit the others.
    pub(super) fn parse(text: &str, prefix: &str) -> Option<Self> {
        let short = text.get(..15)?;
        let well_formed = text.bytes().all(|b| b.is_ascii_alphanumeric());
        if !well_formed || !short.starts_with(prefix) {
            return None;
        }
        let long = format!("{short}{}", suffix(short));
        match text.len() {
            15 => Some(Self(long)),
            18 if text == long => Some(Self(long)),
            _ => None,
        }
    }

    /// All 18 characters.
    pub(super) fn into_string(self) -> String {
        self.0
    }
}

/// Three characters, one for every five of the id: a bit for each that is upper case, the first one lowest.
fn suffix(short: &str) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
    short
        .as_bytes()
        .chunks(5)
        .map(|five| {
            let upper = five.iter().rev().fold(0_usize, |bits, b| {
                bits * 2 + usize::from(b.is_ascii_uppercase())
            });
            char::from(ALPHABET[upper % ALPHABET.len()])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_id_gets_its_suffix_and_a_long_one_must_have_it() {
        for (short, long) in [
            ("00Dxx0000001gPL", "00Dxx0000001gPLEAY"),
            ("005xx000001Sv6A", "005xx000001Sv6AAAS"),
            ("005xx000001SwiU", "005xx000001SwiUAAS"),
            ("00D000000000062", "00D000000000062EAA"),
        ] {
            let prefix = short.get(..3).unwrap();
            for text in [short, long] {
                let id = SalesforceId::parse(text, prefix).unwrap();
                assert_eq!(id.into_string(), long, "{text}");
            }
        }
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for text in [
            "",
            "00D",
            "00Dxx0000001gP",
            "00Dxx0000001gPLE",
            "00Dxx0000001gPLEA",
            "00Dxx0000001gPLEAA",
            "00dxx0000001gpleay",
            "00Dxx0000001gPLEAYx",
            "005xx000001Sv6AAAS",
            "00Dxx0000001g\u{e9}L",
            "00Dxx0000001gP\n",
            " 00Dxx0000001gPL",
        ] {
            assert_eq!(SalesforceId::parse(text, "00D"), None, "{text:?}");
        }
    }
}
