//! An org that gives another refresh token with every login and ends all when a spent one comes.

use super::*;
use crate::{
    salesforce::{LoginExchange, LoginRefused, Survey},
    secret::{ConsumerSecret, RefreshToken},
    session::{decision::Refusal, entry::Rotation},
    store::tests::disk::{Disk, Fault},
};

const ORG: &str = "00Dxx0000001gPLEAY";
const USER: &str = "005xx000001Sv6AAAS";

#[derive(Debug)]
struct Rotating {
    /// The number of the token that is good.
    current: AtomicUsize,
    reused: AtomicUsize,
    proofs: AtomicUsize,
    rotates: bool,
    leads_to: Mutex<String>,
    /// Its answers are not believed: their session leads to a foreign host.
    is_unbelieved: Mutex<bool>,
    may_answer: Semaphore,
    asked: AtomicUsize,
    /// What the store held when a session was proved.
    held: Mutex<Vec<String>>,
    peek: Mutex<Option<(Arc<Store>, Keys)>>,
}

impl Login for Rotating {
    fn permit(&self, _: &Host) -> Result<(), HostRefused> {
        Ok(())
    }

    fn login<'a>(&'a self, request: &'a LoginRequest) -> LoginExchange<'a> {
        Box::pin(async move {
            self.asked.fetch_add(1, Ordering::SeqCst);
            self.may_answer.acquire().await.unwrap().forget();
            let sent = request.credential.refresh_token().unwrap();
            let current = self.current.load(Ordering::SeqCst);
            if sent.expose() != token(current) {
                self.reused.fetch_add(1, Ordering::SeqCst);
                return Err(failure(Class::RefreshDead).into());
            }
            let next = current + usize::from(self.rotates);
            self.current.store(next, Ordering::SeqCst);
            if *self.is_unbelieved.lock().unwrap() {
                return Err(LoginRefused {
                    failure: failure(Class::WrongHost),
                    rotated: Some(RefreshToken::new(token(next))),
                });
            }
            Ok(Grant {
                session_id: SessionId::new(format!("00Dxx0000001gPL!{next}")),
                instance: Host::parse("acme.my.salesforce.com").unwrap(),
                org_id: self.leads_to.lock().unwrap().clone(),
                user_id: USER.to_owned(),
                username: Some("etl@acme.example".to_owned()),
                hard_expiry: None,
                sandbox: false,
                timeout: Some(Duration::from_hours(2)),
                rotated: Some(RefreshToken::new(token(next))),
            })
        })
    }

    fn redeem<'a>(&'a self, _: &'a CodeRequest) -> Exchange<'a, Grant> {
        Box::pin(async { Err(failure(Class::Protocol)) })
    }

    fn end<'a>(&'a self, _: &'a SessionId, _: &'a Host) -> Exchange<'a, ()> {
        Box::pin(async { unreachable!("nobody logs out") })
    }

    fn survey<'a>(&'a self, _: &'a Host) -> Exchange<'a, Survey> {
        Box::pin(async { Err(failure(Class::Protocol)) })
    }

    fn prove<'a>(&'a self, _: &'a SessionId, _: &'a Host) -> Exchange<'a, Proof> {
        Box::pin(async move {
            self.proofs.fetch_add(1, Ordering::SeqCst);
            if let Some((store, keys)) = &*self.peek.lock().unwrap() {
                self.held.lock().unwrap().push(held(store, keys));
            }
            Ok(Proof {
                org_id: ORG.to_owned(),
                user_id: USER.to_owned(),
                username: None,
                timeout: None,
            })
        })
    }
}

fn token(number: usize) -> String {
    format!("5Aep{number}")
}

fn held(store: &Store, keys: &Keys) -> String {
    let stored = store.load(keys).unwrap().remove(0);
    let credential = store.credential(keys, &stored.record).unwrap();
    credential.refresh_token().unwrap().expose().to_owned()
}

struct Rig {
    org: Arc<Rotating>,
    refresher: Arc<Refresher>,
    entry: Arc<Entry>,
    disk: Disk,
}

