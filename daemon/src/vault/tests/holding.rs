//! Processes that hold a session, over a vault where taking one holds nothing.

use std::sync::Arc;

use tokio::{net::UnixStream, task::yield_now};

use super::rotation::{World, name};
use crate::{
    policy::{Capture, Mode, Peer, Policy},
    session::hold::Holder,
    share::{Account, Good},
    vault::{Vault, watching::Watcher},
    witness::Sight,
};

/// This very process, as it would connect.
fn process() -> Watcher {
    let (stream, _other) = UnixStream::pair().unwrap();
    let peer = Peer::of(&stream, &Sight::Own, |_| Capture::Process).unwrap();
    Watcher {
        policy: Policy::new(Mode::User, peer.uid),
        holder: Holder {
            uid: peer.uid,
            pid: peer.pid,
        },
        peer,
    }
}

/// Whether somebody keeps the record's session.
fn is_kept(vault: &Vault) -> bool {
    vault.find(name().as_str()).unwrap().1.lock().kept
}

#[tokio::test(start_paused = true)]
async fn what_somebody_else_gets_is_kept_for_a_process_that_holds() {
    let mut world = World::new(1).await;
    let account = Account::of_unit(1, "job.service");
    let vault = Arc::clone(&world.vault);
    assert!(vault.hold_until_exit(name().as_str(), process(), &account));
    assert!(vault.hold_until_exit(name().as_str(), process(), &account));
    assert_eq!(account.has(Good::Holds), 1);
    assert!(!is_kept(&vault), "there is no session");
    world.session().await;
    let other = Holder { uid: 1, pid: None };
    vault.got(name().as_str(), other);
    assert!(is_kept(&vault));
}

#[tokio::test(start_paused = true)]
async fn who_holds_ends_with_the_daemon_and_no_other_record_is_held() {
    let world = World::new(1).await;
    let account = Account::of_unit(1, "job.service");
    assert!(!world.vault.hold_until_exit("other", process(), &account));
    let stranger = Watcher {
        policy: Policy::new(Mode::System, 1),
        ..process()
    };
    assert!(
        !world
            .vault
            .hold_until_exit(name().as_str(), stranger, &account)
    );
    assert_eq!(account.has(Good::Holds), 0);
    assert!(
        world
            .vault
            .hold_until_exit(name().as_str(), process(), &account)
    );
    assert_eq!(account.has(Good::Holds), 1);
    world.vault.end_watches();
    while account.has(Good::Holds) > 0 {
        yield_now().await;
    }
}
