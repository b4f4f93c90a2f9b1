use proptest::prelude::*;

use super::*;

fn keys(vault: u8, key: u8) -> Keys {
    Keys::new(VaultId([vault; 16]), secret(&[key; 32]))
}

fn secret(bytes: &[u8; 32]) -> Secret32 {
    Secret32(Locked::copy_of(bytes))
}

fn place(record: u8, field: Field, version: u64) -> Place {
    Place {
        record: RecordId([record; 16]),
        field,
        version,
    }
}

const PLACE: Place = Place {
    record: RecordId([3; 16]),
    field: Field::Password,
    version: 5,
};

#[test]
fn debug_shows_no_key() {
    assert_eq!(format!("{:?}", keys(1, 2)), "Keys(..)");
}

#[test]
fn a_sealed_value_opens_in_its_place_only() {
    let sealed = keys(1, 2).seal(PLACE, b"hunter2").unwrap();
    assert_eq!(**keys(1, 2).open(PLACE, &sealed).unwrap(), *b"hunter2");
    for other in [
        place(4, Field::Password, 5),
        place(3, Field::SecurityToken, 5),
        place(3, Field::NoSecurityToken, 5),
        place(3, Field::Record, 5),
        place(3, Field::Password, 4),
        place(3, Field::Password, 6),
        place(3, Field::Password, u64::MAX),
    ] {
        assert_eq!(
            keys(1, 2).open(other, &sealed),
            Err(NotAuthentic),
            "{other:?}"
        );
        // Nor does it help to write the other version in front.
        let mut relabelled = sealed.clone();
        relabelled[..8].copy_from_slice(&other.version.to_be_bytes());
        assert_eq!(
            keys(1, 2).open(other, &relabelled),
            Err(NotAuthentic),
            "{other:?}"
        );
    }
    assert_eq!(keys(9, 2).open(PLACE, &sealed), Err(NotAuthentic));
    assert_eq!(keys(1, 9).open(PLACE, &sealed), Err(NotAuthentic));
}

#[test]
fn every_bit_of_a_sealed_value_counts() {
    let sealed = keys(1, 2).seal(PLACE, b"hunter2").unwrap();
    let mut altered = sealed.clone();
    for byte in 0..sealed.len() {
        for bit in 0..8 {
            altered[byte] ^= 1 << bit;
            assert_eq!(
                keys(1, 2).open(PLACE, &altered),
                Err(NotAuthentic),
                "byte {byte}, bit {bit}"
            );
            altered[byte] ^= 1 << bit;
        }
    }
    assert_eq!(altered, sealed);
}

#[test]
fn a_sealed_value_of_another_length_is_not_authentic() {
    let sealed = keys(1, 2).seal(PLACE, b"hunter2").unwrap();
    for length in 0..sealed.len() {
        assert_eq!(
            keys(1, 2).open(PLACE, &sealed[..length]),
            Err(NotAuthentic),
            "{length}"
        );
    }
    let longer = [sealed.as_slice(), &[0]].concat();
    assert_eq!(keys(1, 2).open(PLACE, &longer), Err(NotAuthentic));
}

#[test]
fn every_bit_of_a_header_and_its_code_counts() {
    let header = br#"{"format":1}"#;
    let code = keys(1, 2).header_code(header).unwrap();
    assert!(keys(1, 2).header_is_authentic(header, code.as_ref()));
    assert!(!keys(1, 3).header_is_authentic(header, code.as_ref()));
    assert!(!keys(2, 2).header_is_authentic(header, code.as_ref()));
    let flips = |bytes: &[u8]| -> Vec<Vec<u8>> {
        (0..bytes.len() * 8)
            .map(|bit| {
                let mut flipped = bytes.to_vec();
                flipped[bit / 8] ^= 1 << (bit % 8);
                flipped
            })
            .collect()
    };
    for flipped in flips(header) {
        assert!(!keys(1, 2).header_is_authentic(&flipped, code.as_ref()));
    }
    for flipped in flips(code.as_ref()) {
        assert!(!keys(1, 2).header_is_authentic(header, &flipped));
    }
    for length in 0..code.as_ref().len() {
        assert!(!keys(1, 2).header_is_authentic(header, &code.as_ref()[..length]));
    }
}

/// What this test opens was sealed by another program, from the format's description alone:
/// Python's `cryptography`, with HKDF-SHA256 and ChaCha20-Poly1305 of OpenSSL.
#[test]
fn another_implementation_of_the_format_is_understood() {
    let sealed = [
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x05, 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06,
        0x07, 0x08, 0x09, 0x0a, 0x0b, 0xbb, 0xe9, 0x56, 0x8d, 0x23, 0xd5, 0x5a, 0x9b, 0x4a, 0xf9,
        0xff, 0xd4, 0x90, 0x3f, 0x2f, 0xbe, 0x6b, 0x68, 0x46, 0x34, 0x9e, 0xab, 0x85,
    ];
    assert_eq!(**keys(1, 2).open(PLACE, &sealed).unwrap(), *b"hunter2");
    assert_eq!(
        keys(1, 2).header_code(b"header").unwrap().as_ref(),
        [
            0x49, 0xbd, 0xfd, 0x89, 0x17, 0x24, 0x53, 0x28, 0x63, 0xb0, 0xf7, 0xb9, 0x30, 0xf6,
            0x30, 0x51, 0x58, 0xc9, 0x25, 0xa8, 0xb9, 0x2a, 0xea, 0xf8, 0x08, 0x4a, 0x02, 0xc0,
            0xa6, 0x2c, 0x0b, 0x86
        ]
    );
}

#[test]
fn keys_and_nonces_are_never_the_same() {
    let one = keys(1, 2).seal(PLACE, b"hunter2").unwrap();
    let two = keys(1, 2).seal(PLACE, b"hunter2").unwrap();
    assert_ne!(one[8..20], two[8..20], "nonces");
    assert_ne!(random_key().unwrap().bytes(), random_key().unwrap().bytes());
    assert_ne!(random::<16>().unwrap(), random::<16>().unwrap());
}

proptest! {
    #[test]
    fn what_is_sealed_can_be_opened(
        text in prop::collection::vec(any::<u8>(), 0..2000),
        record: [u8; 16],
        version: u64,
    ) {
        let place = Place { record: RecordId(record), field: Field::Record, version };
        let sealed = keys(1, 2).seal(place, &text).unwrap();
        prop_assert_eq!(claimed_version(&sealed), Some(version));
        prop_assert_eq!(&**keys(1, 2).open(place, &sealed).unwrap(), &text);
    }

    #[test]
    fn any_change_of_place_key_or_byte_is_noticed(
        text in prop::collection::vec(any::<u8>(), 0..200),
        what in 0..5_usize,
        at: prop::sample::Index,
        difference in 1..=255_u8,
    ) {
        let mut sealed = keys(1, 2).seal(PLACE, &text).unwrap();
        let mut place = PLACE;
        let (mut vault, mut key) = ([1; 16], [2; 32]);
        match what {
            0 => { let at = at.index(sealed.len()); sealed[at] ^= difference; }
            1 => place.record.0[at.index(16)] ^= difference,
            2 => place.version ^= u64::from(difference) << (8 * at.index(8)),
            3 => vault[at.index(16)] ^= difference,
            _ => key[at.index(32)] ^= difference,
        }
        let keys = Keys::new(VaultId(vault), secret(&key));
        prop_assert_eq!(keys.open(place, &sealed), Err(NotAuthentic));
    }

    #[test]
    fn no_bytes_make_opening_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        prop_assert_eq!(keys(1, 2).open(PLACE, &bytes), Err(NotAuthentic));
    }
}