fn rig(rotates: bool) -> Rig {
    let disk = Disk::default();
    let cost = KdfCost {
        memory_kib: 8 * 1024,
        iterations: 1,
        lanes: 1,
    };
    let passphrase = Passphrase::new(b"open".to_vec());
    let (store, keys) = Store::create_backend(disk.clone(), &passphrase, cost).unwrap();
    let now = SystemClock.now();
    let record = Record {
        id: RecordId([7; 16]),
        name: RecordName::parse("prod").unwrap(),
        login_host: Host::parse("login.salesforce.com").unwrap(),
        flow: Flow::RefreshToken {
            consumer_key: "3MVG9".to_owned(),
        },
        pin: None,
        aside: Default::default(),
        rules: None,
        credential_version: 1,
        created_at: now,
        credential_changed_at: now,
        remind_after: None,
    };
    let credential = Credential::RefreshToken {
        refresh_token: RefreshToken::new(token(0)),
        consumer_secret: None,
    };
    let ledger = Ledger::default();
    let revision = store
        .put(&keys, None, &record, &ledger, Some(&credential))
        .unwrap();
    let org = Arc::new(Rotating {
        current: AtomicUsize::new(0),
        reused: AtomicUsize::new(0),
        proofs: AtomicUsize::new(0),
        rotates,
        leads_to: Mutex::new(ORG.to_owned()),
        is_unbelieved: Mutex::new(false),
        may_answer: Semaphore::new(0),
        asked: AtomicUsize::new(0),
        held: Mutex::default(),
        peek: Mutex::default(),
    });
    let store = Arc::new(store);
    *org.peek.lock().unwrap() = Some((Arc::clone(&store), keys.clone()));
    let refresher = Arc::new(Refresher {
        hold_after_get: Duration::ZERO,
        store,
        keys,
        login: Arc::clone(&org) as Arc<dyn Login>,
        clock: Arc::new(SystemClock),
        in_air: Arc::default(),
        quota: Quota::new(50),
        outages: Arc::default(),
        changed: watch::Sender::new(()),
        tokens: watch::Sender::new(()),
        audit: Audit::nowhere(),
    });
    let entry = Arc::new(Entry::new(StoredRecord {
        record,
        ledger,
        revision,
    }));
    Rig {
        org,
        refresher,
        entry,
        disk,
    }
}

impl Rig {
    async fn session(&self, want: Want) -> Result<Arc<Session>, Error> {
        self.refresher.session(&self.entry, want).await
    }

    async fn login(&self) -> Result<Arc<Session>, Error> {
        self.org.may_answer.add_permits(1);
        let want = Want {
            fresh_login: true,
            ..Want::default()
        };
        self.session(want).await
    }

    fn held(&self) -> String {
        held(&self.refresher.store, &self.refresher.keys)
    }

    fn asked(&self) -> usize {
        self.org.asked.load(Ordering::SeqCst)
    }

    fn no_disk_after(&self, after: u64, once: bool) {
        self.disk.arm(Fault {
            once,
            ..Fault::lasting(after, std::io::ErrorKind::Other)
        });
    }

    /// A caller whose login is on its way and not answered yet.
    async fn under_way(&self) -> task::JoinHandle<Result<Arc<Session>, Error>> {
        let before = self.asked();
        let (refresher, entry) = (Arc::clone(&self.refresher), Arc::clone(&self.entry));
        let caller = task::spawn(async move { refresher.session(&entry, Want::default()).await });
        while self.asked() == before {
            task::yield_now().await;
        }
        caller
    }

    async fn set(&self, token: Option<&str>, secret: &str) {
        let (refresher, entry) = (Arc::clone(&self.refresher), Arc::clone(&self.entry));
        let (token, secret) = (token.map(str::to_owned), secret.to_owned());
        let set = task::spawn_blocking(move || {
            let amendment = Amendment::none(SystemClock.now());
            entry.amend(&refresher.store, &refresher.keys, amendment, |_, old| {
                let old = old.refresh_token().unwrap().clone();
                Ok(Credential::RefreshToken {
                    refresh_token: token.map_or(old, RefreshToken::new),
                    consumer_secret: Some(ConsumerSecret::new(secret)),
                })
            })
        });
        assert!(set.await.unwrap().unwrap());
    }

    fn assert_never_reused(&self) {
        assert_eq!(self.org.reused.load(Ordering::SeqCst), 0);
    }
}

