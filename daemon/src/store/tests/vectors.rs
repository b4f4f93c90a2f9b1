//! Vaults that were written once and must open for ever.
//!
//! `tests/vectors/README.md` says how a vector is made. A vector is never made anew: another format adds a file.

use super::*;
use crate::{
    failure::{Class, Failure},
    ledger::{Latch, Pending},
    recent_logins::RecentLogins,
    record::Pin,
};

const V1: &[u8] = include_bytes!("../../../../tests/vectors/vault-v1.redb");

fn vector_passphrase() -> Passphrase {
    Passphrase::new(b"sfvault test vector".to_vec())
}

fn ms(ms: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(ms)
}

/// The records that every vector holds, with their revisions and credentials.
fn vector() -> [(StoredRecord, Credential); 2] {
    let production = StoredRecord {
        record: Record {
            id: RecordId(*b"vector-record-1!"),
            name: RecordName::parse("acme.prod").unwrap(),
            login_host: Host::parse("login.salesforce.com").unwrap(),
            flow: Flow::SoapLogin {
                username: "etl@acme.example".to_owned(),
            },
            pin: Some(Pin {
                org_id: "00D000000000001EAA".to_owned(),
                user_id: "005000000000001AAA".to_owned(),
                username: None,
            }),
            credential_version: 3,
            created_at: ms(1_700_000_000_001),
            credential_changed_at: ms(1_700_000_600_999),
            aside: crate::aside::Aside::default(),
            rules: None,
            remind_after: None,
        },
        ledger: Ledger {
            generation: 41,
            logins: 39,
            pending: Some(Pending {
                credential_version: 3,
                since: ms(1_700_000_700_500),
            }),
            latch: None,
            failed_at: vec![ms(1_700_000_650_000), ms(1_700_000_660_000)],
            succeeded_at: None,
            rejections: 0,
            recent: RecentLogins::default(),
            hold: None,
            kept: None,
            rejected_trials: Vec::new(),
            ..Ledger::default()
        },
        revision: Revision(2),
    };
    let sandbox = StoredRecord {
        record: Record {
            id: RecordId(*b"vector-record-2!"),
            name: RecordName::parse("acme.uat@2").unwrap(),
            login_host: Host::parse("acme--uat.sandbox.my.salesforce.com:8443").unwrap(),
            flow: Flow::SoapLogin {
                username: "etl@acme.example.uat\u{20ac}\"\\".to_owned(),
            },
            pin: None,
            credential_version: 1,
            created_at: ms(0),
            credential_changed_at: ms(0),
            aside: crate::aside::Aside::default(),
            rules: None,
            remind_after: None,
        },
        ledger: Ledger {
            generation: 1,
            logins: 1,
            pending: None,
            latch: Some(Latch {
                credential_version: 1,
                failure: Failure {
                    class: Class::BadCredentials,
                    code: Some("INVALID_LOGIN".to_owned()),
                    message: "Invalid username, password, security token; or user locked out."
                        .to_owned(),
                    pause: Some(Duration::from_millis(90_000)),
                },
                since: ms(1_700_000_800_000),
            }),
            failed_at: Vec::new(),
            succeeded_at: None,
            rejections: 2,
            recent: RecentLogins::default(),
            hold: None,
            kept: None,
            rejected_trials: Vec::new(),
            ..Ledger::default()
        },
        revision: Revision(1),
    };
    let with_token = Credential::SoapLogin {
        password: Password::new("p\u{e4}ssw\u{f6}rd \"3\"".to_owned()),
        security_token: Some(SecurityToken::new("AbCdEfGhIjKlMnOpQrStUvWx".to_owned())),
    };
    let tokenless = Credential::SoapLogin {
        password: Password::new("only a password".to_owned()),
        security_token: None,
    };
    [(production, with_token), (sandbox, tokenless)]
}

/// Makes a vector with what this program writes today.
fn make(path: &Path) {
    let (store, keys) = Store::create(path, &vector_passphrase(), CHEAP).unwrap();
    for (stored, secret) in vector() {
        let mut expected = None;
        for turn in 1..=stored.revision.0 {
            let record = Record {
                // A first credential, replaced where the revision says that there was a change.
                credential_version: stored.record.credential_version + turn - stored.revision.0,
                ..stored.record.clone()
            };
            let put = store.put(&keys, expected, &record, &stored.ledger, Some(&secret));
            expected = Some(put.unwrap());
        }
    }
}

fn check(path: &Path) {
    let store = reopen(path).unwrap().unwrap();
    let keys = store.unlock(&vector_passphrase()).unwrap();
    let found = contents(&store, &keys).unwrap();
    for (found, expected) in found.iter().zip(&vector()) {
        assert_eq!(found.0, expected.0);
        assert!(found.1.matches(&expected.1));
    }
    assert_eq!(found.len(), vector().len());
    // And it is no museum piece: it takes changes.
    let (stored, _) = &found[0];
    store
        .put(
            &keys,
            Some(stored.revision),
            &stored.record,
            &Ledger::default(),
            None,
        )
        .unwrap();
    assert_eq!(store.load(&keys).unwrap()[0].ledger, Ledger::default());
}

#[test]
fn a_vault_of_format_1_opens_with_every_field() {
    let (_home, path) = home();
    VaultFile::create(&path, V1).unwrap();
    check(&path);
}

#[test]
fn a_vault_written_today_holds_the_same_as_the_vectors() {
    let (_home, path) = home();
    make(&path);
    // Where this is set, the file is kept: that is how the vector of a new format is made.
    if let Some(kept) = std::env::var_os("SFVAULT_KEEP_VECTOR") {
        fs::copy(&path, kept).unwrap();
    }
    check(&path);
}
