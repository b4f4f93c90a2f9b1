//! The audit as a whole: real files, a real vault, and somebody who tampers with them (T45, T46).

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::SystemTime,
};

use tempfile::TempDir;

use super::{event::Traced, verify::Finding, *};
use crate::{
    clock::SystemClock,
    secret::{Passphrase, SessionId},
    store::KdfCost,
};

/// A data directory and its vault.
struct Home {
    directory: TempDir,
    store: Arc<Store>,
    keys: Keys,
    settings: Settings,
}

/// An audit that is written, with the vault unlocked.
struct Running {
    audit: Audit,
    writer: task::JoinHandle<()>,
}

impl Home {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let cost = KdfCost {
            memory_kib: 8 * 1024,
            iterations: 1,
            lanes: 1,
        };
        let path = directory.path().join("vault.redb");
        let passphrase = Passphrase::new(b"correct horse".to_vec());
        let (store, keys) = Store::create(&path, &passphrase, cost).unwrap();
        Self {
            directory,
            store: Arc::new(store),
            keys,
            settings: Settings {
                journald: false,
                ..Settings::default()
            },
        }
    }

    fn start(&self) -> Running {
        let running = self.start_locked();
        running.audit.unlocked(&self.store, &self.keys);
        running
    }

    fn start_locked(&self) -> Running {
        let audit = Audit::open(self.path(), self.settings.clone(), Arc::new(SystemClock));
        let writer = audit.clone();
        let writer = tokio::spawn(async move { match writer.run().await {} });
        Running { audit, writer }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// The lines of `audit.jsonl`.
    fn lines(&self) -> Vec<String> {
        let text = fs::read_to_string(self.file("audit.jsonl")).unwrap();
        text.lines().map(|line| format!("{line}\n")).collect()
    }

    fn put(&self, lines: &[String]) {
        fs::write(self.file("audit.jsonl"), lines.concat()).unwrap();
    }

    /// What a daemon that starts now finds out about its files.
    async fn findings(&self) -> Vec<Finding> {
        let running = self.start();
        let report = running.audit.verify().await.unwrap();
        running.kill().await;
        report.findings
    }
}

impl Running {
    async fn tell(&self, record: &str) {
        let begun = self
            .audit
            .begin(Action::SET, Who::default(), Some(record.to_owned()))
            .await
            .unwrap();
        begun.end(None);
    }

    /// As a daemon that is told to end.
    async fn stop(self) {
        self.writer.abort();
        let _ = self.writer.await;
        self.audit.finish().await;
        gone(self.audit).await;
    }

    /// As a daemon that is killed.
    async fn kill(self) {
        self.writer.abort();
        let _ = self.writer.await;
        gone(self.audit).await;
    }
}

/// Until the last thread of it has let the files go, as when a process is gone.
async fn gone(audit: Audit) {
    let shared = Arc::downgrade(audit.0.as_ref().unwrap());
    drop(audit);
    while shared.strong_count() > 0 {
        task::yield_now().await;
    }
}

fn seed_file(home: &Home) -> String {
    fs::read_to_string(home.file("audit.state")).unwrap()
}

/// A home with lines of a daemon that has ended.
async fn told(count: usize) -> Home {
    let home = Home::new();
    let running = home.start();
    for number in 0..count {
        running.tell(&format!("record-{number}")).await;
    }
    running.stop().await;
    home
}

fn problems(findings: &[Finding]) -> Vec<String> {
    findings
        .iter()
        .map(|found| format!("{}:{} {}", found.file, found.line, found.problem))
        .collect()
}

#[track_caller]
fn assert_found(findings: &[Finding], place: &str, words: &str) {
    let shown = problems(findings);
    assert!(
        shown
            .iter()
            .any(|found| found.starts_with(place) && found.contains(words)),
        "{place} {words}: {shown:#?}"
    );
}

