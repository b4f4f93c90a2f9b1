mod closed;
mod crowd;
mod limits;
mod pin;
mod rotation;

use std::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use tokio::sync::Semaphore;

use super::*;
use crate::{
    clock::SystemClock,
    credential::{Credential, Flow},
    failure::{Class, Failure},
    host::Host,
    ledger::Ledger,
    record::{Record, RecordId, RecordName},
    salesforce::{CodeRequest, Exchange, Grant, HostRefused, LoginExchange, LoginRequest, Proof},
    secret::{Passphrase, Password, SessionId},
    session::entry::Amendment,
    store::{KdfCost, StoredRecord},
};

/// What the next login does.
#[derive(Debug, Clone, Copy)]
enum Script {
    Succeed,
    Fail(Class),
    Panic,
}

/// A Salesforce that counts, and that answers only when told to.
#[derive(Debug)]
struct Fake {
    logins: AtomicUsize,
    proofs: AtomicUsize,
    script: Mutex<Script>,
    session_alive: Mutex<bool>,
    may_answer: Semaphore,
    /// What the store said about the login when it was sent.
    seen_pending: Mutex<Vec<bool>>,
    peek: Mutex<Option<(Arc<Store>, Keys)>>,
}

impl Login for Fake {
    fn permit(&self, _: &Host) -> Result<(), HostRefused> {
        Ok(())
    }

    fn login<'a>(&'a self, request: &'a LoginRequest) -> LoginExchange<'a> {
        Box::pin(async move {
            let number = self.logins.fetch_add(1, Ordering::SeqCst) + 1;
            if let Some((store, keys)) = &*self.peek.lock().unwrap() {
                let ledger = &store.load(keys).unwrap()[0].ledger;
                self.seen_pending
                    .lock()
                    .unwrap()
                    .push(ledger.pending.is_some() && ledger.logins == number as u64);
            }
            self.may_answer.acquire().await.unwrap().forget();
            let script = *self.script.lock().unwrap();
            match script {
                Script::Succeed => {
                    *self.session_alive.lock().unwrap() = true;
                    Ok(Grant {
                        session_id: SessionId::new(format!("00Dxx0000001gPL!{number}")),
                        instance: Host::parse("acme.my.salesforce.com").unwrap(),
                        org_id: "00Dxx0000001gPLEAY".to_owned(),
                        user_id: "005xx000001Sv6AAAS".to_owned(),
                        username: request.flow.username().map(str::to_owned),
                        sandbox: false,
                        timeout: Some(Duration::from_hours(2)),
                        rotated: None,
                        hard_expiry: None,
                    })
                }
                Script::Fail(class) => Err(failure(class).into()),
                Script::Panic => panic!("the login breaks"),
            }
        })
    }

    fn redeem<'a>(&'a self, _: &'a CodeRequest) -> Exchange<'a, Grant> {
        Box::pin(async { Err(failure(Class::Protocol)) })
    }

    fn prove<'a>(&'a self, _: &'a SessionId, _: &'a Host) -> Exchange<'a, Proof> {
        Box::pin(async move {
            self.proofs.fetch_add(1, Ordering::SeqCst);
            if *self.session_alive.lock().unwrap() {
                let (org_id, user_id) = (
                    "00Dxx0000001gPLEAY".to_owned(),
                    "005xx000001Sv6AAAS".to_owned(),
                );
                Ok(Proof {
                    org_id,
                    user_id,
                    username: None,
                    timeout: None,
                })
            } else {
                Err(failure(Class::SessionDead))
            }
        })
    }

    fn end<'a>(&'a self, _: &'a SessionId, _: &'a Host) -> Exchange<'a, ()> {
        Box::pin(async {
            *self.session_alive.lock().unwrap() = false;
            self.may_answer.acquire().await.unwrap().forget();
            match *self.script.lock().unwrap() {
                Script::Succeed => Ok(()),
                Script::Fail(class) => Err(failure(class)),
                Script::Panic => panic!("the call breaks"),
            }
        })
    }

    fn survey<'a>(&'a self, _: &'a Host) -> Exchange<'a, crate::salesforce::Survey> {
        Box::pin(async { unreachable!("nobody asks") })
    }
}

fn failure(class: Class) -> Failure {
    Failure {
        class,
        code: None,
        message: "no".to_owned(),
        pause: None,
    }
}

struct Bench {
    fake: Arc<Fake>,
    refresher: Arc<Refresher>,
    entry: Arc<Entry>,
    path: std::path::PathBuf,
    _dir: tempfile::TempDir,
}

fn bench(script: Script) -> Bench {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("vault.redb");
    let cost = KdfCost {
        memory_kib: 8 * 1024,
        iterations: 1,
        lanes: 1,
    };
    let (store, keys) = Store::create(&path, &Passphrase::new(b"open".to_vec()), cost).unwrap();
    let now = SystemClock.now();
    let record = Record {
        id: RecordId([7; 16]),
        name: RecordName::parse("prod").unwrap(),
        login_host: Host::parse("login.salesforce.com").unwrap(),
        flow: Flow::SoapLogin {
            username: "etl@acme.example".to_owned(),
        },
        pin: None,
        credential_version: 1,
        created_at: now,
        credential_changed_at: now,
        rules: None,
        remind_after: None,
        aside: crate::aside::Aside::default(),
    };
    let credential = Credential::SoapLogin {
        password: Password::new("hunter2".to_owned()),
        security_token: None,
    };
    let ledger = Ledger::default();
    let revision = store
        .put(&keys, None, &record, &ledger, Some(&credential))
        .unwrap();
    let fake = Arc::new(Fake {
        logins: AtomicUsize::new(0),
        proofs: AtomicUsize::new(0),
        script: Mutex::new(script),
        session_alive: Mutex::new(false),
        may_answer: Semaphore::new(0),
        seen_pending: Mutex::new(Vec::new()),
        peek: Mutex::new(None),
    });
    let refresher = Arc::new(Refresher {
        store: Arc::new(store),
        keys,
        login: Arc::clone(&fake) as Arc<dyn Login>,
        clock: Arc::new(SystemClock),
        audit: Audit::nowhere(),
        in_air: Arc::default(),
        quota: Quota::new(50),
        outages: Arc::default(),
        changed: watch::Sender::new(()),
        hold_after_get: Duration::ZERO,
        tokens: watch::Sender::new(()),
    });
    let entry = Arc::new(Entry::new(StoredRecord {
        record,
        ledger,
        revision,
    }));
    Bench {
        fake,
        refresher,
        entry,
        path,
        _dir: dir,
    }
}

