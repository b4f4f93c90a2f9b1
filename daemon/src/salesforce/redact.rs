//! Makes a foreign text fit to be shown: no secret nor a piece of one, no control character, not long.
//!
//! Salesforce quotes what it received in some errors, cut off and escaped in ways nobody documents. So
//! this looks for every four characters that a secret contains, in each form in which it may come back.

use zeroize::Zeroizing;

/// What stands where a secret stood.
const REDACTED: &str = "[redacted]";

/// The longest text that is shown, in characters.
const LONGEST: usize = 300;

/// How much of a foreign text is looked at, in characters: enough to fill what is shown.
const CONSIDERED: usize = 4096;

/// Words of an XML parser that quotes what follows an ampersand, which may be the rest of a password.
const QUOTING: [&str; 3] = ["reference to entity", "entity reference", "the entity \""];

/// A shorter piece of a secret says nothing and occurs in every text.
const FRAGMENT: usize = 4;

/// A text that may be shown, made from one that may not.
///
/// `known` lists texts that Salesforce sends whatever the secret is. One that `text` starts with is kept
/// as it is; otherwise the gap in it would tell what the secret contains.
pub(super) fn redact(text: &str, secrets: &[&str], known: &[&str]) -> String {
    let clean = printable(text);
    let lower = Zeroizing::new(clean.to_ascii_lowercase());
    if QUOTING.iter().any(|words| lower.contains(words)) {
        return "Salesforce could not read the request; its words are withheld, for they may quote it"
            .to_owned();
    }
    let kept = known
        .iter()
        .map(|known| printable(known))
        .filter(|known| clean.starts_with(known.as_str()))
        .map(|known| known.len())
        .max()
        .unwrap_or(0);
    let mut hidden = vec![false; clean.len()];
    for secret in secrets {
        for form in forms(secret) {
            hide(&clean, &form, &mut hidden);
        }
    }
    hide_sessions(&clean, &mut hidden);
    if let Some(head) = hidden.get_mut(..kept) {
        head.fill(false);
    }
    let mut shown = String::with_capacity(LONGEST);
    let mut gap = false;
    for (c, hidden) in clean.chars().zip(hidden) {
        if hidden && !gap {
            shown.push_str(REDACTED);
        } else if !hidden {
            shown.push(c);
        }
        gap = hidden;
    }
    if shown.len() > LONGEST {
        shown.truncate(LONGEST - 3);
        shown.push_str("...");
    }
    shown
}

/// Printable ASCII, one byte a character: white space becomes a space, anything else a question mark.
fn printable(text: &str) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(text.len().min(CONSIDERED)));
    out.extend(text.chars().take(CONSIDERED).map(|c| match c {
        ' '..='~' => c,
        '\u{2018}' | '\u{2019}' => '\'',
        c if c.is_whitespace() => ' ',
        _ => '?',
    }));
    out
}

/// A secret as it is, XML-escaped and percent-encoded.
fn forms(secret: &str) -> [Zeroizing<String>; 3] {
    // Each character becomes at most 6 (`&quot;`) or, per byte, 3.
    let mut xml = Zeroizing::new(String::with_capacity(secret.len() * 6));
    let mut percent = Zeroizing::new(String::with_capacity(secret.len() * 3));
    for c in secret.chars() {
        match c {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '"' => xml.push_str("&quot;"),
            '\'' => xml.push_str("&apos;"),
            _ => xml.push(c),
        }
    }
    for byte in secret.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            percent.push(char::from(byte));
        } else {
            percent.push('%');
            for digit in [byte >> 4, byte & 15] {
                percent.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
            }
        }
    }
    [printable(secret), printable(&xml), printable(&percent)]
}

/// Marks every piece of `secret` in `text` that has four characters or is the whole of it. Case is
/// ignored, so that `%2F` and `%2f` are one, and a server that changes case gives nothing away.
fn hide(text: &str, secret: &str, hidden: &mut [bool]) {
    let length = secret.len().min(FRAGMENT);
    if length == 0 {
        return;
    }
    let fragments = || secret.as_bytes().windows(length);
    for (start, piece) in text.as_bytes().windows(length).enumerate() {
        if fragments().any(|fragment| fragment.eq_ignore_ascii_case(piece)) {
            mark(hidden, start, length);
        }
    }
}

