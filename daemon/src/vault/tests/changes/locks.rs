//! What a lock must not lose, nor leave behind, and what an unlocking has to know before anybody asks.

use tokio::task::{JoinHandle, spawn, yield_now};

use super::*;

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
        self.disk.arm(Fault {
            after: 1,
            kind: io::ErrorKind::StorageFull,
            once: false,
            short: false,
            reads_too: false,
        });
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
