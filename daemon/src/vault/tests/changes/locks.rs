//! What a lock must not lose, nor leave behind, and what an unlocking has to know before anybody asks.

use tokio::task::{JoinHandle, spawn, spawn_blocking, yield_now};

use super::*;
use crate::session::entry::Entry;

impl Stage {
    /// With the record `dev` besides, whose token is wrong.
    async fn with_dev(self) -> Self {
        let flow = Flow::SoapLogin {
            username: "etl@acme.example".to_owned(),
        };
        let wrong = soap("old password", Some("mistyped"));
        let new = NewRecord {
            name: RecordName::parse("dev").unwrap(),
            ..new_record("login.salesforce.com", flow, wrong)
        };
        self.vault.add(new).await.unwrap();
        self
    }

    /// All logins of these callers are under way, and then the disk is full.
    async fn fill_disk_under(&self, callers: [JoinHandle<Result<Arc<Session>, Error>>; 2]) {
        self.salesforce.may_answer.forget_permits(usize::MAX);
        while self.salesforce.state().under_way < callers.len() {
            yield_now().await;
        }
        self.break_disk();
        self.salesforce.may_answer.add_permits(100);
        for caller in callers {
            caller.await.unwrap().unwrap_err();
        }
    }

    fn break_disk(&self) {
        self.disk.arm(Fault::lasting(1, io::ErrorKind::StorageFull));
    }

    /// A caller of a record.
    fn caller(&self, name: &'static str) -> JoinHandle<Result<Arc<Session>, Error>> {
        let vault = Arc::clone(&self.vault);
        spawn(async move { vault.session(name, &SessionRequest::default()).await })
    }

    /// Unlocks the vault, and calls when the first thing that it has to make good is on its way to the disk.
    async fn call_while_unlocking(&self, name: &'static str) -> Result<Arc<Session>, Error> {
        let (let_go, syncs) = (self.disk.hold_sync(), self.disk.counts().syncs);
        let vault = Arc::clone(&self.vault);
        let unlocking = spawn(async move { vault.unlock(passphrase()).await });
        while self.disk.counts().syncs == syncs {
            yield_now().await;
        }
        let caller = self.caller(name);
        // Enough for a login to be entered.
        for _ in 0..100 {
            yield_now().await;
        }
        drop(let_go);
        unlocking.await.unwrap().unwrap();
        caller.await.unwrap()
    }
}

/// The second record's latch is known before the first one's is on disk.
#[tokio::test]
async fn latches_that_could_not_be_saved_hold_from_the_first_moment_of_an_unlocked_vault() {
    let stage = Stage::new().await.with_dev().await;
    stage.salesforce.state().token = Some("another".to_owned());
    let callers = [stage.caller("dev"), stage.caller("prod")];
    stage.fill_disk_under(callers).await;
    stage.vault.lock().await.unwrap();
    assert!(stage.disk.heal());
    let told = stage.call_while_unlocking("prod").await;
    assert!(matches!(told, Err(Error::Latched { .. })), "{told:?}");
    assert_eq!(stage.logins(), (0, 2));
    assert!(stage.stored().0.ledger.latch.is_some());
}

#[tokio::test]
async fn a_token_that_could_not_be_saved_is_the_one_from_the_first_moment_of_an_unlocked_vault() {
    let stage = Stage::ready().await.with_dev().await;
    stage.migrate_to_token().await;
    stage.clock.advance(std::time::Duration::from_hours(3));
    let callers = [stage.caller("dev"), stage.caller("prod")];
    stage.fill_disk_under(callers).await;
    stage.vault.lock().await.unwrap();
    assert!(stage.disk.heal());
    stage.call_while_unlocking("prod").await.unwrap();
    let (accepted, rejected) = stage.logins();
    assert_eq!(rejected, 1, "a spent token was sent");
    let held = stage.stored().1;
    assert_eq!(
        held.refresh_token().unwrap().expose(),
        format!("refresh {accepted}")
    );
}

impl Stage {
    /// No record that is set aside has a session in its memory.
    #[track_caller]
    fn assert_forgotten(&self) {
        for stray in self.vault.aside().iter() {
            let state = stray.lock();
            assert_eq!(state.machine.ledger().kept, None);
            assert!(!state.is_store_behind(), "as told by the last write");
        }
    }

    /// Locks the vault while the next thing that is written is on its way to the disk, and unlocks it.
    async fn lock_while_writing<T: std::fmt::Debug + Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) {
        let (let_go, syncs) = (self.disk.hold_sync(), self.disk.counts().syncs);
        let work = spawn(work);
        while self.disk.counts().syncs == syncs {
            yield_now().await;
        }
        self.vault.lock().await.unwrap();
        drop(let_go);
        let told = work.await.unwrap();
        assert!(matches!(told, Err(Error::VaultLocked)), "{told:?}");
        self.vault.unlock(passphrase()).await.unwrap();
    }
}

/// Somebody who is about to write a row.
struct Writer {
    may_go: std::sync::mpsc::Sender<()>,
    task: JoinHandle<Result<(), Error>>,
}

impl Writer {
    /// He changes nothing.
    async fn let_go(self) {
        self.may_go.send(()).unwrap();
        self.task.await.unwrap().unwrap_err();
    }
}

