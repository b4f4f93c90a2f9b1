//! Lines, files and states that somebody changed, removed or set back (T46), and what only looks so.

use super::*;

/// A home whose files, state and all, were set back to what they were before the last line.
async fn set_back() -> Home {
    let home = told(2).await;
    let old = ["audit.jsonl", "audit.state"].map(|name| (name, fs::read(home.file(name)).unwrap()));
    let running = home.start();
    running.tell("secret deed").await;
    running.stop().await;
    for (name, bytes) in old {
        fs::write(home.file(name), bytes).unwrap();
    }
    home
}

/// T46: every byte of every line.
#[tokio::test]
async fn a_changed_byte_is_found_in_its_line() {
    let home = told(2).await;
    let good = home.lines();
    for (number, line) in good.iter().enumerate() {
        for at in (0..line.len() - 1).step_by(41).chain([line.len() - 2]) {
            let mut bad = good.clone();
            let mut bytes = line.clone().into_bytes();
            bytes[at] ^= 1;
            bad[number] = String::from_utf8_lossy(&bytes).into_owned();
            home.put(&bad);
            let place = format!("audit.jsonl:{} is not", number + 1);
            let state = fs::read(home.file("audit.state")).unwrap();
            assert_found(&home.findings().await, &place, "");
            fs::write(home.file("audit.state"), state).unwrap();
        }
    }
    home.put(&good);
    assert_eq!(home.findings().await, []);
}

/// T46
#[tokio::test]
async fn a_removed_a_doubled_and_two_swapped_lines_are_found_where_they_were() {
    let home = told(3).await;
    let good = home.lines();
    let state = fs::read(home.file("audit.state")).unwrap();
    let check = async |lines: Vec<String>, place: &str, words: &str| {
        home.put(&lines);
        assert_found(&home.findings().await, place, words);
        fs::write(home.file("audit.state"), &state).unwrap();
    };
    let mut removed = good.clone();
    removed.remove(2);
    check(removed, "audit.jsonl:3 ", "line 3 is missing before it").await;
    let mut first = good.clone();
    first.remove(0);
    check(first, "audit.jsonl:1 ", "lines before 2 are missing").await;
    let mut doubled = good.clone();
    doubled.insert(3, good[1].clone());
    check(doubled, "audit.jsonl:4 ", "is line 2, out of its place").await;
    let mut swapped = good.clone();
    swapped.swap(1, 2);
    check(
        swapped.clone(),
        "audit.jsonl:2 ",
        "line 2 is missing before it",
    )
    .await;
    check(swapped, "audit.jsonl:3 ", "is line 2, out of its place").await;
    let mut invented = good.clone();
    invented.insert(2, "{\"action\":\"get\"}\n".to_owned());
    check(invented, "audit.jsonl:3 ", "is not a line").await;
}

/// T46
#[tokio::test]
async fn a_cut_tail_is_found_by_the_next_start_and_by_every_check_after_it() {
    let home = told(3).await;
    let good = home.lines();
    for keep in [0, 1, good.len() - 1] {
        let state = fs::read(home.file("audit.state")).unwrap();
        home.put(&good[..keep]);
        let found = home.findings().await;
        assert_found(&found, "audit.jsonl:", "shorter than it was");
        assert_found(&found, &format!("audit.jsonl:{} ", keep + 1), "missing");
        fs::write(home.file("audit.state"), state).unwrap();
    }
    fs::remove_file(home.file("audit.jsonl")).unwrap();
    assert_found(&home.findings().await, "audit.jsonl:", "is gone");
}

/// T46: while the daemon runs.
#[tokio::test]
async fn a_file_that_is_cut_or_replaced_under_the_daemon_is_noticed() {
    let home = Home::new();
    let running = home.start();
    // What is written later would notice first.
    let told = async |record| {
        running.tell(record).await;
        running.audit.0.as_ref().unwrap().flush().await;
    };
    told("a").await;
    let good = home.lines();
    home.put(&good[..1]);
    let cut = running.audit.begin(Action::SET, Who::default(), None).await;
    assert!(matches!(cut, Err(Error::AuditUnavailable(_))), "{cut:?}");
    assert!(running.audit.warnings()[0].contains("written by somebody else"));
    // It is opened anew, and tells.
    told("b").await;
    let warnings = running.audit.warnings();
    assert!(
        matches!(warnings.as_slice(), [one] if one.contains("`sfvault log verify`")),
        "{warnings:?}"
    );
    fs::rename(home.file("audit.jsonl"), home.file("elsewhere")).unwrap();
    let replaced = running.audit.begin(Action::SET, Who::default(), None).await;
    assert!(matches!(replaced, Err(Error::AuditUnavailable(_))));
    running.tell("c").await;
    let report = running.audit.verify().await.unwrap();
    assert_found(&report.findings, "audit.jsonl:", "is gone");
    running.stop().await;
}