impl Bench {
    fn answer(&self) {
        self.fake.may_answer.add_permits(1);
    }

    fn logins(&self) -> usize {
        self.fake.logins.load(Ordering::SeqCst)
    }

    async fn session(&self, want: Want) -> Result<Arc<Session>, Error> {
        self.refresher.session(&self.entry, want).await
    }

    /// A caller whose login is under way.
    async fn caller(&self) -> task::JoinHandle<Result<Arc<Session>, Error>> {
        let before = self.logins();
        let (refresher, entry) = (Arc::clone(&self.refresher), Arc::clone(&self.entry));
        let caller = task::spawn(async move { refresher.session(&entry, Want::default()).await });
        while self.logins() == before {
            task::yield_now().await;
        }
        caller
    }

    /// An operator sets another password.
    async fn set_password(&self) {
        let (refresher, entry) = (Arc::clone(&self.refresher), Arc::clone(&self.entry));
        let set = task::spawn_blocking(move || {
            let amendment = Amendment::none(SystemClock.now());
            entry.amend(&refresher.store, &refresher.keys, amendment, |_, _| {
                Ok(Credential::SoapLogin {
                    password: Password::new("hunter3".to_owned()),
                    security_token: None,
                })
            })
        });
        assert!(set.await.unwrap().unwrap());
    }

    /// That many callers at once, and what each got, once the login under way is answered.
    async fn crowd(&self, size: usize, want: Want) -> Vec<Result<u64, Class>> {
        let callers: Vec<_> = (0..size)
            .map(|_| {
                let (refresher, entry) = (Arc::clone(&self.refresher), Arc::clone(&self.entry));
                task::spawn(async move { refresher.session(&entry, want).await })
            })
            .collect();
        self.answer();
        let mut results = Vec::new();
        for caller in callers {
            results.push(match caller.await.unwrap() {
                Ok(session) => Ok(session.generation),
                Err(Error::Latched { failure, .. } | Error::LoginFailed { failure, .. }) => {
                    Err(failure.class)
                }
                Err(other) => panic!("{other:?}"),
            });
        }
        results
    }
}

#[tokio::test]
async fn a_login_survives_its_caller() {
    let bench = bench(Script::Succeed);
    let caller = bench.caller().await;
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    bench.answer();
    assert_eq!(bench.session(Want::default()).await.unwrap().generation, 1);
    assert_eq!(bench.logins(), 1);
}

#[tokio::test]
async fn a_login_is_durable_before_it_is_sent() {
    let bench = bench(Script::Succeed);
    *bench.fake.peek.lock().unwrap() = Some((
        Arc::clone(&bench.refresher.store),
        bench.refresher.keys.clone(),
    ));
    bench.answer();
    bench.session(Want::default()).await.unwrap();
    assert_eq!(*bench.fake.seen_pending.lock().unwrap(), [true]);
}

#[tokio::test]
async fn a_rejection_is_durable_before_any_caller_hears_of_it() {
    let bench = bench(Script::Fail(Class::BadCredentials));
    bench.answer();
    bench.session(Want::default()).await.unwrap_err();
    let ledger = bench
        .refresher
        .store
        .load(&bench.refresher.keys)
        .unwrap()
        .remove(0)
        .ledger;
    assert_eq!(
        ledger.latch.map(|latch| latch.failure.class),
        Some(Class::BadCredentials)
    );
    assert_eq!((ledger.pending, ledger.logins), (None, 1));
}

#[tokio::test]
async fn a_login_that_breaks_frees_its_callers_and_the_record() {
    let bench = bench(Script::Panic);
    bench.answer();
    assert!(matches!(
        bench.session(Want::default()).await,
        Err(Error::Internal(_))
    ));
    *bench.fake.script.lock().unwrap() = Script::Succeed;
    bench.answer();
    assert_eq!(bench.session(Want::default()).await.unwrap().generation, 2);
}

#[tokio::test]
async fn five_hundred_reports_of_a_dead_session_cause_one_login() {
    let bench = bench(Script::Succeed);
    bench.answer();
    bench.session(Want::default()).await.unwrap();
    *bench.fake.session_alive.lock().unwrap() = false;
    let results = bench
        .crowd(
            500,
            Want {
                refused: Some(1),
                ..Want::default()
            },
        )
        .await;
    assert!(results.iter().all(|result| *result == Ok(2)), "{results:?}");
    assert_eq!(bench.logins(), 2);
}

#[tokio::test]
async fn a_credential_that_changes_under_way_gets_a_login_of_its_own_after_the_old_one() {
    let bench = bench(Script::Fail(Class::BadCredentials));
    let caller = bench.caller().await;
    bench.set_password().await;
    bench.answer();
    while bench.logins() == 1 {
        task::yield_now().await;
    }
    *bench.fake.script.lock().unwrap() = Script::Succeed;
    bench.answer();
    assert_eq!(caller.await.unwrap().unwrap().generation, 2);
}
