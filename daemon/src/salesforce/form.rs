//! Forms (`application/x-www-form-urlencoded`): what is posted to OAuth endpoints, and the errors that some answer with.

use zeroize::Zeroizing;

use super::buffer::WipedBuffer;

/// A form that may hold secrets, in memory that is wiped.
pub(super) struct Form(WipedBuffer);

impl Form {
    pub(super) fn new() -> Self {
        Self(WipedBuffer::with_capacity(4096))
    }

    /// Adds a field. `name` needs no encoding.
    #[must_use]
    pub(super) fn with(self, name: &'static str, value: &str) -> Self {
        self.with_joined(name, [value])
    }

    /// Adds a field whose value is these texts, one after the other.
    #[must_use]
    pub(super) fn with_joined<'a>(
        mut self,
        name: &'static str,
        values: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        if self.0.len() > 0 {
            self.0.push(b"&");
        }
        self.0.push(name.as_bytes());
        self.0.push(b"=");
        for byte in values.into_iter().flat_map(str::bytes) {
            match byte {
                b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'.' | b'_' | b'*' => {
                    self.0.push(&[byte]);
                }
                b' ' => self.0.push(b"+"),
                byte => {
                    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
                    let digit = |half: u8| DIGITS[usize::from(half)];
                    self.0.push(&[b'%', digit(byte >> 4), digit(byte & 15)]);
                }
            }
        }
        self
    }

    pub(super) fn into_body(self) -> WipedBuffer {
        self.0
    }
}

/// The first value of a field in a form that somebody else wrote; `None` if it is absent or malformed.
pub(super) fn field(form: &str, name: &str) -> Option<Zeroizing<String>> {
    let value = form
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find_map(|(key, value)| (key == name).then_some(value))?;
    decode(value)
}

fn decode(text: &str) -> Option<Zeroizing<String>> {
    let mut out = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            byte => byte,
        });
    }
    str::from_utf8(&out)
        .ok()
        .map(|text| Zeroizing::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(form: Form) -> String {
        String::from_utf8(form.into_body().as_ref().to_vec()).unwrap()
    }

    #[test]
    fn all_but_letters_digits_and_a_few_marks_is_encoded() {
        let form = Form::new()
            .with("grant_type", "password")
            .with_joined("password", ["a&b=c d+é%", "T0ken"]);
        assert_eq!(
            text(form),
            "grant_type=password&password=a%26b%3Dc+d%2B%C3%A9%25T0ken"
        );
    }

    #[test]
    fn a_malformed_value_is_none() {
        for form in [
            "",
            "error",
            "error=%",
            "error=%4",
            "error=%zz",
            "error=%ff",
            "x=1",
        ] {
            assert_eq!(field(form, "error"), None, "{form}");
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_read_again(a in any::<String>(), b in any::<String>()) {
            let form = text(Form::new().with("a", &a).with("b", &b));
            prop_assert_eq!(field(&form, "a"), Some(Zeroizing::new(a)));
            prop_assert_eq!(field(&form, "b"), Some(Zeroizing::new(b)));
        }
    }
}
