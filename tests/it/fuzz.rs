//! The kept corpus of each fuzz target.

use std::{fs, path::Path};

use sfvault_tests::fuzz;

/// Every file, whole and cut short after every octet.
#[test]
fn connections_in_the_corpus_are_covered_alike_however_they_are_cut() {
    for octets in corpus("authority") {
        for end in 0..=octets.len() {
            fuzz::authority(&octets[..end]);
        }
    }
}

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let files = fs::read_dir(directory.join(target)).unwrap();
    let files: Vec<_> = files
        .map(|file| fs::read(file.unwrap().path()).unwrap())
        .collect();
    assert!(!files.is_empty());
    files
}
