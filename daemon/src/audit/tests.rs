//! The audit as a whole: real files, a real vault, and somebody who tampers with them (T45, T46).

mod last_use;
mod tampering;

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    pin::pin,
    sync::mpsc::{self, RecvTimeoutError},
    task::{Context, Waker},
    thread,
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

/// A line that says `begun` has one that says what came of it, whoever waits for either.
#[tokio::test]
async fn who_goes_away_while_his_first_line_is_written_has_a_last_one() {
    let home = Home::new();
    let running = home.start();
    {
        let record = Some("prod".to_owned());
        let mut begin = pin!(running.audit.begin(Action::REMOVE, Who::default(), record));
        let mut waker = Context::from_waker(Waker::noop());
        // Nothing is written before this task waits.
        assert!(begin.as_mut().poll(&mut waker).is_pending());
    }
    running.stop().await;
    let lines = home.lines();
    let verdicts = ["begun", "unheard"].map(|verdict| {
        let verdict = format!("\"verdict\":\"{verdict}\"");
        let is_it = |line: &&String| line.contains("\"remove\"") && line.contains(&verdict);
        lines.iter().filter(is_it).count()
    });
    assert_eq!(verdicts, [1, 1], "{lines:#?}");
}

/// The writer's lock is held across the disk. A thread that has it here waits for the runtime meanwhile.
#[tokio::test]
async fn who_reads_does_not_make_the_runtime_wait_for_the_disk() {
    let home = told(1).await;
    let running = home.start();
    let shared = Arc::clone(running.audit.0.as_ref().unwrap());
    let (asks, mut asked) = tokio::sync::mpsc::channel(1);
    let (answer, answers) = mpsc::channel();
    let disk = thread::spawn(move || {
        let is_answered = || {
            if asks.blocking_send(()).is_err() {
                return Err(RecvTimeoutError::Disconnected);
            }
            answers.recv_timeout(Duration::from_secs(20))
        };
        loop {
            let writer = shared.writer();
            let with_lock = is_answered();
            drop(writer);
            if let Err(end) = with_lock.and_then(|()| is_answered()) {
                return end;
            }
        }
    });
    let answering = async {
        while asked.recv().await.is_some() {
            let _ = answer.send(());
        }
    };
    let reading = async {
        for _ in 0..100 {
            running.audit.read(Filter::default()).await.unwrap();
        }
    };
    tokio::select! {
        () = answering => {}
        () = reading => {}
    }
    drop((asked, answer));
    assert_eq!(disk.join().unwrap(), RecvTimeoutError::Disconnected);
    running.kill().await;
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
