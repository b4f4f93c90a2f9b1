//! The table of the threat model names tests that exist and carry the number of their row.

use std::{fs, path::Path};

const README: &str = include_str!("../../daemon/README.md");

/// The file of that name in the table.
fn source(name: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    ["daemon/src", "tests", "client/tests", "client/src"]
        .iter()
        .find_map(|home| fs::read_to_string(root.join(home).join(name)).ok())
        .unwrap_or_else(|| panic!("there is no `{name}`"))
}

/// Whether a doc comment has this number; the one before a function, where that is named.
fn carries(source: &str, number: &str, function: Option<&str>) -> bool {
    let mut comment = String::new();
    source.lines().map(str::trim).any(|line| {
        if line.starts_with("///") {
            comment.push_str(line);
            comment.push(' ');
            return false;
        }
        let is_it = line.split_once("fn ").is_some_and(|(_, rest)| {
            function.is_none_or(|name| rest.split('(').next() == Some(name))
        });
        let words = comment.split(|c: char| !c.is_ascii_alphanumeric());
        let found = is_it && words.into_iter().any(|word| word == number);
        if !line.starts_with('#') {
            comment.clear();
        }
        found
    })
}

#[test]
fn every_test_in_the_table_exists_and_carries_its_number() {
    let mut number = 0;
    for row in README.lines().filter(|line| line.starts_with("| T")) {
        let cells: Vec<_> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [name, _, held_by] = cells.as_slice() else {
            panic!("{row}");
        };
        number += 1;
        assert_eq!(*name, format!("T{number}"));
        let mut file: Option<String> = None;
        for token in held_by.split('`').skip(1).step_by(2) {
            if token.ends_with(".rs") {
                let text = source(token);
                assert!(carries(&text, name, None), "{name} in {token}");
                file = Some(text);
            } else {
                let text = file.as_ref().unwrap_or_else(|| panic!("{row}"));
                assert!(carries(text, name, Some(token)), "{name}: {token}");
            }
        }
        let explained = ["no test", "not held", "does not arise"];
        assert!(
            file.is_some() || explained.iter().any(|word| held_by.starts_with(word)),
            "{row}"
        );
    }
    assert_eq!(number, 52);
}
