use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::net::UnixStream;

use super::*;
use crate::access::{Draft, Id};

fn id(number: u32) -> Option<Id> {
    Some(Id { number, name: None })
}

fn rule(draft: Draft) -> Rule {
    Rule::new(draft).unwrap()
}

fn uid(number: u32) -> Rule {
    Rule::of_user(number)
}

fn gid(number: u32) -> Rule {
    rule(Draft {
        gid: id(number),
        ..Draft::default()
    })
}

fn unit(name: &str) -> Rule {
    rule(Draft {
        unit: Some(name.to_owned()),
        ..Draft::default()
    })
}

fn user_unit(uid: u32, name: &str) -> Rule {
    rule(Draft {
        uid: id(uid),
        user_unit: Some(name.to_owned()),
        ..Draft::default()
    })
}

fn exe(uid: u32, path: &str) -> Rule {
    rule(Draft {
        uid: id(uid),
        exe: Some(path.into()),
        ..Draft::default()
    })
}

fn etl() -> Identity {
    Identity {
        uid: 1001,
        gid: 1001,
        groups: Seen::Is(Arc::from([20, 30])),
        unit: Seen::Is(Some(Unit::System("nightly.service".to_owned()))),
        program: Seen::Is(Program {
            path: PathBuf::from("/opt/etl"),
            in_place: true,
            since_connect: true,
        }),
    }
}

fn allowed(rules: &[Rule], who: &Identity) -> Option<usize> {
    let found = match verdict(rules, who) {
        Verdict::Allowed { rule } => Some(rule),
        Verdict::Denied { .. } | Verdict::Unsettled => None,
    };
    assert_eq!(fitting(rules, who), found);
    found
}

fn missing(rule: Rule, who: &Identity) -> String {
    match verdict(&[rule], who) {
        Verdict::Denied { missing } => missing.concat().join("; "),
        other @ (Verdict::Allowed { .. } | Verdict::Unsettled) => panic!("{other:?}"),
    }
}

#[test]
fn by_default_a_user_s_daemon_serves_that_user_and_the_system_s_nobody() {
    let (user, system) = (
        Policy::new(Mode::User, 1001),
        Policy::new(Mode::System, 1001),
    );
    assert_eq!(allowed(user.rules(None), &etl()), Some(0));
    assert_eq!(allowed(system.rules(None), &etl()), None);
    let root = Identity {
        uid: 0,
        gid: 0,
        ..etl()
    };
    assert_eq!(allowed(user.rules(None), &root), None);
    assert_eq!(allowed(system.rules(None), &root), None);
    // A list that was emptied is a list.
    assert_eq!(allowed(user.rules(Some(&[])), &etl()), None);
}

#[test]
fn the_first_rule_that_fits_lets_in_and_is_named() {
    assert_eq!(allowed(&[uid(7), gid(30), uid(1001)], &etl()), Some(1));
    assert_eq!(allowed(&[uid(7), gid(31)], &etl()), None);
    assert_eq!(allowed(&[], &etl()), None);
}

#[test]
fn all_selectors_of_a_rule_have_to_fit() {
    let all = |uid, gid, unit: &str, exe: &str| {
        rule(Draft {
            uid: id(uid),
            gid: id(gid),
            unit: Some(unit.to_owned()),
            exe: Some(exe.into()),
            ..Draft::default()
        })
    };
    let fits = all(1001, 20, "nightly.service", "/opt/etl");
    assert_eq!(allowed(&[fits], &etl()), Some(0));
    for (broken, words) in [
        (
            all(1002, 20, "nightly.service", "/opt/etl"),
            "its uid is 1001, not 1002",
        ),
        (
            all(1001, 21, "nightly.service", "/opt/etl"),
            "it is not in group 21",
        ),
        (
            all(1001, 20, "daily.service", "/opt/etl"),
            "its unit is nightly.service, not daily.service",
        ),
        (
            all(1001, 20, "nightly.service", "/opt/elt"),
            "its program is /opt/etl, not /opt/elt",
        ),
    ] {
        assert_eq!(missing(broken, &etl()), words);
    }
}

/// T14
#[test]
fn a_unit_of_a_user_is_never_the_system_s_of_the_same_name() {
    let of_user = |uid| Identity {
        unit: Seen::Is(Some(Unit::User {
            uid,
            name: "nightly.service".to_owned(),
        })),
        ..etl()
    };
    assert_eq!(allowed(&[unit("nightly.service")], &of_user(1001)), None);
    assert_eq!(
        allowed(&[user_unit(1001, "nightly.service")], &of_user(1001)),
        Some(0)
    );
    assert_eq!(
        allowed(&[user_unit(1001, "nightly.service")], &of_user(1002)),
        None
    );
    assert_eq!(allowed(&[user_unit(1001, "nightly.service")], &etl()), None);
}

/// T10, T12
#[test]
fn a_program_counts_if_its_own_file_is_at_the_path_and_it_ran_it_when_it_connected() {
    for (in_place, since_connect) in [(false, true), (true, false), (false, false)] {
        let who = Identity {
            program: Seen::Is(Program {
                path: PathBuf::from("/opt/etl"),
                in_place,
                since_connect,
            }),
            ..etl()
        };
        assert_eq!(allowed(&[exe(1001, "/opt/etl")], &who), None);
    }
    assert_eq!(allowed(&[exe(1001, "/opt/etl")], &etl()), Some(0));
    let deleted = Identity {
        program: Seen::Is(Program {
            path: PathBuf::from("/opt/etl (deleted)"),
            in_place: false,
            since_connect: true,
        }),
        ..etl()
    };
    assert!(missing(exe(1001, "/opt/etl"), &deleted).contains("(deleted)"));
}

