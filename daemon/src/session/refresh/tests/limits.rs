//! What one record's logins mean for the others: of the same user, and at the same host.

use super::*;
use crate::share::Account;

const USER: &str = "etl@acme.example";
const LOGIN: &str = "login.salesforce.com";

/// A bench whose Salesforce answers at once.
fn ready(script: Script) -> Bench {
    let bench = bench(script);
    bench.fake.may_answer.add_permits(1000);
    bench
}

impl Bench {
    fn another(&self, number: u8, username: &str, host: &str) -> Arc<Entry> {
        let now = SystemClock.now();
        let record = Record {
            id: RecordId([number; 16]),
            name: RecordName::parse(&format!("record-{number}")).unwrap(),
            login_host: Host::parse(host).unwrap(),
            flow: Flow::SoapLogin {
                username: username.to_owned(),
            },
            pin: None,
            credential_version: 1,
            created_at: now,
            credential_changed_at: now,
            remind_after: None,
            aside: crate::aside::Aside::default(),
            rules: None,
        };
        let credential = Credential::SoapLogin {
            password: Password::new("hunter2".to_owned()),
            security_token: None,
        };
        let Refresher { store, keys, .. } = &*self.refresher;
        let put = store.put(keys, None, &record, &Ledger::default(), Some(&credential));
        let revision = put.unwrap();
        let ledger = Ledger::default();
        Arc::new(Entry::new(StoredRecord {
            record,
            ledger,
            revision,
        }))
    }

    async fn of(&self, entry: &Arc<Entry>) -> Result<u64, Error> {
        let session = self.refresher.session(entry, Want::default()).await;
        session.map(|session| session.generation)
    }

    /// The same store under a daemon that was just started.
    fn restarted(self, percent: u32) -> (Self, Vec<Arc<Entry>>) {
        let Refresher { store, keys, .. } = &*self.refresher;
        let quota = Quota::new(percent);
        let mut entries = Vec::new();
        for stored in store.load(keys).unwrap() {
            quota.adopt(&stored.record, &stored.ledger, SystemClock.now());
            entries.push(Arc::new(Entry::new(stored)));
        }
        let refresher = Arc::new(Refresher {
            audit: Audit::nowhere(),
            hold_after_get: Duration::ZERO,
            store: Arc::clone(store),
            keys: keys.clone(),
            login: Arc::clone(&self.fake) as _,
            clock: Arc::new(SystemClock),
            in_air: Arc::default(),
            quota,
            outages: Arc::default(),
            changed: watch::Sender::new(()),
            tokens: watch::Sender::new(()),
        });
        (Self { refresher, ..self }, entries)
    }
}

#[tokio::test]
async fn the_share_of_logins_holds_over_all_records_of_a_user_and_over_restarts() {
    let bench = ready(Script::Succeed);
    let _second = bench.another(8, "ETL@acme.example", "acme.my.salesforce.com");
    let _other = bench.another(9, "bi@acme.example", LOGIN);
    // A share of nothing is one login.
    let (bench, entries) = bench.restarted(0);
    assert_eq!(bench.of(&entries[0]).await.unwrap(), 1);
    let (bench, entries) = bench.restarted(0);
    assert_eq!(bench.of(&entries[0]).await.unwrap(), 1, "it is kept");
    let spent = bench.of(&entries[1]).await.unwrap_err();
    let Error::LoginShareSpent {
        limit, retry_after, ..
    } = &spent
    else {
        panic!("{spent:?}")
    };
    assert!(*limit == 1 && *retry_after > Duration::from_mins(59));
    assert_eq!(spent.may_pass_in(), Some(*retry_after));
    assert_eq!(bench.of(&entries[2]).await.unwrap(), 1);
    assert_eq!(bench.logins(), 2);
    // What is throttled is neither entered nor counted.
    assert_eq!(entries[1].lock().machine.logins(), 0);
}

#[tokio::test]
async fn a_login_that_is_not_sent_leaves_the_share_whole() {
    let bench = ready(Script::Succeed);
    let (bench, entries) = bench.restarted(0);
    let record = Arc::clone(&entries[0].lock().record);
    bench
        .refresher
        .store
        .remove(record.id, {
            let Refresher { store, keys, .. } = &*bench.refresher;
            store.load(keys).unwrap()[0].revision
        })
        .unwrap();
    assert!(bench.of(&entries[0]).await.is_err());
    assert_eq!(bench.logins(), 0);
    let usage = bench.refresher.quota.usage(&record, SystemClock.now());
    assert_eq!((usage.used, usage.throttled_until), (0, None));
}

#[tokio::test]
async fn a_login_refused_for_the_rate_pauses_the_user_on_all_records_and_over_a_restart() {
    let bench = ready(Script::Fail(Class::RateLimited));
    let second = bench.another(8, USER, "acme.my.salesforce.com");
    let other = bench.another(9, "bi@acme.example", LOGIN);
    let limited = |result: Result<u64, Error>| {
        let Err(Error::LoginFailed { failure, .. }) = result else {
            panic!("{result:?}")
        };
        assert_eq!(failure.class, Class::RateLimited);
    };
    limited(bench.of(&bench.entry).await);
    limited(bench.of(&second).await);
    assert_eq!(bench.logins(), 1);
    limited(bench.of(&other).await);
    assert_eq!(bench.logins(), 2, "another user is asked for");
    let (bench, entries) = bench.restarted(50);
    for entry in &entries {
        limited(bench.of(entry).await);
    }
    assert_eq!(bench.logins(), 2);
}

