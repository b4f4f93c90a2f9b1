//! The inputs that the fuzz targets start from and those that once broke something, without a fuzzer.

use std::{env, fs, panic, path::Path};

use sfvaultd::fuzz;

use crate::{dice::Dice, raw};

type Target = fn(&[u8]);

const TARGETS: [(&str, Target); 15] = [
    ("admin_service", fuzz::admin_service),
    ("audit_file", fuzz::audit_file),
    ("audit_state", fuzz::audit_state),
    ("authority", fuzz::authority),
    ("config", fuzz::config),
    ("oauth_answer", fuzz::oauth_answer),
    ("private_key", fuzz::private_key),
    ("process", fuzz::process),
    ("proxy_answer", fuzz::proxy_answer),
    ("sessions_service", fuzz::sessions_service),
    ("soap_answer", fuzz::soap_answer),
    ("survey", fuzz::survey),
    ("vault_envelope", fuzz::vault_envelope),
    ("vault_header", fuzz::vault_header),
    ("witness_packet", fuzz::witness_packet),
];

/// T18
#[test]
fn no_target_minds_its_corpus_whole_or_cut() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for (name, target) in TARGETS {
        let mut inputs = 0;
        for input in fs::read_dir(corpora.join(name)).unwrap() {
            let path = input.unwrap().path();
            println!("{}", path.display());
            let bytes = fs::read(&path).unwrap();
            target(&bytes);
            for part in [
                bytes.len() / 3,
                bytes.len() / 2,
                bytes.len().saturating_sub(1),
            ] {
                target(&bytes[..part]);
            }
            inputs += 1;
        }
        assert!(inputs >= 5, "{name} has {inputs} inputs");
    }
}

/// T18. Blind, but it needs no fuzzer: `SFVAULT_FUZZ_ROUNDS` says how many inputs each target gets.
#[test]
fn no_target_minds_its_corpus_altered() {
    let rounds = env::var("SFVAULT_FUZZ_ROUNDS").map_or(50, |text| text.parse().unwrap());
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for (name, target) in TARGETS {
        let mut paths: Vec<_> = fs::read_dir(corpora.join(name))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        paths.sort();
        let inputs: Vec<_> = paths.iter().map(|path| fs::read(path).unwrap()).collect();
        let mut dice = Dice(1);
        for _ in 0..rounds {
            let input = altered(&inputs, &mut dice);
            if panic::catch_unwind(|| target(&input)).is_err() {
                panic!("{name}: {input:?}");
            }
        }
        println!("{name}: {rounds} inputs");
    }
}

fn altered(inputs: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut input = inputs[dice.below(inputs.len())].clone();
    for _ in 0..=dice.below(6) {
        let place = dice.below(input.len() + 1);
        let other = &inputs[dice.below(inputs.len())];
        let from = dice.below(other.len() + 1);
        let piece = &other[from..from + dice.below(other.len() - from + 1)];
        let end = place + dice.below(input.len() - place + 1);
        match dice.below(4) {
            0 => drop(input.splice(place..end, piece.iter().copied())),
            1 => drop(input.drain(place..end)),
            2 => input.insert(place, u8::try_from(dice.below(256)).unwrap()),
            _ => {
                if let Some(byte) = input.get_mut(place) {
                    *byte ^= 1 << dice.below(8);
                }
            }
        }
    }
    input
}

/// A call that came later would be left to strangers alone.
#[test]
fn every_call_of_the_services_is_made_and_stands_in_a_corpus() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let ours = |path: &&String| path.starts_with("/sfvault.v1.");
    let methods = raw::methods();
    for path in methods.iter().filter(ours) {
        let of_sessions = path.starts_with("/sfvault.v1.Sessions/");
        let (name, calls) = match of_sessions {
            true => ("sessions_service", fuzz::SESSIONS_CALLS),
            false => ("admin_service", fuzz::ADMIN_CALLS),
        };
        let place = calls.iter().position(|call| call == path);
        let place = place.unwrap_or_else(|| panic!("{name} never calls {path}"));
        let mut inputs = fs::read_dir(corpora.join(name)).unwrap();
        assert!(
            inputs.any(|input| {
                let bytes = fs::read(input.unwrap().path()).unwrap();
                bytes.first().copied().map(usize::from) == Some(place)
            }),
            "no input of {name} calls {path}"
        );
    }
}

/// A target that nobody replays, or a corpus without a target, would go unnoticed.
#[test]
fn every_target_has_a_corpus_and_is_replayed() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    for directory in ["corpus", "fuzz_targets"] {
        let mut names: Vec<_> = fs::read_dir(fuzz.join(directory))
            .unwrap()
            .map(|entry| entry.unwrap().path().file_stem().unwrap().to_owned())
            .collect();
        names.sort();
        assert_eq!(names, TARGETS.map(|(name, _)| name), "{directory}");
    }
}
