//! A change whose write failed may have been made: whoever repeats it must get through.

use super::{passphrase::passphrase, world::World};
use crate::{
    access::Rule, error::Error, mode::Mode, policy::Policy, record::RecordName,
    store::tests::disk::Fault,
};

#[tokio::test]
async fn a_change_that_failed_at_any_step_can_be_repeated_at_once() {
    for after in 1.. {
        let mut struck = false;
        let mut world = World::new(after).await;
        world.add("prod").await.unwrap();
        for turn in 0..3 {
            world.disk.arm(Fault::once(after));
            let first = change(&mut world, turn).await;
            struck |= world.disk.heal();
            if first.is_err() {
                let again = change(&mut world, turn).await;
                assert!(again.is_ok(), "turn {turn}, step {after}: {again:?}");
            }
        }
        // What was acknowledged is what is there, and no name is there twice.
        world.lock_and_unlock().await.unwrap();
        if !struck {
            assert!(after > 5, "the fault never had a chance");
            return;
        }
    }
}

#[tokio::test]
async fn after_a_change_that_failed_at_any_step_a_rotation_gets_through() {
    for after in 1.. {
        let mut world = World::new(after).await;
        world.add("prod").await.unwrap();
        world.disk.arm(Fault::once(after));
        let _ = world.set("prod").await;
        if !world.disk.heal() {
            assert!(after > 2, "the fault never had a chance");
            return;
        }
        let rotated = world.rotate("prod").await;
        let tried = matches!(rotated, Ok(()) | Err(Error::TrialFailed { .. }));
        assert!(tried, "step {after}: {rotated:?}");
    }
}

/// Memory says who gets in, the disk who will after the next unlock: they must not part.
#[tokio::test]
async fn rules_whose_write_failed_are_those_on_the_disk_with_the_next_change() {
    let name = || RecordName::parse("prod").unwrap();
    for after in 1.. {
        let mut struck = false;
        let mut world = World::new(after).await;
        world.add("prod").await.unwrap();
        for uid in [1, 2] {
            let (vault, policy, rule) = (world.vault.clone(), policy_of(), Rule::of_user(uid));
            let change = move || {
                let (vault, policy, rule) = (vault.clone(), policy.clone(), rule.clone());
                async move {
                    match uid {
                        1 => vault.allow(policy, name(), rule).await,
                        _ => vault.deny(policy, name(), None).await,
                    }
                }
            };
            world.disk.arm(Fault::once(after));
            let first = change().await;
            struck |= world.disk.heal();
            if let Err(error) = first {
                assert!(matches!(error, Error::Store(_)), "{error:?}");
                change().await.unwrap();
            }
            let in_memory = world.vault.access(&policy_of(), "prod").unwrap().rules;
            assert_eq!(in_memory.len(), usize::from(uid == 1), "step {after}");
            world.vault.lock().await.unwrap();
            world.vault.unlock(passphrase()).await.unwrap();
            let on_disk = world.vault.access(&policy_of(), "prod").unwrap().rules;
            assert_eq!(on_disk, in_memory, "step {after}");
        }
        if !struck {
            assert!(after > 2, "the fault never had a chance");
            return;
        }
    }
}

fn policy_of() -> Policy {
    Policy::new(Mode::System, 0)
}

async fn change(world: &mut World, turn: u32) -> Result<(), Error> {
    match turn {
        0 => world.add("dev").await,
        1 => world.set("prod").await,
        _ => world.remove("prod").await,
    }
}