#[tokio::test]
async fn a_new_refresh_token_is_on_disk_before_its_session_is_used() {
    let rig = rig(true);
    for number in 1..4 {
        rig.login().await.unwrap();
        assert_eq!(rig.held(), token(number));
    }
    assert_eq!(
        *rig.org.held.lock().unwrap(),
        [token(1), token(2), token(3)]
    );
    rig.assert_never_reused();
}

#[tokio::test]
async fn to_all_but_the_store_it_is_the_same_credential() {
    let rig = rig(true);
    let changed_at = rig.entry.lock().record.credential_changed_at;
    rig.login().await.unwrap();
    let stored = rig
        .refresher
        .store
        .load(&rig.refresher.keys)
        .unwrap()
        .remove(0);
    assert_eq!(stored.record.credential_version, 2);
    let ms = |time: SystemTime| {
        time.duration_since(SystemTime::UNIX_EPOCH)
            .unwrap()
            .as_millis()
    };
    assert_eq!(ms(stored.record.credential_changed_at), ms(changed_at));
    assert_eq!(stored.ledger.pending, None);
    assert!(stored.ledger.succeeded_at.is_some());
}

#[tokio::test]
async fn a_token_that_stays_the_same_costs_no_write() {
    let rig = rig(false);
    rig.login().await.unwrap();
    rig.login().await.unwrap();
    assert_eq!(rig.entry.lock().record.credential_version, 1);
}

/// T40
#[tokio::test]
async fn two_hundred_callers_spend_one_token() {
    let rig = rig(true);
    let callers: Vec<_> = (0..200)
        .map(|_| {
            let (refresher, entry) = (Arc::clone(&rig.refresher), Arc::clone(&rig.entry));
            task::spawn(async move { refresher.session(&entry, Want::default()).await })
        })
        .collect();
    rig.org.may_answer.add_permits(200);
    for caller in callers {
        assert_eq!(caller.await.unwrap().unwrap().generation, 1);
    }
    assert_eq!((rig.asked(), rig.held()), (1, token(1)));
}

/// Every step of the write may fail, in a way that tells whether it was made or not.
#[tokio::test]
async fn a_failed_write_loses_no_token_and_sends_no_spent_one() {
    for after in 1.. {
        let rig = rig(true);
        let caller = rig.under_way().await;
        rig.no_disk_after(after, false);
        rig.org.may_answer.add_permits(100);
        let first = caller.await.unwrap();
        for _ in 0..3 {
            if let Err(error) = &first {
                let again = rig.session(Want::default()).await;
                assert!(
                    matches!(error, Error::TokenUnsaved { .. } | Error::Store(_)),
                    "{error:?}"
                );
                again.unwrap_err();
                let state = rig.entry.lock();
                assert!(state.machine.session().is_none());
            }
        }
        assert_eq!(rig.asked(), 1, "step {after}");
        let struck = rig.disk.heal();
        let session = rig.session(Want::default()).await.unwrap();
        assert_eq!((session.generation, rig.asked()), (1, 1), "step {after}");
        assert_eq!(rig.held(), token(1));
        assert!(rig.entry.lock().unsaved_token().is_none());
        rig.login().await.unwrap();
        assert_eq!(rig.held(), token(2));
        rig.assert_never_reused();
        if !struck {
            assert!(after > 5, "the fault never had a chance");
            return;
        }
    }
}

/// A write that seemed to fail was made: what it wrote is taken over, and latches are not lifted by it.
#[tokio::test]
async fn one_failed_step_is_made_good_by_the_next_call() {
    for after in 1..12 {
        let rig = rig(true);
        let caller = rig.under_way().await;
        rig.no_disk_after(after, true);
        rig.org.may_answer.add_permits(100);
        let _ = caller.await.unwrap();
        rig.disk.heal();
        rig.session(Want::default()).await.unwrap();
        rig.login().await.unwrap();
        assert_eq!((rig.asked(), rig.held()), (2, token(2)), "step {after}");
        rig.assert_never_reused();
    }
}

#[tokio::test]
async fn a_session_that_needs_no_login_is_served_while_a_token_waits() {
    let rig = rig(true);
    rig.login().await.unwrap();
    rig.no_disk_after(1, false);
    let rotation = Rotation::new(RefreshToken::new(token(1)), RefreshToken::new(token(2)));
    rig.entry.keep_rotation(rotation.unwrap());
    assert_eq!(rig.session(Want::default()).await.unwrap().generation, 1);
    assert!(rig.entry.lock().unsaved_token().is_some());
    assert!(matches!(rig.login().await, Err(Error::TokenUnsaved { .. })));
    rig.disk.heal();
    rig.session(Want::default()).await.unwrap();
    assert_eq!(rig.held(), token(2));
}