/// Marks what looks like a session id, whoever's it is: `00D` and more before a `!`, or a JWT.
fn hide_sessions(text: &str, hidden: &mut [bool]) {
    let token = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'!');
    for start in ["00D", "eyJ"]
        .into_iter()
        .flat_map(|head| text.match_indices(head))
    {
        let (start, _) = start;
        let tail = text.as_bytes().get(start..).unwrap_or_default();
        let length = tail.iter().take_while(|b| token(b)).count();
        let word = tail.get(..length).unwrap_or_default();
        if word.contains(&b'!') || (word.starts_with(b"eyJ") && word.contains(&b'.')) {
            mark(hidden, start, length);
        }
    }
}

fn mark(hidden: &mut [bool], start: usize, length: usize) {
    if let Some(part) = hidden.get_mut(start..start + length) {
        part.fill(true);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(text: &str, secrets: &[&str]) -> String {
        redact(text, secrets, &[])
    }

    /// T43.
    #[test]
    fn a_secret_is_hidden_in_every_form_and_in_pieces() {
        let secrets = ["p&ss/w<rd99", "T0K3Nabcdef"];
        for text in [
            "bad: p&ss/w<rd99",
            "bad: p&amp;ss/w&lt;rd99",
            "bad: p%26ss%2Fw%3Crd99",
            "bad: p%26ss%2fw%3crd99",
            "bad: w<rd",
            "bad: T0K3Nabcdef",
            "bad: t0k3nABCDEF",
            "bad: abcd",
        ] {
            let shown = shown(text, &secrets);
            assert_eq!(shown, "bad: [redacted]", "{text}");
        }
    }

    #[test]
    fn sessions_are_hidden_whoevers_they_are() {
        assert_eq!(
            shown(
                "id 00Dxx0000001gPL!AR8AQ.x_y for org 00Dxx0000001gPL, eyJhbGci.eyJzdWIi.sig-n",
                &[]
            ),
            "id [redacted] for org 00Dxx0000001gPL, [redacted]"
        );
    }

    #[test]
    fn the_words_of_an_xml_parser_are_withheld() {
        let text = "The reference to entity \"Cl\" must end with the ';' delimiter.";
        assert!(shown(text, &[]).contains("withheld") && !shown(text, &[]).contains("Cl\""));
    }

    #[test]
    fn identity_is_no_entity() {
        assert_eq!(shown("confirm your identity", &[]), "confirm your identity");
    }

    #[test]
    fn what_salesforce_always_says_is_kept_and_what_it_adds_is_not() {
        let known = ["Invalid username, password."];
        let text = "Invalid username, password. You sent password1";
        assert_eq!(
            redact(text, &["password1"], &known),
            "Invalid username, password. You sent [redacted]"
        );
    }

    #[test]
    fn a_terminal_is_safe_from_it() {
        assert_eq!(
            shown("a\u{1b}[2J\r\nb\u{202e}\u{e9}\u{9b}c company\u{2019}s", &[]),
            "a?[2J  b???c company's"
        );
    }

    #[test]
    fn a_secret_of_foreign_letters_is_hidden_too() {
        let secret = "пароль-42";
        let shown = shown("you sent пароль-42.", &[secret]);
        assert_eq!(shown, "you sent [redacted].");
    }

    #[test]
    fn an_empty_or_tiny_secret_is_no_trouble() {
        assert_eq!(shown("a cat", &[""]), "a cat");
        assert_eq!(shown("a cat", &["cat"]), "a [redacted]");
    }

    proptest! {
        #[test]
        fn nothing_of_a_secret_is_left(
            before in "[ -~]{0,400}", secret in "[ -~]{4,60}", after in any::<String>(), cut in 0..60_usize,
        ) {
            let piece: String = secret.chars().skip(cut % (secret.len() - 3)).collect();
            let shown = shown(&format!("{before}{piece}{after}"), &[&secret]);
            let rest = shown.replace(REDACTED, "\n").to_ascii_lowercase();
            for fragment in secret.to_ascii_lowercase().as_bytes().windows(FRAGMENT) {
                let fragment = std::str::from_utf8(fragment).unwrap();
                // A cut-off `[redacted` at the end is no secret.
                let rest = rest.split("[red").next().unwrap();
                prop_assert!(!rest.contains(fragment), "{fragment:?} in {shown:?}");
            }
        }

        #[test]
        fn whatever_is_shown_is_short_printable_ascii(text in any::<String>()) {
            let shown = shown(&text.repeat(20), &["hunter2"]);
            prop_assert!(shown.len() <= LONGEST && shown.bytes().all(|b| (b' '..=b'~').contains(&b)));
        }
    }
}
