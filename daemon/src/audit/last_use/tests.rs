//! Lines that an earlier daemon left, and how they are read back.

use std::{cell::Cell, fs, path::Path};

use super::*;
use crate::audit::line::finished;

fn entry(seq: u64, record: &str, unit: &str) -> Entry {
    Entry {
        seq,
        time: format!("time {seq}"),
        action: "get".to_owned(),
        verdict: "served".to_owned(),
        count: 1,
        record: Some(record.to_owned()),
        unit: Some(unit.to_owned()),
        ..Entry::default()
    }
}

fn units(last: &LastUse) -> Vec<&str> {
    let units = last.users.iter();
    units
        .map(|last| last.user.unit.as_deref().unwrap())
        .collect()
}

/// Files with lines that an earlier daemon wrote, and one that reads them back.
struct Past {
    directory: tempfile::TempDir,
    uses: LastUses,
    /// How many files were opened.
    opened: Cell<usize>,
}

impl Past {
    /// Each file begins with this line; all of a line are of the record `r` and its number.
    fn new(files: &[(&str, std::ops::Range<u64>)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut head = Head {
            chain: 0,
            next: 0,
            first: 0,
            length: 0,
        };
        for (name, numbers) in files {
            head.first = numbers.start;
            let lines = numbers.clone().map(|seq| {
                let long = "x".repeat(usize::try_from(seq * 997 % 8_000).unwrap());
                let entry = entry(seq, &format!("r{seq}"), &long);
                finished(&entry.body(), &[0; 32])
            });
            let text = lines.collect::<String>();
            head.length = text.len() as u64;
            fs::write(directory.path().join(name), text).unwrap();
        }
        let uses = LastUses::default();
        uses.opened(head);
        Self {
            directory,
            uses,
            opened: Cell::new(0),
        }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn of(&self, record: &str, most: u64, grows_from: u64) -> LastUse {
        let records = [record.to_owned()];
        let open = |place| {
            self.opened.set(self.opened.get() + 1);
            open_before(&Files::new(self.path()), grows_from, place)
        };
        self.uses.of(&records, most, open).remove(0)
    }

    /// Asks until there is an answer, and tells how often that was.
    fn ask(&self, record: &str, grows_from: u64) -> usize {
        let unread = |_: &usize| self.of(record, 1, grows_from).unread;
        let asked = (1..100).take_while(unread).last().unwrap_or(0);
        assert!(asked < 99, "there is no end");
        asked
    }
}

#[test]
fn the_last_users_are_named_newest_first_whatever_the_order_of_the_lines() {
    let uses = LastUses::default();
    uses.note(&[
        entry(5, "prod", "a"),
        entry(6, "prod", "b"),
        entry(7, "prod", "a"),
    ]);
    uses.note(&[
        entry(2, "prod", "c"),
        entry(1, "prod", "b"),
        entry(9, "uat", "d"),
    ]);
    let of = |record: &str| uses.of(&[record.to_owned()], 0, |_| Ok(None)).remove(0);
    let last = of("prod");
    assert_eq!(units(&last), ["a", "b", "c"]);
    assert_eq!((last.users[0].at.as_str(), last.more), ("time 7", false));
    uses.note(&[entry(8, "prod", "d")]);
    let last = of("prod");
    assert_eq!((units(&last), last.more), (vec!["d", "a", "b"], true));
}

#[test]
fn only_who_was_handed_a_session_used_it() {
    let uses = LastUses::default();
    let denied = Entry {
        verdict: "denied".to_owned(),
        ..entry(1, "prod", "a")
    };
    let shown = Entry {
        action: "show".to_owned(),
        ..entry(2, "prod", "a")
    };
    uses.note(&[denied, shown]);
    let last = uses.of(&["prod".to_owned()], 0, |_| Ok(None)).remove(0);
    assert_eq!(units(&last), [""; 0]);
    assert!(last.unread, "the files were never open");
}

#[test]
fn older_lines_are_read_a_part_at_a_time_and_none_is_missed() {
    let past = Past::new(&[
        ("audit-000000000001.jsonl", 1..31),
        ("audit-000000000031.jsonl", 31..40),
        ("audit.jsonl", 40..60),
    ]);
    assert!(past.ask("r1", 40) > 3);
    let opened = past.opened.get();
    for seq in 1..60 {
        let last = past.of(&format!("r{seq}"), 1, 40);
        assert_eq!(last.users.len(), 1, "{seq}");
    }
    assert_eq!(past.opened.get(), opened, "what is known is not read again");
    past.ask("nobody", 40);
    let opened = past.opened.get();
    assert_eq!(past.of("nobody", 1, 40), LastUse::default());
    assert_eq!(past.opened.get(), opened, "nothing is left to read");
}

#[test]
fn a_file_that_is_full_meanwhile_is_known_by_its_new_name_and_one_that_was_removed_is_not_missed() {
    let past = Past::new(&[
        ("audit-000000000001.jsonl", 1..3),
        ("audit-000000000003.jsonl", 3..20),
        ("audit.jsonl", 20..40),
    ]);
    assert!(past.of("r20", 1, 20).unread);
    let full = past.path().join("audit-000000000020.jsonl");
    fs::rename(past.path().join("audit.jsonl"), full).unwrap();
    // What this daemon wrote itself is noted, not read.
    fs::write(past.path().join("audit.jsonl"), "no line\n").unwrap();
    fs::remove_file(past.path().join("audit-000000000003.jsonl")).unwrap();
    past.ask("r1", 40);
    for (record, known) in [("r20", 1), ("r3", 0), ("r2", 1), ("r1", 1)] {
        assert_eq!(past.of(record, 1, 40).users.len(), known, "{record}");
    }
}

#[test]
fn the_first_question_reads_back_even_if_somebody_came_since_the_start() {
    let past = Past::new(&[("audit.jsonl", 1..3)]);
    past.uses.note(&[entry(3, "r2", "operator")]);
    let last = past.of("r2", 1 << 20, 1);
    assert_eq!(units(&last).len(), 2);
    assert_eq!(units(&last)[0], "operator");
}

#[test]
fn what_is_no_line_does_no_harm() {
    let past = Past::new(&[("audit.jsonl", 1..3)]);
    let path = past.path().join("audit.jsonl");
    let lines = fs::read(&path).unwrap();
    let junk = vec![b'x'; 3 * LONGEST];
    let text = [&lines[..], &junk, b"\n\xff\n", &lines].concat();
    fs::write(&path, &text).unwrap();
    past.uses.noted().began = Some(Place {
        first: 1,
        offset: text.len() as u64,
    });
    past.ask("nobody", 1);
    assert_eq!(past.of("r1", 1, 1).users.len(), 1);
}
