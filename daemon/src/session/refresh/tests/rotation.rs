//! An org that gives another refresh token with every login and ends all when a spent one comes.

mod amendments;
mod answers;
mod writes;

use super::*;
use crate::{
    salesforce::{LoginExchange, LoginRefused, Survey},
    secret::{ConsumerSecret, RefreshToken},
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

#[tokio::test]
async fn a_token_that_arrives_when_the_record_is_closed_is_saved() {
    let rig = rig(true);
    let caller = rig.under_way().await;
    rig.entry.close(Error::VaultLocked);
    rig.org.may_answer.add_permits(1);
    assert!(matches!(caller.await.unwrap(), Err(Error::VaultLocked)));
    assert_eq!(rig.held(), token(1));
}
