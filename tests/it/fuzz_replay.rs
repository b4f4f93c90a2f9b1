//! The inputs that the fuzz targets start from and those that once broke something, without a fuzzer.

use std::{fs, path::Path};

use sfvaultd::fuzz;

type Target = fn(&[u8]);

const TARGETS: [(&str, Target); 6] = [
    ("admin_service", fuzz::admin_service),
    ("config", fuzz::config),
    ("sessions_service", fuzz::sessions_service),
    ("soap_answer", fuzz::soap_answer),
    ("vault_envelope", fuzz::vault_envelope),
    ("vault_header", fuzz::vault_header),
];

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
