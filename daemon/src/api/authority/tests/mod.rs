//! The mask before the real h2.

mod client;
mod judge;

use proptest::{collection::vec, option, prelude::*, sample::select};

use self::{
    client::{Client, Literal, Name, ODD, PERCENT, PLAIN, RAW, Shape, Style},
    judge::{Seen, Verdict, judge},
};
use super::AuthorityMask;

const AUTHORITY: &[u8] = b":authority";
const PATH: &[u8] = b"/sfvault.v1.Sessions/GetSession";
const LITERALS: [Literal; 3] = [Literal::Indexed, Literal::NotIndexed, Literal::NeverIndexed];
const NAMES: [Name; 4] = [Name::Static, Name::Dynamic, Name::Plain, Name::Huffman];

fn covered(octets: &[u8]) -> Vec<u8> {
    covered_in_pieces(octets, &[usize::MAX])
}

/// The pieces' lengths, again and again.
fn covered_in_pieces(octets: &[u8], pieces: &[usize]) -> Vec<u8> {
    let mut mask = AuthorityMask::new();
    let mut octets = octets.to_vec();
    let mut rest = octets.as_mut_slice();
    for length in pieces.iter().cycle() {
        let Some(piece) = rest.split_off_mut(..(*length).min(rest.len())) else {
            break;
        };
        mask.cover(piece);
        if rest.is_empty() {
            break;
        }
    }
    octets
}

fn request(authority: &str, fields: &[(&str, &str)]) -> Seen {
    Seen {
        authority: authority.to_owned(),
        path: String::from_utf8(PATH.to_vec()).unwrap(),
        fields: fields
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()))
            .collect(),
    }
}

/// What a client sends that makes two calls, the second of which refers to the fields of the first.
fn two_calls(authority: &[u8], style: Style) -> (Vec<u8>, usize) {
    let mut client = Client::new();
    let mut coded = 0;
    for _ in 0..2 {
        client.preamble(PATH);
        coded = client.field(AUTHORITY, authority, style);
        client.field(b"x-job", b"nightly load of accounts", style);
        client.send(&Shape::WHOLE);
    }
    (client.sent, coded)
}

/// The day it fails, h2 takes such names: delete this directory and the line in `Connection::poll_read`.
#[test]
fn h2_alone_still_refuses_the_path_of_a_socket() {
    for authority in [PERCENT, RAW] {
        let (sent, _) = two_calls(authority, PLAIN);
        let verdict = judge(&sent);
        assert_eq!(verdict.seen, [], "h2 takes it: {authority:?}");
    }
}

#[test]
fn every_way_to_write_an_authority_gets_through() {
    for authority in [PERCENT, RAW, ODD, b"localhost", b"a:b:c@", &[b'/'; 5000]] {
        for (literal, name) in LITERALS
            .iter()
            .flat_map(|literal| NAMES.map(|name| (*literal, name)))
        {
            for huffman in [false, true] {
                let style = Style {
                    whole: true,
                    literal,
                    name,
                    huffman,
                };
                let (sent, coded) = two_calls(authority, style);
                let seen = request(&"X".repeat(coded), &[("x-job", "nightly load of accounts")]);
                let verdict = Verdict {
                    seen: vec![seen; 2],
                    ended: None,
                };
                assert_eq!(judge(&covered(&sent)), verdict, "{authority:?} {style:?}");
            }
        }
    }
}

#[test]
fn a_stream_may_be_cut_anywhere() {
    let mut client = Client::new();
    for (frames, padding) in [(1, None), (99, Some(0)), (3, Some(9)), (1, Some(255))] {
        for huffman in [true, false] {
            client.preamble(PATH);
            let style = Style {
                whole: false,
                name: Name::Huffman,
                huffman,
                ..PLAIN
            };
            client.field(AUTHORITY, PERCENT, style);
            client.field(
                AUTHORITY,
                PERCENT,
                Style {
                    whole: true,
                    ..style
                },
            );
            client.send(&Shape {
                frames,
                padding,
                priority: huffman,
            });
        }
    }
    let whole = covered(&client.sent);
    assert_ne!(whole, client.sent);
    assert_eq!(covered_in_pieces(&client.sent, &[1]), whole);
    for cut in 1..client.sent.len() {
        assert_eq!(
            covered_in_pieces(&client.sent, &[cut, usize::MAX]),
            whole,
            "{cut}"
        );
    }
}

#[test]
fn nothing_but_authorities_changes() {
    let mut client = Client::new();
    client.frame(0x0, 0, b"\0\0\x07\x01\x05\0\0\0\x01\x41\x05a/b/c");
    client.preamble(b"/:authority");
    let named: [(&[u8], &[u8]); 7] = [
        (b"authority", RAW),
        (b":authoritx", RAW),
        (b":authorit", RAW),
        (b":authority2", RAW),
        (b"", RAW),
        (b"x-job", AUTHORITY),
        (AUTHORITY, b""),
    ];
    for (name, value) in named {
        for way in NAMES {
            client.field(
                name,
                value,
                Style {
                    whole: false,
                    name: way,
                    ..PLAIN
                },
            );
        }
    }
    client.field(b"user-agent", RAW, PLAIN);
    client.send(&Shape::WHOLE);
    assert_eq!(covered(&client.sent), client.sent);
}

