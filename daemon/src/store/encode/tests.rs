use proptest::prelude::*;

use super::*;
use crate::recent_logins::RecentLogins;
use crate::{
    aside::{Aside, DrawnPassword, DrawnState, KeptLogin},
    failure::{Class, Failure},
    ledger::{Hold, HostDown, Latch, Pending},
    secret::Fingerprint,
};

fn at(ms: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(ms)
}

fn aside() -> Aside {
    Aside {
        kept: Some(KeptLogin {
            login_host: Host::parse("acme.my.salesforce.com").unwrap(),
            flow: Flow::JwtBearer {
                username: "etl@acme.example".to_owned(),
                consumer_key: "3MVG9-kept".to_owned(),
                audience: "https://login.salesforce.com".to_owned(),
            },
            pin: Some(Pin {
                org_id: "00D000000000002AAA".to_owned(),
                user_id: "005000000000002AAA".to_owned(),
                username: Some("etl@acme.example".to_owned()),
            }),
            credential_version: 2,
            credential_changed_at: at(3),
            since: at(4),
        }),
        drawn: Some(DrawnPassword {
            credential_version: 5,
            since: at(5),
            state: DrawnState::Unknown,
        }),
        dropped_version: 7,
    }
}

fn full() -> (Record, Ledger) {
    let record = Record {
        id: RecordId([9; 16]),
        name: RecordName::parse("acme.prod").unwrap(),
        login_host: Host::parse("localhost:8443").unwrap(),
        flow: Flow::SoapLogin {
            username: "etl@acme.example \u{202e}\"\\\n\0".to_owned(),
        },
        pin: Some(Pin {
            org_id: "00D000000000001AAA".to_owned(),
            user_id: "005000000000001AAA".to_owned(),
            username: None,
        }),
        credential_version: u64::MAX,
        created_at: at(0),
        credential_changed_at: at(1_700_000_000_123),
        rules: Some(Arc::from([
            Rule::accepted(Draft {
                uid: Some(Id {
                    number: 1001,
                    name: Some("etl".to_owned()),
                }),
                gid: Some(Id {
                    number: 7,
                    name: None,
                }),
                unit: Some("nightly.service".to_owned()),
                exe: Some("/opt/etl".into()),
                ..Draft::default()
            })
            .unwrap(),
            Rule::accepted(Draft {
                uid: Some(Id {
                    number: 1002,
                    name: None,
                }),
                user_unit: Some("a.service".to_owned()),
                ..Draft::default()
            })
            .unwrap(),
        ])),
        remind_after: Some(Duration::from_hours(90 * 24)),
        aside: aside(),
    };
    let ledger = Ledger {
        generation: 42,
        logins: 40,
        pending: Some(Pending {
            credential_version: 3,
            since: at(1_700_000_000_001),
        }),
        latch: Some(Latch {
            credential_version: 2,
            failure: Failure {
                class: Class::BadCredentials,
                code: Some("INVALID_LOGIN".to_owned()),
                message: "Invalid username".to_owned(),
                pause: Some(Duration::from_millis(1500)),
            },
            since: at(1_700_000_000_002),
        }),
        failed_at: vec![at(1), at(2)],
        succeeded_at: None,
        rejections: u32::MAX,
        recent: RecentLogins::from_slices([(at(1_700_000_100_000), 3), (at(1_700_000_400_000), 1)]),
        hold: Some(Hold {
            failure: Failure {
                class: Class::RateLimited,
                code: None,
                message: "Login Rate Exceeded".to_owned(),
                pause: Some(Duration::from_mins(10)),
            },
            since: at(1_700_000_000_004),
            until: at(1_700_000_600_004),
            round: 2,
            proof: true,
        }),
        hosts_down: vec![HostDown {
            host: Host::parse("down.my.salesforce.com").unwrap(),
            hold: Hold {
                failure: Failure {
                    class: Class::Unavailable,
                    code: None,
                    message: "connection refused".to_owned(),
                    pause: None,
                },
                since: at(1_700_000_000_005),
                until: at(1_700_000_010_005),
                round: 7,
                proof: false,
            },
        }],
        refusal_logins: vec![at(1_700_000_000_006), at(1_700_000_000_007)],
        refusal_login_due: true,
        kept: None,
        rejected_trials: vec![Fingerprint([0xa5; 32]), Fingerprint([0; 32])],
    };
    (record, ledger)
}

/// A row of before there were rules, and one whose rules were all taken away, are two things.
#[test]
fn no_rules_and_an_empty_list_of_rules_stay_apart() {
    let (mut record, ledger) = full();
    for (rules, written) in [(None, false), (Some(Arc::from([])), true)] {
        record.rules = rules;
        let bytes = record_to_bytes(&record, &ledger).unwrap();
        assert_eq!(bytes.windows(9).any(|part| part == b"\"access\":"), written);
        let (read, _) = record_from_bytes(record.id, &bytes).unwrap();
        assert_eq!(read.rules, record.rules);
    }
}

#[test]
fn a_rule_that_means_nothing_is_no_rule_for_everybody() {
    let (record, ledger) = full();
    let bytes = record_to_bytes(&record, &ledger).unwrap();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let (before, _) = text.split_once("\"access\":").unwrap();
    for rule in [
        "{}",
        r#"{"exe":"/opt/etl"}"#,
        r#"{"user_unit":"a.service"}"#,
        r#"{"host":"x"}"#,
    ] {
        let spoilt = format!("{before}\"access\":[{rule}]}}");
        assert!(
            record_from_bytes(record.id, spoilt.as_bytes()).is_err(),
            "{rule}"
        );
    }
}