#[tokio::test]
async fn an_untouched_audit_is_whole_across_starts_stops_and_kills() {
    let home = Home::new();
    for round in 0..6 {
        let running = home.start();
        running.tell("prod").await;
        if round % 2 == 0 {
            running.stop().await;
        } else {
            running.kill().await;
        }
        assert_eq!(home.findings().await, []);
    }
    let mode = |name| fs::metadata(home.file(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("audit.jsonl"), mode("audit.state")), (0o600, 0o600));
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
    running.tell("a").await;
    let good = home.lines();
    home.put(&good[..1]);
    let cut = running.audit.begin(Action::SET, Who::default(), None).await;
    assert!(matches!(cut, Err(Error::AuditUnavailable(_))), "{cut:?}");
    assert!(running.audit.warnings()[0].contains("written by somebody else"));
    // It is opened anew, and tells.
    running.tell("b").await;
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

/// T46: files, state and all set back to what they were; the vault remembers more.
#[tokio::test]
async fn a_whole_directory_set_back_is_known_by_the_vault() {
    let home = told(2).await;
    let old = ["audit.jsonl", "audit.state"].map(|name| (name, fs::read(home.file(name)).unwrap()));
    let running = home.start();
    running.tell("secret deed").await;
    running.stop().await;
    for (name, bytes) in old {
        fs::write(home.file(name), bytes).unwrap();
    }
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
    let home = told(2).await;
    let old = ["audit.jsonl", "audit.state"].map(|name| (name, fs::read(home.file(name)).unwrap()));
    let running = home.start();
    running.tell("secret deed").await;
    running.stop().await;
    for (name, bytes) in old {
        fs::write(home.file(name), bytes).unwrap();
    }
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
        let state: serde_json::Value = serde_json::from_str(
            text.split_once('}')
                .unwrap()
                .0
                .to_owned()
                .as_str()
                .trim_end(),
        )
        .or_else(|_| serde_json::from_str(&format!("{}}}", text.split_once('}').unwrap().0)))
        .unwrap();
        state["key"].as_str().unwrap().to_owned()
    };
    assert_ne!(key(&before), key(&seed_file(&home)));
    assert_eq!(home.findings().await, []);
}

#[tokio::test]
async fn files_are_full_at_their_size_and_the_chain_goes_on_in_the_next() {
    let mut home = Home::new();
    home.settings.file_bytes = 2000;
    let running = home.start();
    for _ in 0..24 {
        running.tell("prod").await;
    }
    running.kill().await;
    let names = |home: &Home| {
        let pieces = files::Files::new(home.path()).list().unwrap();
        pieces.iter().map(files::Piece::name).collect::<Vec<_>>()
    };
    let all = names(&home);
    assert!(all.len() > 3, "{all:?}");
    assert_eq!(all[0], "audit-000000000001.jsonl");
    for name in &all {
        assert!(fs::metadata(home.file(name)).unwrap().len() <= 2000);
    }
    assert_eq!(home.findings().await, []);

    // A file in the middle, altered or gone.
    let text = fs::read_to_string(home.file(&all[1])).unwrap();
    fs::write(home.file(&all[1]), text.replacen("prod", "uat_", 1)).unwrap();
    assert_found(
        &home.findings().await,
        &format!("{}:1 ", all[1]),
        "as it was written",
    );
    fs::remove_file(home.file(&all[1])).unwrap();
    assert_found(
        &home.findings().await,
        &format!("{}:1 ", all[2]),
        "missing before it",
    );
    fs::write(home.file(&all[1]), &text).unwrap();
    fs::remove_file(home.file(&all[0])).unwrap();
    assert_found(&home.findings().await, &format!("{}:1 ", all[1]), "missing");
}

#[tokio::test]
async fn the_operator_may_limit_the_files_and_that_is_no_alarm() {
    let mut home = Home::new();
    (home.settings.file_bytes, home.settings.keep_files) = (2000, Some(2));
    let running = home.start();
    for _ in 0..20 {
        running.tell("prod").await;
    }
    running.stop().await;
    let left = files::Files::new(home.path()).list().unwrap();
    assert_eq!(left.len(), 3);
    assert_eq!(home.findings().await, []);
    // One more than the daemon removed.
    fs::remove_file(&left[0].path).unwrap();
    assert_found(
        &home.findings().await,
        &format!("{}:1 ", left[1].name()),
        "missing",
    );
}

/// A crash between any two steps of beginning a new file.
#[tokio::test]
async fn a_crash_while_a_file_is_begun_is_no_alarm() {
    let mut home = Home::new();
    home.settings.file_bytes = 4000;
    let running = home.start();
    running.tell("a").await;
    running.kill().await;
    // Renamed, and no new one yet.
    fs::rename(
        home.file("audit.jsonl"),
        home.file("audit-000000000001.jsonl"),
    )
    .unwrap();
    let state = fs::read(home.file("audit.state")).unwrap();
    let running = home.start();
    running.tell("b").await;
    running.kill().await;
    assert_eq!(home.findings().await, []);
    // The new one has lines, and the state is still that of the old one.
    fs::write(home.file("audit.state"), state).unwrap();
    assert_eq!(home.findings().await, []);
}

