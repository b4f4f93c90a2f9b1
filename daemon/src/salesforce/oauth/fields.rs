//! The fields of JSON answers, in memory that is wiped.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error, Visitor},
};
use zeroize::Zeroizing;

/// The longest answer that is read as JSON: grants have 1 or 2 KiB, those with a JWT a few more.
pub(super) const LONGEST_ANSWER: usize = 64 * 1024;

/// A text that may be absent or null. Salesforce sends numbers as texts; should it ever send them as numbers, they are
/// read as texts all the same.
#[derive(Default)]
pub(super) struct Text(Option<Zeroizing<String>>);

impl Text {
    /// The text, unless it is absent or empty.
    pub(super) fn get(&self) -> Option<&str> {
        self.0
            .as_ref()
            .map(|text| text.as_str())
            .filter(|text| !text.is_empty())
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

struct TextVisitor;

impl Visitor<'_> for TextVisitor {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Text, E> {
        Ok(Text(Some(Zeroizing::new(text.to_owned()))))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Text, E> {
        Ok(Text(Some(Zeroizing::new(number.to_string()))))
    }

    fn visit_unit<E: Error>(self) -> Result<Text, E> {
        Ok(Text(None))
    }
}

/// Reads one JSON object. `None` if it is none, is longer than [`LONGEST_ANSWER`], or has a field twice or of a wrong
/// type. What the parser has to say about it might quote it.
pub(super) fn parse<'de, T: Deserialize<'de>>(body: &'de [u8]) -> Option<T> {
    let object = body.trim_ascii_start().starts_with(b"{");
    (object && body.len() <= LONGEST_ANSWER)
        .then(|| serde_json::from_slice(body).ok())
        .flatten()
}