/// 126 entries without text leave room for one more in 4096 octets.
#[test]
fn a_name_is_known_by_its_index_as_long_as_the_table_keeps_it() {
    for younger in [0, 1, 61, 126] {
        let mut mask = AuthorityMask::new();
        let mut block = b"\x41\x01/".to_vec();
        block.extend(b"\x40\0\0".repeat(younger));
        let index = u8::try_from(62 + younger - 15).unwrap();
        let number = if index < 0x80 {
            vec![0x0f, index]
        } else {
            vec![0x0f, index, 1]
        };
        block.extend(number);
        block.extend(b"\x03a/b");
        let mut client = Client::new();
        client.frame(0x1, 0x5, &block);
        mask.cover(&mut client.sent);
        assert!(client.sent.ends_with(b"\x03XXX"), "{younger}");
    }
}

#[test]
fn what_is_malformed_is_left_to_h2() {
    let blocks: [&[u8]; 6] = [
        b"\x41\xff\xff\xff\xff\xff\x01/",
        b"\x41\x7f\xff\xff\xff\xff\x7f/",
        b"\x7f\xff\xff\xff\xff\xff\xff\x01/",
        b"\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x80",
        b"\xbe\x41",
    ];
    for block in blocks {
        let mut client = Client::new();
        client.frame(0x1, 0x5, block);
        let alone = judge(&client.sent);
        assert!(alone.ended.is_some(), "{block:?}");
        assert_eq!(judge(&covered(&client.sent)), alone, "{block:?}");
    }
    for (kind, flags, payload) in [
        (0x1, 0x2d, &b""[..]),
        (0x1, 0x0d, b"\xff\x41\x01/"),
        (0x1, 0x25, b"\0\0"),
        (0x9, 0x4, b"\x41\x01/"),
        (0x5, 0x4, b"\0\0\0\x02\x41\x01/"),
        (0x1, 0x5, &[0x41; 20_000]),
    ] {
        let mut client = Client::new();
        client.frame(kind, flags, payload);
        client.frame(0x0, 0x1, b"\x41\x01/");
        let alone = judge(&client.sent);
        assert!(alone.ended.is_some(), "{kind} {flags}");
        assert_eq!(judge(&covered(&client.sent)), alone, "{kind} {flags}");
    }
}

/// One request of a random client.
#[derive(Debug, Clone)]
struct Call {
    authority: (Vec<u8>, Style),
    /// The number in the name, the value.
    fields: Vec<(u8, Vec<u8>, Style)>,
    room: Option<usize>,
    shape: Shape,
}

fn styles() -> impl Strategy<Value = Style> {
    (
        any::<bool>(),
        select(&LITERALS[..]),
        select(&NAMES[..]),
        any::<bool>(),
    )
        .prop_map(|(whole, literal, name, huffman)| Style {
            whole,
            literal,
            name,
            huffman,
        })
}

fn calls() -> impl Strategy<Value = Call> {
    let names = vec![PERCENT, RAW, ODD, b"localhost", b"localhost:50051"];
    let authority = prop_oneof![
        select(names).prop_map(<[u8]>::to_vec),
        vec(0x20..0x7f_u8, 1..400)
    ];
    let value = vec(0x21..0x7f_u8, 1..300);
    let shape = (1..5_usize, option::of(any::<u8>()), any::<bool>());
    (
        (authority, styles()),
        vec((0..4_u8, value, styles()), 0..8),
        option::of(0..=4096_usize),
        shape.prop_map(|(frames, padding, priority)| Shape {
            frames,
            padding,
            priority,
        }),
    )
        .prop_map(|(authority, fields, room, shape)| Call {
            authority,
            fields,
            room,
            shape,
        })
}

proptest! {
    /// Evictions included: if the two tables ever differed, an index would give a wrong field, or none.
    #[test]
    fn h2_sees_what_the_client_sent_but_for_the_authority(
        calls in vec(calls(), 1..8),
        pieces in vec(1..200_usize, 1..6),
    ) {
        let mut client = Client::new();
        let mut expected = Vec::new();
        for call in &calls {
            if let Some(room) = call.room {
                client.resize(room);
            }
            client.preamble(PATH);
            let coded = client.field(AUTHORITY, &call.authority.0, call.authority.1);
            for (number, value, style) in &call.fields {
                client.field(format!("x-{number}").as_bytes(), value, *style);
            }
            client.send(&call.shape);
            let mut request = request(&"X".repeat(coded), &[]);
            for (number, value, _) in &call.fields {
                request.fields.push((format!("x-{number}"), value.clone()));
            }
            request.fields.sort_by(|a, b| a.0.cmp(&b.0));
            expected.push(request);
        }
        let mut verdict = judge(&covered_in_pieces(&client.sent, &pieces));
        for seen in &mut verdict.seen {
            seen.fields.sort_by(|a, b| a.0.cmp(&b.0));
        }
        prop_assert_eq!(verdict, Verdict { seen: expected, ended: None });
    }

    #[test]
    fn any_octets_are_covered_the_same_in_any_pieces_and_only_once(
        frames in vec((select(vec![0x0, 0x1, 0x1, 0x9]), any::<u8>(), vec(any::<u8>(), 0..60)), 0..12),
        noise in vec(any::<u8>(), 0..60),
        pieces in vec(1..50_usize, 1..6),
    ) {
        let mut client = Client::new();
        for (kind, flags, payload) in frames {
            client.frame(kind, flags, &payload);
        }
        client.sent.extend(noise);
        let whole = covered(&client.sent);
        prop_assert_eq!(&covered_in_pieces(&client.sent, &pieces), &whole);
        prop_assert_eq!(&covered(&whole), &whole);
    }
}
