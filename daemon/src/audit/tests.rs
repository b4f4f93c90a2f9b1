//! The audit as a whole: real files and a real vault.

mod files;
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
        // A child of another test has all our descriptors until it is a program of its own, and with them the lock of the
        // daemon before this one.
        let taken = |audit: &Audit| {
            let mut warnings = audit.warnings().into_iter();
            warnings.any(|warning| warning.contains("another process has"))
        };
        while taken(&audit) {
            thread::yield_now();
            audit.0.as_ref().unwrap().try_open();
        }
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
