use std::{path::Path, pin::pin, task::Context, task::Waker, time::Duration};

use super::*;
use crate::{
    audit::Audit,
    clock::{Clock as _, SystemClock},
    descriptors::Room,
    mode::Mode,
    paths::Paths,
    policy::Policy,
    salesforce::{SalesforceLogin, environment::Environment},
    store::KdfCost,
    vault::Parts,
};

const OWNER: u32 = 1000;
const GUESSER: u32 = 2000;

/// The service of a vault that is locked.
async fn service(directory: &Path) -> Service {
    let clock = Arc::new(SystemClock);
    let environment = Environment::default();
    let parts = Parts {
        login: Arc::new(SalesforceLogin::new(
            Default::default(),
            environment,
            clock.clone(),
        )),
        clock,
        kdf: KdfCost {
            memory_kib: 8 * 1024,
            iterations: 1,
            lanes: 1,
        },
        token_upkeep: Default::default(),
        audit: Audit::nowhere(),
        retirements: Arc::default(),
        login_share_percent: 50,
        hold_after_get: Duration::ZERO,
    };
    let vault = Vault::open(&directory.join("vault.redb"), parts).unwrap();
    let passphrase = Passphrase::new(b"correct horse".to_vec());
    vault.initialize(passphrase).await.unwrap();
    vault.lock().await.unwrap();
    let room = Room {
        sessions: 2,
        admin: 2,
        strangers: 1,
    };
    Service {
        vault,
        about: About {
            started_at: SystemClock.now(),
            warnings: Vec::new(),
            protections: [].into(),
            sight: crate::witness::Sight::Own,
            api_version: "64.0".into(),
            audit: Audit::nowhere(),
            paths: Arc::new(Paths {
                config: directory.to_owned(),
                data: directory.to_owned(),
                runtime: directory.to_owned(),
            }),
        },
        house: Arc::new(House::new(Policy::new(Mode::System, OWNER), None, room)),
        attempts: Attempts::default(),
    }
}

fn guess(passphrase: &[u8]) -> UnlockVaultRequest {
    UnlockVaultRequest {
        passphrase: passphrase.to_vec(),
    }
}

/// T22: whoever hangs up once the key derivation has begun may learn from `status` whether he was right.
#[tokio::test(start_paused = true)]
async fn a_guess_counts_also_if_the_guesser_hangs_up_before_he_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let service = service(directory.path()).await;
    for _ in 0..3 {
        {
            let mut begun = pin!(service.unlock(GUESSER, Who::default(), guess(b"battery staple")));
            // On a busy machine the attempt may have ended by then; it counts all the same.
            let _ = begun.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        }
        // It comes after the attempt.
        service.vault.lock().await.unwrap();
    }
    let mut held_back = None;
    let next = service.attempts.turn(GUESSER, false, |wrong, pause| {
        held_back = Some((wrong, pause));
    });
    let waits = tokio::time::timeout(Duration::from_millis(1), next).await;
    assert!(waits.is_err());
    assert_eq!(held_back, Some((3, Duration::from_secs(1))));
    // Nobody else waits for that, and what was right is forgiven.
    let right = guess(b"correct horse");
    service.unlock(OWNER, Who::default(), right).await.unwrap();
}

/// T22: a guesser has one key derivation at a time, whether he waits for it or not.
#[tokio::test(start_paused = true)]
async fn a_turn_lasts_as_long_as_its_key_derivation() {
    let directory = tempfile::tempdir().unwrap();
    let service = service(directory.path()).await;
    let work = service.vault.clone();
    let (proceed, stopped) = std::sync::mpsc::channel::<()>();
    let turn = service.attempts.turn(GUESSER, false, |_, _| {}).await;
    let passphrase = Passphrase::new(b"battery staple".to_vec());
    let ended = move |_: &Result<(usize, bool), Error>| {
        stopped.recv().unwrap();
        turn.was(false);
    };
    {
        let mut begun = pin!(work.unlock_and(passphrase, ended));
        let mut waker = Context::from_waker(Waker::noop());
        assert!(begun.as_mut().poll(&mut waker).is_pending());
    }
    let next = service.attempts.turn(GUESSER, false, |_, _| {});
    let mut next = pin!(next);
    let mut waker = Context::from_waker(Waker::noop());
    assert!(next.as_mut().poll(&mut waker).is_pending());
    proceed.send(()).unwrap();
    next.await.was(false);
}
