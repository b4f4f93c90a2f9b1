//! A change whose write failed may have been made: whoever repeats it must get through.

use std::io;

use super::world::World;
use crate::store::tests::disk::Fault;

#[tokio::test]
async fn a_change_that_failed_at_any_step_can_be_repeated_at_once() {
    for after in 1.. {
        let mut struck = false;
        let mut world = World::new(after).await;
        world.add("prod").await.unwrap();
        for turn in 0..3 {
            world.disk.arm(Fault {
                after,
                kind: io::ErrorKind::Other,
                once: true,
                short: false,
                reads_too: false,
            });
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

async fn change(world: &mut World, turn: u32) -> Result<(), crate::error::Error> {
    match turn {
        0 => world.add("dev").await,
        1 => world.set("prod").await,
        _ => world.remove("prod").await,
    }
}