/// T46: the vault remembers more.
#[tokio::test]
async fn a_whole_directory_set_back_is_known_by_the_vault() {
    let home = set_back().await;
    let found = home.findings().await;
    assert_found(&found, "audit.jsonl:", "the vault remembers");
    // And it goes on remembering.
    assert_found(
        &home.findings().await,
        "audit.jsonl:",
        "the vault remembers",
    );
}

/// T46: the same, and then so many attempts to unlock that there are as many lines as before.
#[tokio::test]
async fn lines_in_the_place_of_those_that_were_set_back_are_known_by_the_vault() {
    let home = set_back().await;
    let locked = home.start_locked();
    for _ in 0..4 {
        locked.tell("nothing").await;
    }
    locked.kill().await;
    let running = home.start();
    let warnings = running.audit.warnings();
    assert!(warnings[0].contains("the vault remembers"), "{warnings:?}");
    running.stop().await;
    assert_found(
        &home.findings().await,
        "audit.jsonl:",
        "the vault remembers",
    );
}

/// T46: a line that claims to be a later one must not hide what is wrong after it, nor keep the check busy.
#[tokio::test]
async fn a_forged_line_from_the_future_hides_nothing() {
    let home = told(4).await;
    let good = home.lines();
    let mut bad = good.clone();
    bad.insert(1, good[7].replace("\"set\"", "\"get\""));
    bad.insert(
        1,
        good[0].replace("\"seq\":1,", "\"seq\":9007199254740993,"),
    );
    home.put(&bad);
    let found = home.findings().await;
    assert_found(&found, "audit.jsonl:2 ", "which was never written");
    assert_found(&found, "audit.jsonl:3 ", "is not line 8 as it was written");
    assert!(
        found.iter().all(|found| found.line < 4 || found.line > 10),
        "{found:?}"
    );
}

/// T46
#[tokio::test]
async fn a_state_that_is_removed_damaged_or_of_another_audit_is_told() {
    let other = told(1).await;
    let foreign = fs::read(other.file("audit.state")).unwrap();
    for state in [None, Some(b"garbage".to_vec()), Some(foreign)] {
        let home = told(2).await;
        let lines = home.lines().len();
        match state {
            None => fs::remove_file(home.file("audit.state")).unwrap(),
            Some(bytes) => fs::write(home.file("audit.state"), bytes).unwrap(),
        }
        let found = home.findings().await;
        assert!(!found.is_empty());
        assert!(
            found.iter().all(|found| found.line > lines as u64),
            "the old lines are as good as before: {found:?}"
        );
        // What comes after it is a chain that holds.
        let running = home.start();
        running.tell("later").await;
        running.stop().await;
        assert_eq!(home.findings().await.len(), found.len());
    }
}

/// T46: the state of yesterday does no harm: the lines after it prove themselves.
#[tokio::test]
async fn a_state_that_is_behind_is_no_alarm() {
    let home = told(1).await;
    let old = fs::read(home.file("audit.state")).unwrap();
    let running = home.start();
    running.tell("more").await;
    running.kill().await;
    fs::write(home.file("audit.state"), old).unwrap();
    assert_eq!(home.findings().await, []);
}

/// T46: power goes while a line is written.
#[tokio::test]
async fn a_torn_last_line_is_cut_off_without_an_alarm() {
    let home = told(2).await;
    let running = home.start();
    let old = fs::read(home.file("audit.state")).unwrap();
    running.tell("last").await;
    running.kill().await;
    let good = home.lines();
    let last = good.last().unwrap();
    for length in [1, last.len() / 2, last.len() - 1] {
        let mut torn = good.clone();
        torn.pop();
        torn.push(last.get(..length).unwrap().to_owned());
        home.put(&torn);
        fs::write(home.file("audit.state"), &old).unwrap();
        assert_eq!(home.findings().await, [], "{length}");
        assert!(home.lines().iter().all(|line| line.ends_with("}\n")));
    }
}

/// T46: what somebody has who steals what the daemon needs to go on.
#[tokio::test]
async fn the_files_hold_no_key_of_a_line_that_is_written() {
    let home = Home::new();
    let locked = home.start_locked();
    locked.tell("before the first unlock").await;
    locked.kill().await;
    assert!(
        !seed_file(&home).contains("\"seed\":null"),
        "it must be somewhere"
    );
    let running = home.start();
    assert!(
        seed_file(&home).contains("\"seed\":null"),
        "the vault has it now"
    );
    let before = seed_file(&home);
    running.tell("x").await;
    running.stop().await;
    let key = |text: &str| {
        // What fills the block follows it.
        let mut values = serde_json::Deserializer::from_str(text).into_iter::<serde_json::Value>();
        let state = values.next().unwrap().unwrap();
        state["key"].as_str().unwrap().to_owned()
    };
    assert_ne!(key(&before), key(&seed_file(&home)));
    assert_eq!(home.findings().await, []);
}
