use proptest::prelude::*;

use super::*;

const KEY: &str = include_str!("rsa-2048.pem");
const PKCS1: &str = include_str!("rsa-2048-pkcs1.pem");
const CERTIFICATE: &str = include_str!("certificate.pem");

fn refused(pem: &str) -> NotAKey {
    parse(pem).map(drop).unwrap_err()
}

#[test]
fn both_forms_of_a_key_are_read_and_what_stands_beside_it_does_not_matter() {
    let public = |pem: &str| parse(pem).unwrap().public().as_ref().to_vec();
    let expected = public(KEY);
    for pem in [
        PKCS1.to_owned(),
        format!("{CERTIFICATE}{KEY}"),
        format!("Bag Attributes\n  friendlyName: app\n{KEY}\n{CERTIFICATE}"),
        KEY.replace('\n', "\r\n"),
        KEY.trim_end().to_owned(),
    ] {
        assert_eq!(public(&pem), expected, "{pem}");
    }
}

#[test]
fn what_is_given_instead_is_named() {
    for (pem, problem) in [
        ("", NotAKey::NotPem),
        ("hunter2", NotAKey::NotPem),
        (CERTIFICATE, NotAKey::Certificate),
        (include_str!("public.pem"), NotAKey::PublicKey),
        (include_str!("encrypted.pem"), NotAKey::Encrypted),
        (include_str!("encrypted-pkcs1.pem"), NotAKey::Encrypted),
        (include_str!("ec.pem"), NotAKey::EllipticCurve),
        (include_str!("ec-sec1.pem"), NotAKey::EllipticCurve),
        (include_str!("rsa-1024.pem"), NotAKey::TooSmall),
        (include_str!("rsa-8192.pem"), NotAKey::TooLarge),
        (
            "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blbg==\n-----END OPENSSH PRIVATE KEY-----\n",
            NotAKey::OpenSsh,
        ),
        (
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
            NotAKey::Damaged,
        ),
        (
            "-----BEGIN PRIVATE KEY-----\n!!!!\n-----END PRIVATE KEY-----\n",
            NotAKey::Damaged,
        ),
        ("-----BEGIN PRIVATE KEY-----\nAAAA", NotAKey::Damaged),
    ] {
        assert_eq!(refused(pem), problem, "{pem}");
    }
}

#[test]
fn a_key_that_lost_a_line_or_a_character_is_damaged() {
    let lines: Vec<&str> = KEY.lines().collect();
    for lost in 1..lines.len() - 1 {
        let mut rest = lines.clone();
        rest.remove(lost);
        assert_eq!(refused(&rest.join("\n")), NotAKey::Damaged, "line {lost}");
    }
}

#[test]
fn no_problem_quotes_what_was_given() {
    for problem in [NotAKey::Damaged, NotAKey::TooSmall, NotAKey::Encrypted] {
        let said = format!("{problem} {problem:?}");
        assert!(!said.contains("MII") && !said.ends_with('.'), "{said}");
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in any::<String>(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let _ = parse(&text);
        let mut damaged = KEY.as_bytes().to_vec();
        let at = at.index(damaged.len());
        damaged[at] = byte;
        let _ = parse(&String::from_utf8_lossy(&damaged));
    }
}
