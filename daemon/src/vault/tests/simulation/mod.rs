//! Machine, store, disk, clock and Salesforce through many hours of everything that can happen, from one seed: jobs that
//! call, watch and are confused, operators who lock, rotate, migrate and change rules, and daemons that die.
//!
//! `SFVAULT_SIMULATION_HOURS` says how many hours each life has, `SFVAULT_SIMULATION_LIVES` how many lives,
//! `SFVAULT_SIMULATION_SEED` the seed of the first. The seed fixes all that happens; only keys, nonces and generated
//! passwords are drawn anew.

mod book;
mod door;
mod life;
mod salesforce;
mod time;
mod way;

use std::{
    env,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    panic::AssertUnwindSafe,
};

use life::{Figures, Life};

use super::dice::Dice;
use crate::blocking::tests::InStep;

const HOURS: u64 = 150;
const LIVES: u64 = 2;
/// In so many hours everything happens.
const LONG: u64 = 6000;

/// T42
#[test]
fn hours_of_refusals_crashes_outages_and_clock_jumps_break_no_invariant() {
    let hours = variable("SFVAULT_SIMULATION_HOURS").unwrap_or(HOURS);
    let lives = variable("SFVAULT_SIMULATION_LIVES").unwrap_or(LIVES);
    let first = variable("SFVAULT_SIMULATION_SEED").unwrap_or(1);
    let mut total = Figures::default();
    let mut stories = DefaultHasher::new();
    for seed in first..first + lives {
        let lived = std::panic::catch_unwind(AssertUnwindSafe(|| live(seed, hours)));
        match lived {
            Ok((figures, story)) => {
                total.add(&figures);
                story.hash(&mut stories);
            }
            Err(panic) => {
                println!(
                    "failed with SFVAULT_SIMULATION_LIVES=1 SFVAULT_SIMULATION_SEED={seed} \
                     SFVAULT_SIMULATION_HOURS={hours}"
                );
                std::panic::resume_unwind(panic);
            }
        }
    }
    println!(
        "{lives} lives from seed {first}, told alike if {:016x}: {total:#?}",
        stories.finish()
    );
    if hours * lives >= LONG {
        total.assert_busy();
    }
}

/// A failure is found again by its seed.
#[test]
fn a_life_lived_again_is_the_same() {
    for seed in 1..=2 {
        let ((once, said), (again, said_again)) = (live(seed, 40), live(seed, 40));
        let differ = said
            .iter()
            .zip(&said_again)
            .find(|(one, other)| one != other);
        assert_eq!(differ, None, "seed {seed}");
        assert_eq!(once, again, "seed {seed}");
        assert!(said.len() > 50, "seed {seed}: {}", said.len());
    }
}

/// A life, and what Salesforce was asked in it.
fn live(seed: u64, hours: u64) -> (Figures, Vec<String>) {
    let mut turns = Dice::new(!seed);
    let _in_step = InStep::begin(move || turns.below(4));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut life = Life::new(seed);
        while life.hours() < hours {
            life.step().await;
        }
        life.end().await
    })
}

fn variable(name: &str) -> Option<u64> {
    Some(env::var(name).ok()?.parse().unwrap())
}