#[tokio::test]
async fn a_host_that_is_down_for_one_record_is_not_asked_for_the_others() {
    for class in [Class::Unavailable, Class::Unanswered] {
        let bench = ready(Script::Fail(class));
        let crowd: Vec<_> = (10..60)
            .map(|n| bench.another(n, &format!("user-{n}@acme.example"), LOGIN))
            .collect();
        let elsewhere = bench.another(8, USER, "test.salesforce.com");
        assert!(bench.of(&bench.entry).await.is_err());
        for entry in &crowd {
            let told = bench.of(entry).await.unwrap_err();
            let Error::LoginFailed {
                failure,
                retry_after,
                ..
            } = &told
            else {
                panic!("{told:?}")
            };
            // Its own credential was not sent, so this is no login without an answer.
            assert_eq!(failure.class, Class::Unavailable);
            assert!(*retry_after <= Duration::from_secs(13), "{retry_after:?}");
            assert_eq!(entry.lock().machine.logins(), 0);
        }
        assert_eq!(bench.logins(), 1);
        *bench.fake.script.lock().unwrap() = Script::Succeed;
        assert_eq!(bench.of(&elsewhere).await.unwrap(), 1);
    }
}

#[tokio::test]
async fn what_concerns_one_record_only_pauses_no_other() {
    for class in [
        Class::BadCredentials,
        Class::RestrictedHours,
        Class::ClockSkew,
    ] {
        let bench = ready(Script::Fail(class));
        let other = bench.another(8, "bi@acme.example", LOGIN);
        assert!(bench.of(&bench.entry).await.is_err());
        *bench.fake.script.lock().unwrap() = Script::Succeed;
        assert_eq!(bench.of(&other).await.unwrap(), 1, "{class:?}");
    }
}

#[tokio::test]
async fn a_flight_that_breaks_blocks_no_host() {
    let bench = ready(Script::Panic);
    let other = bench.another(8, "bi@acme.example", LOGIN);
    assert!(bench.of(&bench.entry).await.is_err());
    *bench.fake.script.lock().unwrap() = Script::Succeed;
    assert_eq!(bench.of(&other).await.unwrap(), 1);
}

/// The session that is replaced is good, and so is its instance.
#[tokio::test]
async fn a_login_in_place_of_a_good_session_asks_and_blames_the_login_host() {
    let bench = ready(Script::Succeed);
    bench.of(&bench.entry).await.unwrap();
    *bench.fake.script.lock().unwrap() = Script::Fail(Class::Unavailable);
    let want = Want {
        fresh_login: true,
        ..Want::default()
    };
    bench.session(want).await.unwrap_err();
    let asks = |name: &str| {
        let host = Host::parse(name).unwrap();
        let asked = bench.refresher.outages.ask(&host, SystemClock.now());
        asked.is_ok()
    };
    assert!(!asks(LOGIN), "it did not answer");
    assert!(asks("acme.my.salesforce.com"), "nobody asked it");
}

/// Whoever wanted to use the credential hears that it does not work; for others the session is as good as it was.
#[tokio::test]
async fn a_login_in_place_of_a_good_session_that_is_rejected_is_not_that_session() {
    let bench = ready(Script::Succeed);
    bench.of(&bench.entry).await.unwrap();
    *bench.fake.script.lock().unwrap() = Script::Fail(Class::BadCredentials);
    let want = Want {
        fresh_login: true,
        ..Want::default()
    };
    let told = bench.session(want).await.unwrap_err();
    assert!(matches!(told, Error::Latched { .. }), "{told:?}");
    assert_eq!(bench.of(&bench.entry).await.unwrap(), 1);
}

/// The rate is the user's, whatever his password is.
#[tokio::test]
async fn a_refusal_for_the_rate_pauses_the_user_also_when_the_credential_changed_under_way() {
    let bench = bench(Script::Fail(Class::RateLimited));
    let second = bench.another(8, USER, "acme.my.salesforce.com");
    let caller = bench.caller().await;
    bench.set_password().await;
    bench.fake.may_answer.add_permits(1000);
    let told = caller.await.unwrap().map(|session| session.generation);
    for told in [told, bench.of(&second).await] {
        let Err(Error::LoginFailed { failure, .. }) = told else {
            panic!("{told:?}")
        };
        assert_eq!(failure.class, Class::RateLimited);
    }
    assert_eq!(bench.logins(), 1);
}

#[tokio::test]
async fn a_unit_that_used_up_its_logins_may_still_have_a_session_proved() {
    let bench = ready(Script::Succeed);
    bench.of(&bench.entry).await.unwrap();
    let (quota, record) = (
        &bench.refresher.quota,
        Arc::clone(&bench.entry.lock().record),
    );
    let unit = Account::of_unit(1000, "etl.service");
    let now = SystemClock.now();
    while quota.spent_by(&record, unit.party(), now).is_none() {
        quota.charge(&record, unit.party(), now);
    }
    let ask = |fresh_proof, fresh_login| {
        let want = Want {
            fresh_proof,
            fresh_login,
            ..Want::default()
        };
        bench.refresher.session_for(&bench.entry, want, Some(&unit))
    };
    ask(true, false).await.unwrap();
    let told = ask(false, true).await.unwrap_err();
    assert!(matches!(told, Error::Throttled { .. }), "{told:?}");
    assert_eq!(bench.logins(), 1);
}