impl Stage {
    /// Nobody else writes the row of `prod` until the writer has let go.
    async fn hold_row(&self) -> (Arc<Entry>, Writer) {
        let (refresher, entry) = self.vault.find("prod").unwrap();
        let (has_it, had) = tokio::sync::oneshot::channel();
        let (may_go, gate) = std::sync::mpsc::channel();
        let held = Arc::clone(&entry);
        let now = self.vault.now();
        let task = spawn_blocking(move || {
            held.rearrange(&refresher.store, &refresher.keys, now, |_| {
                has_it.send(()).unwrap();
                gate.recv().unwrap();
                Err(Error::Denied)
            })
        });
        had.await.unwrap();
        (entry, Writer { may_go, task })
    }
}

/// T24: it is sealed in the file, where the next unlocking finds it.
#[tokio::test]
async fn a_session_that_comes_when_the_vault_is_locked_does_not_stay_in_memory() {
    let stage = Stage::new().await;
    stage.salesforce.may_answer.forget_permits(usize::MAX);
    let caller = stage.caller("prod");
    while stage.salesforce.state().under_way == 0 {
        yield_now().await;
    }
    stage.vault.lock().await.unwrap();
    stage.salesforce.may_answer.add_permits(100);
    caller.await.unwrap().unwrap_err();
    assert!(stage.vault.settle(std::time::Duration::from_mins(1)).await);
    assert_eq!(stage.vault.aside().len(), 1);
    stage.assert_forgotten();
    stage.vault.unlock(passphrase()).await.unwrap();
    stage.session().await.unwrap();
    assert_eq!(stage.logins(), (1, 0));
}

/// T24
#[tokio::test]
async fn the_sessions_of_an_operators_turn_do_not_stay_in_the_memory_of_a_locked_vault() {
    let stage = Stage::ready().await;
    stage.salesforce.may_answer.forget_permits(usize::MAX);
    let vault = Arc::clone(&stage.vault);
    let migrating = spawn(async move { vault.migrate(to_app(APP_SECRET)).await });
    while stage.salesforce.state().under_way == 0 {
        yield_now().await;
    }
    stage.vault.lock().await.unwrap();
    stage.salesforce.may_answer.add_permits(100);
    migrating.await.unwrap().unwrap_err();
    assert!(stage.vault.settle(std::time::Duration::from_mins(1)).await);
    assert_eq!(stage.vault.aside().len(), 1);
    stage.assert_forgotten();
    stage.vault.unlock(passphrase()).await.unwrap();
    stage.session().await.unwrap();
    assert_eq!(stage.logins(), (2, 0));
}

/// T24: whichever write fails.
#[tokio::test]
async fn what_could_not_be_saved_keeps_no_session_in_the_memory_of_a_locked_vault() {
    let mut set_aside = 0;
    for after in 1..20 {
        let stage = Stage::ready().await;
        stage
            .disk
            .arm(Fault::lasting(after, io::ErrorKind::StorageFull));
        let _ = stage.refused(1).await;
        stage.vault.lock().await.unwrap();
        set_aside += stage.vault.aside().len();
        stage.assert_forgotten();
    }
    assert!(set_aside > 0, "all could be saved");
}

#[tokio::test]
async fn no_password_is_sent_after_a_lock_was_acknowledged() {
    let stage = Stage::new().await;
    let vault = Arc::clone(&stage.vault);
    let get = async move { vault.session("prod", &SessionRequest::default()).await };
    stage.lock_while_writing(get).await;
    let vault = Arc::clone(&stage.vault);
    let rotate = async move { vault.rotate(prod(), password("new")).await };
    stage.lock_while_writing(rotate).await;
    assert_eq!(stage.logins(), (0, 0));
    // What was never sent counts for nothing.
    let ledger = stage.stored().0.ledger;
    assert_eq!((ledger.logins, ledger.pending), (0, None));
    stage.session().await.unwrap();
}

/// T24: whoever still holds the entry, such as a stream.
#[tokio::test]
async fn a_removed_record_leaves_no_session_in_memory() {
    let stage = Stage::ready().await;
    let (_, entry) = stage.vault.find("prod").unwrap();
    stage.vault.remove(prod()).await.unwrap();
    let state = entry.lock();
    assert_eq!(state.machine.ledger().kept, None);
    assert!(!state.is_store_behind());
}

/// The lock comes before Salesforce's answer is written, and that write fails after it.
#[tokio::test]
async fn a_rejection_whose_write_fails_after_a_lock_is_known_after_the_next_unlocking() {
    let stage = Stage::new().await;
    stage.salesforce.state().token = Some("another".to_owned());
    stage.salesforce.may_answer.forget_permits(usize::MAX);
    let caller = stage.caller("prod");
    while stage.salesforce.state().under_way == 0 {
        yield_now().await;
    }
    let (entry, writer) = stage.hold_row().await;
    stage.salesforce.may_answer.add_permits(100);
    while entry.lock().machine.is_in_flight() {
        yield_now().await;
    }
    stage.vault.lock().await.unwrap();
    stage.break_disk();
    writer.let_go().await;
    caller.await.unwrap().unwrap_err();
    assert!(stage.disk.heal());
    stage.vault.unlock(passphrase()).await.unwrap();
    let told = stage.session().await;
    assert!(matches!(told, Err(Error::Latched { .. })), "{told:?}");
    assert_eq!(stage.logins(), (0, 1));
}
