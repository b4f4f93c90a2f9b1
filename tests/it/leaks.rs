//! Looks for secrets where none may be, in each form in which they travel, and for pieces of them.

use std::collections::BTreeSet;

/// A shorter piece could stand there by chance, or be a word.
const PIECE: usize = 8;

/// Fails if a piece of a secret stands in the text. A session id counts from its `!` on: the org before it is no secret.
#[track_caller]
pub(crate) fn assert_none(place: &str, text: &str, secrets: &[&str]) {
    let text = text.to_lowercase();
    for piece in pieces(secrets) {
        if let Some(at) = text.find(&piece) {
            let line = text[..at].rfind('\n').map_or(0, |end| end + 1);
            panic!(
                "`{piece}` of a secret stands in {place}: {}",
                text[line..].lines().next().unwrap()
            );
        }
    }
}

/// Whatever twelve characters of a secret leak, one of these is in them: pieces of eight begin at every fifth place.
fn pieces(secrets: &[&str]) -> BTreeSet<String> {
    let mut pieces = BTreeSet::new();
    for secret in secrets {
        let secret = match secret.split_once('!') {
            Some((org, rest)) if org.starts_with("00D") => rest,
            // A password may have one as well.
            _ => secret,
        };
        assert!(secret.chars().count() >= PIECE, "too short to be sought");
        for form in forms(secret) {
            let form: Vec<char> = form.to_lowercase().chars().collect();
            let last = form.len() - PIECE;
            for start in (0..=last).step_by(5).chain([last]) {
                pieces.insert(form[start..start + PIECE].iter().collect());
            }
        }
    }
    pieces
}

/// As it is, as XML, in a URL, in a form, as Rust and JSON print it, and as each of its three faces in base64.
fn forms(secret: &str) -> Vec<String> {
    let mut xml = String::new();
    let mut url = String::new();
    for c in secret.chars() {
        match c {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '"' => xml.push_str("&quot;"),
            '\'' => xml.push_str("&apos;"),
            c => xml.push(c),
        }
    }
    for byte in secret.bytes() {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'.' | b'_' | b'~' => {
                url.push(char::from(byte));
            }
            byte => url.push_str(&format!("%{byte:02x}")),
        }
    }
    let mut forms = vec![
        secret.to_owned(),
        xml.replace("&apos;", "&#39;"),
        xml,
        url.replace("%20", "+"),
        url,
        format!("{secret:?}"),
        secret.escape_default().to_string(),
    ];
    // What stands before a secret shifts its bits; the digits that hold neighbours' bits are left out.
    forms.extend((0..3).map(|before| {
        let padded = [&[0; 3][..before], secret.as_bytes()].concat();
        let digits = base64(&padded[..padded.len() / 3 * 3]);
        digits[[0, 2, 3][before]..].to_owned()
    }));
    forms
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (threes, _) = bytes.as_chunks::<3>();
    threes
        .iter()
        .flat_map(|three| {
            let bits = three
                .iter()
                .fold(0, |bits, byte| bits << 8 | usize::from(*byte));
            [18, 12, 6, 0].map(|shift| char::from(DIGITS[bits >> shift & 63]))
        })
        .collect()
}

#[test]
fn a_leak_is_found_in_every_form() {
    let secret = "Pa<s>&\"w'ørd; 1Tq3Xb7Lw0Rz";
    for leak in [
        "got Pa<s>&\"w'ørd; 1Tq",
        "<p>Pa&lt;s&gt;&amp;&quot;w&apos;ørd; 1</p>",
        "p=Pa%3Cs%3E%26%22w%27%C3%B8rd%3B+1",
        "p=Pa%3cs%3e%26%22w%27",
        "\"Pa<s>&\\\"w'\\u{f8}rd",
        // `secret`, `usecret` and `u:secret`, as of Python's b64encode.
        "UGE8cz4mIncnw7hyZDsgMVRxM1hiN0x3MFJ6",
        "dVBhPHM+JiJ3J8O4cmQ7IDFUcTNYYjdMdzBSeg==",
        "dTpQYTxzPiYidyfDuHJkOyAxVHEzWGI3THcwUno=",
    ] {
        let found = std::panic::catch_unwind(|| assert_none("a test", leak, &[secret]));
        assert!(found.is_err(), "{leak}");
    }
    assert_none("a test", "Pa<s>&", &[secret]);
}
