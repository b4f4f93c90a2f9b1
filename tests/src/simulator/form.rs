//! URL-encoded parameters, of a query or of a form.

/// The parameters of a query or a form, decoded.
#[derive(Debug, Default)]
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    /// Reads `a=1&b=2`. `None`: it is not URL-encoded UTF-8.
    pub(super) fn parse(text: &str) -> Option<Self> {
        text.split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                Some((decode(name)?, decode(value)?))
            })
            .collect::<Option<_>>()
            .map(Self)
    }

    /// The first value of a parameter.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(key, _)| key == name)?;
        Some(value)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// A parameter that comes more than once.
    pub(super) fn repeated(&self) -> Option<&str> {
        let mut names: Vec<&str> = self.names().collect();
        names.sort_unstable();
        names
            .array_windows()
            .find_map(|[one, next]| (one == next).then_some(*one))
    }

    /// These parameters, and others behind them.
    pub(super) fn and(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }
}

/// A text as it may stand in a query.
pub(super) fn encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

pub(super) fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                // from_str_radix would take a sign for a digit.
                if !digits.iter().all(u8::is_ascii_hexdigit) {
                    return None;
                }
                u8::from_str_radix(str::from_utf8(&digits).ok()?, 16).ok()?
            }
            _ => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_or_absent() {
        for (query, value) in [
            ("q=SELECT+Id%2CName", Some("SELECT Id,Name")),
            ("a=1&q=%C3%A9", Some("é")),
            ("q=a=b", Some("a=b")),
            ("q", Some("")),
            ("q=%", None),
            ("q=%C3", None),
            ("q=%zz", None),
            ("q=%+1", None),
            ("", None),
        ] {
            let form = Form::parse(query);
            let found = form.as_ref().and_then(|form| form.get("q"));
            assert_eq!(found, value, "{query}");
        }
    }

    #[test]
    fn what_is_encoded_comes_back() {
        let text = "Pa<s>&\"w'ørd; 1+%=\u{0}";
        assert_eq!(decode(&encode(text)).as_deref(), Some(text));
    }

    #[test]
    fn a_parameter_that_comes_twice_is_found() {
        let twice = Form::parse("a=1&b=2&a=3").unwrap();
        assert_eq!(twice.repeated(), Some("a"));
        assert_eq!(Form::parse("a=1&b=2").unwrap().repeated(), None);
    }
}
