//! What a peer is shown, and at what cost.

use std::{
    pin::pin,
    task::{Context, Waker},
};

use super::world::World;
use crate::{
    credential::{Credential, Flow},
    host::Host,
    mode::Mode,
    policy::{Asker, Peer, Policy},
    record::RecordName,
    secret::{Password, SecurityToken},
    vault::NewRecord,
};

fn record(number: u32) -> NewRecord {
    NewRecord {
        name: RecordName::parse(&format!("record-{number}")).unwrap(),
        login_host: Host::parse("login.salesforce.com").unwrap(),
        flow: Flow::SoapLogin {
            username: format!("etl-{number}@acme.com"),
        },
        credential: Credential::SoapLogin {
            password: Password::new("secret".to_owned()),
            security_token: Some(SecurityToken::new("token".to_owned())),
        },
        environment: None,
        remind_after: None,
    }
}

/// A reason is a text for each rule of a record; the audit has room for those of sixteen.
#[tokio::test]
async fn a_long_listing_is_whole_and_gives_few_reasons() {
    let world = World::new(1).await;
    for number in 0..70 {
        world.vault.add(record(number)).await.unwrap();
    }
    let policy = Policy::new(Mode::User, 7);
    for (uid, shown) in [(7, 70), (8, 0)] {
        let peer = Peer::of_ids(uid, uid);
        let asker = Asker::new(&policy, &peer);
        let listing = world.vault.records_for(&asker).await.unwrap();
        let figures = (listing.records.len(), listing.decisions.len());
        assert_eq!(figures, (shown, 16));
    }
}

/// All of them are looked at, with others' turns in between.
#[tokio::test]
async fn many_records_are_told_without_holding_up_others() {
    let world = World::new(1).await;
    for number in 0..70 {
        world.vault.add(record(number)).await.unwrap();
    }
    let mut records = pin!(world.vault.records());
    let mut waker = Context::from_waker(Waker::noop());
    assert!(records.as_mut().poll(&mut waker).is_pending());
    assert_eq!(records.await.unwrap().len(), 70);
}
