//! Random operations under random faults, kills and power cuts (T31), each life from one seed.
//!
//! `SFVAULT_CRASH_ROUNDS` says how many lives, `SFVAULT_CRASH_SEED` the seed of the first; the seed fixes the
//! operations and the faults, not the nonces and ids that the vault draws.

use std::{env, io, panic::AssertUnwindSafe};

use super::world::{Figures, World};
use crate::store::tests::disk::Fault;

const ROUNDS: u64 = 24;
const OPERATIONS: u64 = 40;

#[test]
fn a_vault_keeps_its_promises_whatever_the_disk_does() {
    let rounds = variable("SFVAULT_CRASH_ROUNDS").unwrap_or(ROUNDS);
    let first = variable("SFVAULT_CRASH_SEED").unwrap_or(1);
    let mut total = Figures::default();
    for seed in first..first + rounds {
        let life = std::panic::catch_unwind(AssertUnwindSafe(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .build()
                .unwrap();
            runtime.block_on(life(seed))
        }));
        match life {
            Ok(figures) => total.add(figures),
            Err(panic) => {
                println!("failed with SFVAULT_CRASH_ROUNDS=1 SFVAULT_CRASH_SEED={seed}");
                std::panic::resume_unwind(panic);
            }
        }
    }
    println!("{rounds} lives from seed {first}: {total:?}");
    if rounds >= ROUNDS {
        assert!(total.acknowledged > total.operations / 4, "{total:?}");
        assert!(total.faults > rounds / 2, "{total:?}");
        assert!(total.kills + total.power_cuts > rounds, "{total:?}");
        assert!(total.cut_mid_login > 0 && total.lies > 0, "{total:?}");
        assert!(
            total.migrations > rounds && total.rotations > rounds,
            "{total:?}"
        );
        assert!(total.rules > rounds, "{total:?}");
    }
}

async fn life(seed: u64) -> Figures {
    let mut world = World::new(seed).await;
    for _ in 0..OPERATIONS {
        match world.dice.below(20) {
            0..=9 => {
                let failed = world.operate().await;
                assert!(failed.is_none(), "on a good disk: {failed:?}");
            }
            10..=13 => {
                arm(&mut world, false);
                let failed = world.operate().await;
                let struck = world.disk.heal();
                assert!(struck || failed.is_none(), "without a fault: {failed:?}");
                world.figures.faults += u64::from(struck);
            }
            14..=15 => {
                arm(&mut world, true);
                world.operate().await;
                lose_power(&mut world).await;
            }
            16 => lose_power(&mut world).await,
            17 => kill(&mut world).await,
            18 => {
                if world.hang_in_login().await {
                    if world.dice.one_in(2) {
                        kill(&mut world).await;
                    } else {
                        lose_power(&mut world).await;
                    }
                }
            }
            _ => {
                if world.dice.one_in(8) {
                    return be_lied_to(world).await;
                }
            }
        }
    }
    kill(&mut world).await;
    world.close()
}

async fn kill(world: &mut World) {
    world.figures.kills += 1;
    let bytes = world.disk.bytes();
    world.recover(bytes).await;
}

/// Of what was not synced, the disk keeps what chance wants.
async fn lose_power(world: &mut World) {
    world.figures.power_cuts += 1;
    let mut dice = world.dice.clone();
    let bytes = world.disk.after_losing(|| dice.one_in(2));
    world.recover(bytes).await;
}

/// The disk acknowledges syncs that it does not make, and then loses power.
async fn be_lied_to(mut world: World) -> Figures {
    world.disk.lie();
    for _ in 0..8 {
        world.operate().await;
    }
    let mut dice = world.dice.clone();
    let bytes = world.disk.after_losing(|| dice.one_in(3));
    world.recover_from_lies(bytes).await;
    world.close()
}

fn arm(world: &mut World, for_good: bool) {
    let dice = &mut world.dice;
    let reads_too = dice.one_in(3);
    world.disk.arm(Fault {
        after: 1 + dice.below(20),
        kind: dice.pick(&[io::ErrorKind::StorageFull, io::ErrorKind::Other]),
        once: !for_good && dice.one_in(2),
        short: dice.one_in(2),
        reads_too,
    });
}

fn variable(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    Some(text.parse().unwrap())
}

impl Figures {
    fn add(&mut self, other: Self) {
        self.operations += other.operations;
        self.acknowledged += other.acknowledged;
        self.faults += other.faults;
        self.kills += other.kills;
        self.power_cuts += other.power_cuts;
        self.cut_mid_login += other.cut_mid_login;
        self.lies += other.lies;
        self.lies_found_out += other.lies_found_out;
        self.logins += other.logins;
        self.migrations += other.migrations;
        self.rotations += other.rotations;
        self.rules += other.rules;
    }
}