#[tokio::test]
async fn a_token_that_arrives_when_the_record_is_closed_is_saved() {
    let rig = rig(true);
    let caller = rig.under_way().await;
    rig.entry.close(Error::VaultLocked);
    rig.org.may_answer.add_permits(1);
    assert!(matches!(caller.await.unwrap(), Err(Error::VaultLocked)));
    assert_eq!(rig.held(), token(1));
}

#[tokio::test]
async fn a_token_that_leads_elsewhere_is_saved_and_latched() {
    let rig = rig(true);
    rig.login().await.unwrap();
    *rig.org.leads_to.lock().unwrap() = "00Dxx0000009999EAY".to_owned();
    let told = rig.login().await.unwrap_err();
    assert!(matches!(told, Error::Latched { .. }), "{told:?}");
    let served = rig.session(Want::default()).await.unwrap();
    assert_eq!(served.generation, 1, "the session that there was");
    assert_eq!(rig.held(), token(2));
    let stored = rig
        .refresher
        .store
        .load(&rig.refresher.keys)
        .unwrap()
        .remove(0);
    let again = Entry::new(stored);
    let refused = again.lock().machine.may_log_in(SystemClock.now());
    assert!(
        matches!(refused, Err(Refusal::Latched { .. })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn another_consumer_secret_under_way_does_not_lose_the_new_token() {
    let rig = rig(true);
    let caller = rig.under_way().await;
    rig.set(None, "s3cret").await;
    rig.org.may_answer.add_permits(2);
    caller.await.unwrap().unwrap();
    rig.assert_never_reused();
    let stored = rig
        .refresher
        .store
        .load(&rig.refresher.keys)
        .unwrap()
        .remove(0);
    let credential = rig
        .refresher
        .store
        .credential(&rig.refresher.keys, &stored.record)
        .unwrap();
    assert_eq!(credential.refresh_token().unwrap().expose(), token(2));
    assert_eq!(credential.consumer_secret().unwrap().expose(), "s3cret");
}

#[tokio::test]
async fn another_refresh_token_under_way_is_not_overwritten() {
    let rig = rig(true);
    let caller = rig.under_way().await;
    rig.set(Some("5AepMine"), "s3cret").await;
    rig.org.may_answer.add_permits(1);
    while rig.asked() == 1 {
        task::yield_now().await;
    }
    assert_eq!(rig.held(), "5AepMine");
    rig.org.may_answer.add_permits(1);
    // The org knows nothing of it; what counts is what was sent.
    caller.await.unwrap().unwrap_err();
}

#[tokio::test]
async fn what_is_set_while_a_token_waits_is_set_beside_it() {
    let rig = rig(true);
    let caller = rig.under_way().await;
    rig.no_disk_after(1, false);
    rig.org.may_answer.add_permits(1);
    caller.await.unwrap().unwrap_err();
    rig.disk.heal();
    rig.set(None, "s3cret").await;
    assert_eq!(rig.held(), token(1));
    assert!(!rig.entry.lock().has_rotation());
    rig.login().await.unwrap();
    rig.assert_never_reused();
}

/// What is wrong with the answer is for an operator to mend; the token must be there when he has.
#[tokio::test]
async fn a_token_that_comes_with_an_answer_that_is_not_believed_is_kept() {
    let rig = rig(true);
    *rig.org.is_unbelieved.lock().unwrap() = true;
    let error = rig.login().await.unwrap_err();
    assert!(
        matches!(&error, Error::Latched { failure, .. } if failure.class == Class::WrongHost),
        "{error:?}"
    );
    assert_eq!(rig.held(), token(1));
    // It is latched all the same.
    rig.login().await.unwrap_err();
    assert_eq!(rig.asked(), 1);
    *rig.org.is_unbelieved.lock().unwrap() = false;
    rig.entry.lock().machine.release();
    rig.login().await.unwrap();
    assert_eq!(rig.held(), token(2));
    rig.assert_never_reused();
}

#[tokio::test]
async fn a_token_of_an_answer_that_is_not_believed_waits_for_the_disk_like_any_other() {
    let rig = rig(true);
    *rig.org.is_unbelieved.lock().unwrap() = true;
    let caller = rig.under_way().await;
    rig.no_disk_after(1, false);
    rig.org.may_answer.add_permits(1);
    caller.await.unwrap().unwrap_err();
    rig.entry.lock().machine.release();
    rig.login().await.unwrap_err();
    assert_eq!(rig.asked(), 1);
    assert!(rig.disk.heal());
    *rig.org.is_unbelieved.lock().unwrap() = false;
    rig.login().await.unwrap();
    assert_eq!((rig.asked(), rig.held()), (2, token(2)));
    rig.assert_never_reused();
}

/// Callers who wait for the row leave the threads to whoever writes it.
#[test]
fn many_callers_and_one_save_get_through_a_pool_of_two_threads() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .max_blocking_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let rig = rig(true);
    let through = runtime.block_on(async {
        rig.login().await.unwrap();
        let rotation = Rotation::new(RefreshToken::new(token(1)), RefreshToken::new(token(2)));
        rig.entry.keep_rotation(rotation.unwrap());
        rig.no_disk_after(1, false);
        let caller = || {
            let (refresher, entry) = (Arc::clone(&rig.refresher), Arc::clone(&rig.entry));
            task::spawn(async move { refresher.session(&entry, Want::default()).await })
        };
        let writer = || {
            let (refresher, entry) = (Arc::clone(&rig.refresher), Arc::clone(&rig.entry));
            task::spawn(async move { entry.save(&refresher.store, &refresher.keys).await })
        };
        let mut callers: Vec<_> = (0..8).map(|_| caller()).collect();
        let first = writer();
        callers.extend((0..8).map(|_| caller()));
        let all = async {
            for caller in callers {
                assert_eq!(caller.await.unwrap().unwrap().generation, 1);
            }
            first.await.unwrap().unwrap_err();
        };
        // Long for what takes milliseconds; without it a failure would hang.
        let through = tokio::time::timeout(Duration::from_mins(1), all).await;
        if through.is_ok() {
            rig.disk.heal();
            rig.session(Want::default()).await.unwrap();
        }
        through
    });
    // Its end would wait for the threads.
    runtime.shutdown_background();
    through.expect("all wait for each other");
    assert_eq!(rig.held(), token(2));
}

#[tokio::test]
async fn callers_who_come_while_a_try_is_under_way_share_it() {
    let rig = rig(true);
    rig.login().await.unwrap();
    let rotation = Rotation::new(RefreshToken::new(token(1)), RefreshToken::new(token(2)));
    rig.entry.keep_rotation(rotation.unwrap());
    rig.no_disk_after(1, false);
    // Somebody has the row until all have come.
    let (has_it, had) = tokio::sync::oneshot::channel();
    let (let_go, may_go) = std::sync::mpsc::channel();
    let (refresher, entry) = (Arc::clone(&rig.refresher), Arc::clone(&rig.entry));
    let holder = task::spawn_blocking(move || {
        let amendment = Amendment::none(SystemClock.now());
        entry.amend(&refresher.store, &refresher.keys, amendment, |_, _| {
            has_it.send(()).unwrap();
            may_go.recv().unwrap();
            Err(Error::Denied)
        })
    });
    had.await.unwrap();
    let save = || {
        rig.entry
            .save_rotation(&rig.refresher.store, &rig.refresher.keys)
    };
    let (one, two, three, ()) = tokio::join!(biased; save(), save(), save(), async {
        let_go.send(()).unwrap();
    });
    for saved in [one, two, three] {
        saved.unwrap_err();
    }
    holder.await.unwrap().unwrap_err();
    assert_eq!(rig.entry.lock().tries_to_save(), Some(1));
}

/// Before there is a pin, they have only each other.
#[tokio::test]
async fn a_first_session_that_belongs_elsewhere_than_its_login_said_pins_nothing() {
    let rig = rig(false);
    *rig.org.leads_to.lock().unwrap() = "00Dxx0000009999EAY".to_owned();
    let told = rig.login().await.unwrap_err();
    let Error::Latched { failure, .. } = &told else {
        panic!("{told:?}")
    };
    assert_eq!(failure.class, Class::PinnedElsewhere);
    assert_eq!(rig.entry.lock().record.pin, None);
}
