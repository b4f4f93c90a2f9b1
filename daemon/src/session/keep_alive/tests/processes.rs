//! Processes that hold a session by being alive.

use super::*;

fn of_a_process(org: Org) -> Kept {
    let mut kept = Kept::new(org);
    kept.org.fly(&mut kept.machine, Want::default(), at(0));
    assert!(kept.holds.bind(Holder { uid: 0, pid: None }, at(0)));
    kept
}

#[test]
fn a_process_that_lives_keeps_its_session_as_a_stream_does() {
    for timeout in [Some(7200), Some(900), None] {
        let mut watched = Kept::watched(Org::new(timeout), 0);
        watched.run(0, TEN_HOURS, |_, _| ());
        let mut kept = of_a_process(Org::new(timeout));
        kept.run(0, TEN_HOURS, |_, _| ());
        assert_eq!(kept.org.logins, [0]);
        assert_eq!(kept.org.calls, watched.org.calls);
        kept.holds.release(Holder { uid: 0, pid: None });
        assert!(matches!(kept.care(at(TEN_HOURS)), Care::Rest));
    }
}

#[test]
fn no_session_is_made_for_a_process_that_would_not_learn_of_it() {
    let mut org = Org::new(Some(TWO_HOURS));
    org.hard = Some(TWO_HOURS);
    let mut kept = of_a_process(org);
    kept.run(0, TEN_HOURS, |_, _| ());
    assert_eq!((kept.org.logins.len(), kept.org.calls.len()), (1, 0));
    // What somebody else got is the record's, and kept too.
    let mut kept = of_a_process(Org::new(Some(TWO_HOURS)));
    assert!(matches!(kept.care(at(TEN_HOURS)), Care::Rest), "it is dead");
    kept.org
        .fly(&mut kept.machine, Want::default(), at(TEN_HOURS));
    assert_eq!(kept.org.logins, [0, TEN_HOURS]);
    assert!(matches!(kept.care(at(TEN_HOURS)), Care::At(time) if time == at(TEN_HOURS + 3660)));
}