#[test]
fn a_record_and_its_ledger_come_back_whole() {
    let (record, ledger) = full();
    let bytes = record_to_bytes(&record, &ledger).unwrap();
    assert_eq!(record_from_bytes(record.id, &bytes), Ok((record, ledger)));

    let (mut record, _) = full();
    record.pin = None;
    record.aside = Aside::default();
    let ledger = Ledger::default();
    let bytes = record_to_bytes(&record, &ledger).unwrap();
    assert_eq!(record_from_bytes(record.id, &bytes), Ok((record, ledger)));
}

#[test]
fn every_class_of_failure_comes_back() {
    for class in Class::ALL {
        let (record, mut ledger) = full();
        ledger.latch.as_mut().unwrap().failure.class = class;
        let bytes = record_to_bytes(&record, &ledger).unwrap();
        let (_, read) = record_from_bytes(record.id, &bytes).unwrap();
        assert_eq!(read.latch.unwrap().failure.class, class);
    }
}

#[test]
fn times_are_kept_to_the_millisecond_and_never_overflow() {
    let nanosecond = Duration::from_nanos(999_999);
    assert_eq!(from_ms(to_ms(at(5) + nanosecond)), Ok(at(5)));
    assert_eq!(to_ms(SystemTime::UNIX_EPOCH - Duration::from_secs(9)), 0);
    assert!(from_ms(u64::MAX).is_ok_and(|time| to_ms(time) == u64::MAX));
    assert_eq!(duration_ms(Duration::MAX), u64::MAX);
}

#[test]
fn unknown_and_missing_keys_and_values_are_refused() {
    let (record, ledger) = full();
    let bytes = record_to_bytes(&record, &ledger).unwrap();
    let good = std::str::from_utf8(&bytes).unwrap();
    for (from, to) in [
        ("\"name\":", "\"nickname\":"),
        ("\"name\":", "\"note\":1,\"name\":"),
        ("\"name\":", "\"name\":\"twice\",\"name\":"),
        ("acme.prod", "-rf"),
        ("localhost:8443", "evil.example/path"),
        ("localhost:8443", "user@evil.example"),
        ("soap-login", "telepathy"),
        ("bad-credentials", "bad-luck"),
        ("\"generation\":42", "\"generation\":-1"),
        ("\"generation\":42", "\"generation\":42,\"x\":0"),
        ("\"org_id\"", "\"o\""),
        ("a5a5a5a5", "a5a5a5g5"),
        ("a5a5a5a5", "a5a5a5a"),
        ("\"kept\":", "\"keep\":"),
        ("\"state\":\"unknown\"", "\"state\":\"known\""),
        ("\"dropped_version\":7", "\"dropped_version\":7,\"x\":1"),
        ("\"rejections\":4294967295", "\"rejections\":4294967296"),
        ("\"round\":2", "\"round\":-2"),
        ("rate-limited", "bad-luck"),
        ("\"round\":7", "\"round\":7,\"x\":1"),
        ("down.my.salesforce.com", "user@evil.example"),
        ("\"refusal_login_due\":true", "\"refusal_login_due\":1"),
        ("[1700000000006,", "[-1,"),
        ("[1700000100000,3]", "[1700000100000,-3]"),
        ("[1700000100000,3]", "[1700000100000]"),
    ] {
        assert!(good.contains(from), "{from}");
        let bad = good.replace(from, to);
        assert!(
            record_from_bytes(record.id, bad.as_bytes()).is_err(),
            "{from} -> {to}"
        );
    }
}

#[test]
fn every_flow_comes_back_with_what_belongs_to_it() {
    let username = || "etl@acme.example".to_owned();
    let consumer_key = || "3MVG9".to_owned();
    for flow in [
        Flow::UsernamePassword {
            username: username(),
            consumer_key: consumer_key(),
        },
        Flow::ClientCredentials {
            consumer_key: consumer_key(),
        },
        Flow::JwtBearer {
            username: username(),
            consumer_key: consumer_key(),
            audience: "https://login.salesforce.com".to_owned(),
        },
        Flow::RefreshToken {
            consumer_key: consumer_key(),
        },
    ] {
        let (mut record, ledger) = full();
        record.flow = flow;
        let bytes = record_to_bytes(&record, &ledger).unwrap();
        assert_eq!(
            record_from_bytes(record.id, &bytes),
            Ok((record.clone(), ledger))
        );
        let text = std::str::from_utf8(&bytes).unwrap();
        let keyless = text.replace("\"consumer_key\":\"3MVG9\",", "");
        assert!(record_from_bytes(record.id, keyless.as_bytes()).is_err());
        let soap = text.replace(record.flow.kind().name(), "soap-login");
        assert!(record_from_bytes(record.id, soap.as_bytes()).is_err());
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(record_from_bytes(RecordId([0; 16]), &bytes).is_err());
    }

    #[test]
    fn any_username_and_message_come_back(username in ".*", message in ".*") {
        let (mut record, mut ledger) = full();
        record.flow = Flow::SoapLogin { username };
        ledger.latch.as_mut().unwrap().failure.message = message;
        let bytes = record_to_bytes(&record, &ledger).unwrap();
        prop_assert_eq!(record_from_bytes(record.id, &bytes), Ok((record, ledger)));
    }
}