#[tokio::test]
async fn administration_is_refused_while_nothing_can_be_written_and_reads_are_kept() {
    let home = Home::new();
    // A directory in its place: not even root can write there.
    fs::create_dir(home.file("audit.jsonl")).unwrap();
    let running = home.start();
    let refused = running.audit.begin(Action::ADD, Who::default(), None).await;
    assert!(
        matches!(refused, Err(Error::AuditUnavailable(_))),
        "{refused:?}"
    );
    running.audit.note(Event {
        record: Some("prod".into()),
        ..Event::new(Action::GET, Verdict::Served)
    });
    assert!(running.audit.warnings()[0].contains("administration is refused"));
    fs::remove_dir(home.file("audit.jsonl")).unwrap();
    running.tell("prod").await;
    assert_eq!(running.audit.warnings(), Vec::<String>::new());
    let actions = |line: &String| line.contains("\"action\":\"get\"");
    assert_eq!(home.lines().iter().filter(|line| actions(line)).count(), 1);
    assert!(
        !home.lines().concat().contains("\"add\""),
        "it was not done"
    );
    running.stop().await;
    assert_eq!(home.findings().await, []);
}

#[tokio::test]
async fn administration_whose_caller_went_away_has_an_end_too() {
    let home = Home::new();
    let running = home.start();
    let begun = running.audit.begin(Action::ADD, Who::default(), None).await;
    drop(begun.unwrap());
    running.stop().await;
    let last = home.lines().pop().unwrap();
    assert!(last.contains("\"verdict\":\"unheard\""), "{last}");
}

#[tokio::test]
async fn others_may_not_read_the_files() {
    let home = told(1).await;
    let open = fs::Permissions::from_mode(0o644);
    fs::set_permissions(home.file("audit.state"), open).unwrap();
    let running = home.start();
    assert!(
        running.audit.warnings()[0].contains("chmod 600"),
        "{:?}",
        running.audit.warnings()
    );
    running.kill().await;
}

/// T43: the fingerprint tells sessions apart, and another vault's key gives another one.
#[tokio::test]
async fn a_session_leaves_its_fingerprint_and_never_its_id() {
    let home = Home::new();
    let running = home.start();
    let id = SessionId::new("00Dxx0000001gPL!CANARY.session".to_owned());
    running.audit.note(Event {
        session: Traced::Id(&id),
        ..Event::new(Action::GET, Verdict::Served)
    });
    running.stop().await;
    let text = home.lines().concat();
    assert!(!text.contains("CANARY"));
    let fingerprint = event::Fingerprint(home.keys.fingerprint(&id).unwrap()).to_string();
    assert!(
        text.contains(&format!("\"fingerprint\":\"{fingerprint}\"")),
        "{text}"
    );
    let other = Home::new();
    assert_ne!(home.keys.fingerprint(&id), other.keys.fingerprint(&id));
}

#[tokio::test]
async fn readers_get_what_passes_their_filter_in_order_and_what_comes_later() {
    let mut home = Home::new();
    home.settings.file_bytes = 2000;
    let running = home.start();
    for number in 0..10 {
        running.tell(&format!("record-{}", number % 2)).await;
    }
    let read = async |filter| {
        let mut reader = running.audit.read(filter).await.unwrap();
        let mut all = Vec::new();
        while let Some(batch) = reader.next_batch().await.unwrap() {
            all.extend(batch);
        }
        all
    };
    let all = read(Filter::default()).await;
    assert!(all.windows(2).all(|pair| pair[0].seq + 1 == pair[1].seq));
    assert_eq!(all.len(), 21);
    let filter = Filter {
        record: Some("record-1".to_owned()),
        ..Filter::default()
    };
    assert_eq!(read(filter.clone()).await.len(), 10);
    let last = Filter {
        last: Some(3),
        ..filter.clone()
    };
    let newest: Vec<_> = read(last).await.iter().map(|entry| entry.seq).collect();
    assert_eq!(newest, [17, 20, 21]);
    let future = Filter {
        since: Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 36)),
        ..Filter::default()
    };
    assert_eq!(read(future).await, []);

    let follow = Filter {
        follow: true,
        ..filter
    };
    let mut reader = running.audit.read(follow).await.unwrap();
    let mut seen = 0;
    while seen < 10 {
        seen += reader.next_batch().await.unwrap().unwrap().len();
    }
    for _ in 0..8 {
        running.tell("record-1").await;
    }
    while seen < 26 {
        seen += reader.next_batch().await.unwrap().unwrap().len();
    }
    running.audit.end_readers();
    assert_eq!(reader.next_batch().await.unwrap(), None);
    running.stop().await;
}
