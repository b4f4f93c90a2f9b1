use super::*;

fn draft() -> Draft {
    Draft::default()
}

fn id(number: u32) -> Option<Id> {
    Some(Id { number, name: None })
}

fn refused(draft: Draft) -> (&'static str, String) {
    let problem = Rule::new(draft).unwrap_err();
    (problem.selector, problem.problem)
}

#[test]
fn a_rule_that_every_user_could_fulfil_is_refused() {
    assert_eq!(refused(draft()).0, "rule");
    let exe = Some(PathBuf::from("/usr/bin/etl"));
    let alone = Draft { exe, ..draft() };
    assert_eq!(refused(alone.clone()).0, "exe");
    assert!(
        Rule::new(Draft {
            uid: id(1000),
            ..alone.clone()
        })
        .is_ok()
    );
    // A group is shared; the program of a member is still the member's to run as it likes.
    assert_eq!(
        refused(Draft {
            gid: id(1000),
            ..alone
        })
        .0,
        "exe"
    );
    let user_unit = Draft {
        user_unit: Some("nightly.service".to_owned()),
        ..draft()
    };
    assert_eq!(refused(user_unit.clone()).0, "user_unit");
    let with_uid = Draft {
        uid: id(1000),
        ..user_unit
    };
    assert_eq!(
        Rule::new(with_uid).unwrap().unit(),
        Some(&Unit::User {
            uid: 1000,
            name: "nightly.service".to_owned()
        })
    );
}

/// T12
#[test]
fn an_interpreter_is_no_identity() {
    for exe in [
        "/usr/bin/python3",
        "/usr/bin/python3.12",
        "/opt/venv/bin/python",
        "/bin/sh",
        "/bin/bash",
        "/usr/bin/node",
        "/usr/bin/perl5.36.0",
        "/usr/bin/env",
        "/usr/lib/jvm/bin/java",
        "/lib64/ld-linux-x86-64.so.2",
        "/usr/bin/sfvault",
    ] {
        let rule = Draft {
            uid: id(1000),
            exe: Some(exe.into()),
            ..draft()
        };
        let (selector, problem) = refused(rule);
        assert_eq!(selector, "exe");
        assert!(problem.contains("no identity"), "{exe}: {problem}");
    }
    for exe in ["/opt/etl/bin/loader", "/usr/bin/nodetool", "/usr/bin/shred"] {
        let rule = Draft {
            uid: id(1000),
            exe: Some(exe.into()),
            ..draft()
        };
        assert!(Rule::new(rule).is_ok(), "{exe}");
    }
}

#[test]
fn paths_that_the_kernel_never_shows_are_refused() {
    for exe in [
        "etl",
        "./etl",
        "/",
        "/opt//etl",
        "/opt/./etl",
        "/opt/../etl",
        "/opt/etl/",
        "/opt/e\ntl",
    ] {
        let rule = Draft {
            uid: id(1000),
            exe: Some(exe.into()),
            ..draft()
        };
        assert_eq!(refused(rule).0, "exe", "{exe:?}");
    }
}

/// T14
#[test]
fn only_units_that_run_jobs_can_be_named() {
    for name in [
        "nightly.service",
        "job@1.service",
        "run-r1.scope",
        "a\\x2db.service",
    ] {
        let rule = Draft {
            unit: Some(name.to_owned()),
            ..draft()
        };
        assert!(Rule::new(rule).is_ok(), "{name}");
    }
    for name in [
        "",
        ".service",
        "nightly",
        "system.slice",
        "job@.service",
        "user@1000.service",
        "../x.service",
        "a/b.service",
        "a b.service",
        "x.service\n",
        "nightly.service ",
        "é.service",
    ] {
        let rule = Draft {
            unit: Some(name.to_owned()),
            ..draft()
        };
        assert_eq!(refused(rule).0, "unit", "{name:?}");
    }
}

/// T6
#[test]
fn the_id_of_whoever_has_none_is_nobodys() {
    for number in [65_534, u32::MAX] {
        assert_eq!(
            refused(Draft {
                uid: id(number),
                ..draft()
            })
            .0,
            "uid"
        );
        assert_eq!(
            refused(Draft {
                gid: id(number),
                ..draft()
            })
            .0,
            "gid"
        );
    }
}

#[test]
fn the_number_of_a_user_counts_and_not_its_name() {
    let rule = |name: Option<&str>| {
        Rule::new(Draft {
            uid: Some(Id {
                number: 1000,
                name: name.map(str::to_owned),
            }),
            ..draft()
        })
        .unwrap()
    };
    assert_eq!(rule(Some("etl")), rule(None));
    assert_eq!(rule(Some("etl")).to_string(), "uid 1000 (etl)");
    assert!(
        Rule::new(Draft {
            uid: Some(Id {
                number: 1,
                name: Some("\u{1b}[2J".to_owned())
            }),
            ..draft()
        })
        .is_err()
    );
}

/// A list of weak programs that grows must not make older vaults unreadable; nor may a rule lose its meaning.
#[test]
fn what_was_accepted_once_is_read_and_what_means_nothing_is_not() {
    let python = Draft {
        uid: id(1000),
        exe: Some("/usr/bin/python3".into()),
        ..draft()
    };
    assert!(Rule::accepted(python).is_some());
    let user_unit = Draft {
        user_unit: Some("nightly.service".to_owned()),
        ..draft()
    };
    assert!(Rule::accepted(draft()).is_none() && Rule::accepted(user_unit).is_none());
}

#[test]
fn a_rule_survives_being_taken_apart() {
    let rule = Rule::new(Draft {
        uid: id(1000),
        gid: id(100),
        unit: Some("nightly.service".to_owned()),
        exe: Some("/opt/etl".into()),
        ..draft()
    })
    .unwrap();
    assert_eq!(Rule::new(rule.draft()).unwrap(), rule);
    assert_eq!(Rule::accepted(rule.draft()), Some(rule.clone()));
    assert_eq!(
        rule.to_string(),
        "uid 1000, gid 100, unit nightly.service, exe /opt/etl"
    );
}
