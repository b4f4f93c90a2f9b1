//! Sessions that are kept alive for those who hold them, for as long as that is worth a call.

use std::time::Duration;

use sfvault::{RecordName, WatchState};
use sfvault_tests::simulator::{Org, USERNAME};
use sfvaultd::clock::Clock as _;

use super::{Night, until};
use crate::start::soon;

#[tokio::test]
async fn a_job_of_ten_hours_keeps_its_session_with_one_call_an_hour() {
    let night = Night::new().await;
    let mut watch = night.watch().await;
    let first = until(&mut watch, WatchState::Ready).await;
    let session = first.session.unwrap().session_id;
    let begin = night.clock.now();
    let mut sure = first.guaranteed_until.unwrap();
    let mut calls = 0;
    while sure < begin + Duration::from_hours(10) {
        // The timeout is two hours: a minute behind the first half, and at most another by chance.
        night.clock.set(sure + Duration::from_secs(121));
        let news = watch.next().await.unwrap();
        assert_eq!((news.state, news.generation), (WatchState::Ready, 1));
        // EXPOSE: compared in a test.
        assert_eq!(news.session.unwrap().session_id.expose(), session.expose());
        sure = news.guaranteed_until.unwrap();
        assert_eq!(sure, night.clock.now() + Duration::from_hours(1));
        calls += 1;
    }
    assert_eq!(calls, 9);
    // One login, the proof of its session, and the calls: nothing else was sent all night.
    assert_eq!(night.simulator.requests().len(), 2 + calls);
    assert_eq!(night.simulator.logins(USERNAME).total, 1);
    assert_eq!(night.simulator.sessions(USERNAME).len(), 1);
    drop(watch);
    night.finish().await;
}

#[tokio::test]
async fn a_session_that_died_unseen_is_replaced_by_one_login() {
    let night = Night::new().await;
    let mut watch = night.watch().await;
    let first = until(&mut watch, WatchState::Ready).await;
    night.simulator.expire_sessions(USERNAME);
    let late = first.guaranteed_until.unwrap() + Duration::from_secs(121);
    night.clock.set(late);
    let mut news = watch.next().await.unwrap();
    while news.generation == 1 || news.state != WatchState::Ready {
        news = watch.next().await.unwrap();
    }
    assert_eq!(news.generation, 2);
    assert_eq!(night.simulator.logins(USERNAME).total, 2);
    drop(watch);
    night.finish().await;
}

/// A job that took its session by GetSession, and then works for a while without a call.
#[tokio::test]
async fn who_took_a_session_holds_it_for_half_an_hour_and_no_longer() {
    let quarter = Duration::from_mins(15);
    let night = Night::with(Org {
        session_timeout: quarter,
        ..Org::default()
    })
    .await;
    night.inside.session("prod").await.unwrap();
    let name = RecordName::parse("prod").unwrap();
    let sent = night.simulator.requests().len();
    for calls in 1..=3 {
        // Half the timeout, and a sixtieth of it at most.
        night.clock.advance(quarter / 2 + quarter / 60);
        let sure = night.clock.now() + quarter / 2;
        let kept = async {
            let admin = &night.inside.admin;
            while admin.describe(&name).await.unwrap().guaranteed_until != Some(sure) {
                tokio::task::yield_now().await;
            }
        };
        soon("kept alive", kept).await;
        assert_eq!(night.simulator.requests().len(), sent + calls);
    }
    night.clock.advance(quarter);
    night.inside.session("prod").await.unwrap();
    // The session died meanwhile: a login and its proof, and nothing before them.
    assert_eq!(night.simulator.requests().len(), sent + 3 + 2);
    assert_eq!(night.simulator.logins(USERNAME).total, 2);
    night.finish().await;
}