#[test]
fn what_can_t_be_told_lets_nobody_in() {
    let unknown = Identity {
        groups: Seen::Unknown("why1"),
        unit: Seen::Unknown("why2"),
        program: Seen::Unknown("why3"),
        ..etl()
    };
    for (rule, why) in [
        (gid(20), "why1"),
        (unit("nightly.service"), "why2"),
        (exe(1001, "/opt/etl"), "why3"),
    ] {
        assert!(missing(rule, &unknown).contains(why));
    }
    // The primary group is known all the same.
    assert_eq!(allowed(&[gid(1001)], &unknown), Some(0));
    let nowhere = Identity {
        unit: Seen::Is(None),
        ..etl()
    };
    assert_eq!(
        missing(unit("a.service"), &nowhere),
        "it is in no unit, not in a.service"
    );
}

#[test]
fn a_process_is_looked_at_only_if_nothing_else_decides() {
    let unasked = Identity {
        unit: Seen::Unasked,
        program: Seen::Unasked,
        ..etl()
    };
    assert_eq!(verdict(&[unit("a.service")], &unasked), Verdict::Unsettled);
    // Another user's, whatever it runs.
    assert!(matches!(
        verdict(&[exe(7, "/opt/etl"), user_unit(7, "a.service")], &unasked),
        Verdict::Denied { .. }
    ));
    // A later rule on ids alone.
    assert_eq!(
        verdict(&[unit("a.service"), uid(1001)], &unasked),
        Verdict::Allowed { rule: 1 }
    );
}

#[test]
fn guests_are_those_whom_a_rule_of_some_record_could_let_in() {
    let rules = [uid(1), exe(2, "/opt/etl")];
    let guests = Guests::of(&rules);
    assert!(guests.may_include(1) && guests.may_include(2) && !guests.may_include(3));
    assert_eq!(guests.capture(1), Capture::Ids);
    assert_eq!(guests.capture(2), Capture::Process);
    assert!(guests.look_at(&Peer::of_ids(2, 2)) && !guests.look_at(&Peer::of_ids(1, 1)));
    assert!(guests.programs().contains(Path::new("/opt/etl")));
    let guests = Guests::of(&[gid(9)]);
    assert!(guests.may_include(3));
    assert_eq!(guests.capture(3), Capture::Process);
    assert!(!guests.look_at(&Peer::of_ids(3, 9)));
}

/// Who asks is named in every line of the audit; that must cost no look where the rules need none.
#[test]
fn naming_a_peer_that_a_uid_lets_in_looks_at_nothing() {
    let policy = Policy::new(Mode::System, 7);
    let rules = [uid(1001), unit("nightly.service")];
    let guests = Guests::of(&rules);
    let peer = Peer::of_ids(1001, 1001);
    let asker = Asker::new(&policy, &peer);
    assert_eq!(allowed_by(&asker, &rules, &guests), Some(0));
    assert!(asker.may_use(Some(&rules), &guests));
    assert_eq!(asker.traits(), Traits::default());
    assert!(!asker.has_looked());
}

fn allowed_by(asker: &Asker<'_>, rules: &[Rule], guests: &Guests) -> Option<usize> {
    match asker.judge(Some(Some(rules)), guests) {
        Verdict::Allowed { rule } => Some(rule),
        Verdict::Denied { .. } | Verdict::Unsettled => None,
    }
}

/// A connection names its maker, with or without a rule that asks for the process; and no other process.
#[tokio::test]
async fn a_peer_is_named_as_the_process_that_connected() {
    let own = std::fs::read_link("/proc/self/exe").unwrap();
    for capture in [Capture::Ids, Capture::Process] {
        let (_ours, theirs) = UnixStream::pair().unwrap();
        let mut peer = Peer::of(&theirs, &Sight::Own, |_| capture).unwrap();
        assert_eq!(peer.traits(), &Traits::default());
        peer.get_acquainted(&theirs, &Sight::Own);
        assert_eq!(peer.traits().exe.as_deref(), own.to_str(), "{capture:?}");
    }
}

/// T47: the work is the same whether there is a record that is not for the peer, or none.
#[test]
fn no_record_and_no_right_are_judged_alike() {
    let policy = Policy::new(Mode::System, 7);
    let rules = [unit("nightly.service")];
    let guests = Guests::of(&rules);
    let peer = Peer::of_ids(1001, 1001);
    for record in [
        None,
        Some(None),
        Some(Some(&[][..])),
        Some(Some(&rules[..])),
    ] {
        let asker = Asker::new(&policy, &peer);
        assert!(matches!(
            asker.judge(record, &guests),
            Verdict::Denied { .. }
        ));
        assert!(asker.has_looked(), "{record:?}");
        assert!(!asker.may_use(record.flatten(), &guests));
    }
    // And with a look that nobody's rule needs, none of them looks.
    for record in [None, Some(None), Some(Some(&[][..]))] {
        let asker = Asker::new(&policy, &peer);
        assert!(matches!(
            asker.judge(record, &Guests::default()),
            Verdict::Denied { .. }
        ));
        assert!(!asker.has_looked());
    }
}

/// As before Linux 6.5.
#[test]
fn where_the_kernel_names_no_process_rules_on_ids_work_and_others_let_nobody_in_and_say_why() {
    let peer = Peer::unnamed("too old");
    let who = peer.now(&Default::default());
    assert_eq!(allowed(&[uid(peer.uid)], &who), Some(0));
    assert_eq!(allowed(&[gid(peer.gid)], &who), Some(0));
    for rule in [
        unit("nightly.service"),
        exe(peer.uid, "/opt/etl"),
        gid(peer.gid + 1),
    ] {
        let said = missing(rule, &who);
        assert!(said.contains("too old"), "{said}");
    }
    assert_eq!(peer.traits(), &Traits::default());
}
