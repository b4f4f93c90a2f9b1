//! A vault of today with all that must last: access rules, an old login kept aside, a session, and every field of a
//! ledger. Later versions must read it; see `vectors`.

use std::sync::Arc;

use super::{
    aside::{app, credential_of, moved},
    sessions::kept,
    *,
};
use crate::{
    access::{Draft, Id, Rule},
    failure::{Class, Failure},
    ledger::{Hold, HostDown, Latch, Pending},
    recent_logins::RecentLogins,
    secret::Fingerprint,
};

const VECTOR: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../tests/vectors/vault-v1-lasting.redb"
);

fn lasting() -> (Record, Ledger) {
    let rule = Rule::accepted(Draft {
        uid: Some(Id {
            number: 1001,
            name: Some("etl".to_owned()),
        }),
        unit: Some("nightly.service".to_owned()),
        exe: Some("/opt/etl".into()),
        ..Draft::default()
    });
    let record = Record {
        rules: Some(Arc::from([rule.unwrap()])),
        remind_after: Some(Duration::from_hours(90 * 24)),
        ..moved(0)
    };
    let failure = |class| Failure {
        class,
        code: Some("CODE".to_owned()),
        message: "in words".to_owned(),
        pause: Some(Duration::from_secs(90)),
    };
    let hold = |class| Hold {
        failure: failure(class),
        since: at(20),
        until: at(110),
        round: 3,
        proof: true,
    };
    let mut session = kept("vector");
    session.credential_version = record.credential_version;
    let ledger = Ledger {
        generation: 9,
        logins: 12,
        pending: Some(Pending {
            credential_version: 2,
            since: at(10),
        }),
        latch: Some(Latch {
            credential_version: 1,
            failure: failure(Class::BadCredentials),
            since: at(11),
        }),
        failed_at: vec![at(12), at(13)],
        succeeded_at: Some(at(14)),
        rejections: 1,
        recent: RecentLogins::from_slices([(at(300), 3), (at(600), 1)]),
        hold: Some(hold(Class::Unavailable)),
        hosts_down: vec![HostDown {
            host: Host::parse("acme.my.salesforce.com").unwrap(),
            hold: hold(Class::Unanswered),
        }],
        refusal_logins: vec![at(15), at(16)],
        refusal_login_due: true,
        kept: Some(session),
        rejected_trials: vec![Fingerprint([0xa5; 32])],
    };
    (record, ledger)
}

fn check(store: &Store, keys: &Keys) {
    let stored = store.load(keys).unwrap().remove(0);
    let (record, ledger) = lasting();
    assert_eq!(stored.record, record);
    assert_eq!(stored.ledger, ledger);
    let credential = store.credential(keys, &stored.record).unwrap();
    assert!(credential.matches(&app()));
    let old = store.kept(keys, &stored.record).unwrap().unwrap();
    assert!(old.matches(&credential_of(0)));
}

#[test]
fn a_vault_with_all_that_must_last_opens_with_every_field() {
    let (_home, copy) = home();
    VaultFile::create(&copy, &fs::read(VECTOR).unwrap()).unwrap();
    let store = Store::open(&copy).unwrap().unwrap();
    let keys = store.unlock(&passphrase()).unwrap();
    check(&store, &keys);
}

#[test]
fn a_vault_written_today_holds_the_same_as_the_vector_that_lasts() {
    let (disk, store, keys) = filled(1);
    let (record, ledger) = lasting();
    let app = app();
    let credentials = Credentials {
        new: Some(&app),
        drawn: None,
    };
    store
        .rearrange(&keys, Revision(1), &record, &ledger, credentials)
        .unwrap();
    check(&store, &keys);
    drop(store);
    // Where this is set, the file is kept: that is how the vector was made.
    if let Some(kept) = std::env::var_os("SFVAULT_KEEP_LASTING_VECTOR") {
        fs::write(kept, disk.bytes()).unwrap();
    }
}
