//! Machine, store, disk, clock and Salesforce through many hours of everything that can happen, from one seed: jobs that
//! call, watch and are confused, operators who lock, rotate, migrate and change rules, and daemons that die.
//!
//! `SFVAULT_SIMULATION_HOURS` says how many hours each life has, `SFVAULT_SIMULATION_LIVES` how many lives,
//! `SFVAULT_SIMULATION_SEED` the seed of the first. The seed fixes what happens and when; nonces, ids and the jitter of
//! pauses are drawn anew.

mod book;
mod door;
mod life;
mod salesforce;
mod time;
mod way;

use std::{env, panic::AssertUnwindSafe};

use life::{Figures, Life};

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
    for seed in first..first + lives {
        let lived = std::panic::catch_unwind(AssertUnwindSafe(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .start_paused(true)
                .build()
                .unwrap();
            runtime.block_on(async {
                let mut life = Life::new(seed).await;
                while life.hours() < hours {
                    life.step().await;
                }
                life.end().await
            })
        }));
        match lived {
            Ok(figures) => total.add(&figures),
            Err(panic) => {
                println!(
                    "failed with SFVAULT_SIMULATION_LIVES=1 SFVAULT_SIMULATION_SEED={seed} \
                     SFVAULT_SIMULATION_HOURS={hours}"
                );
                std::panic::resume_unwind(panic);
            }
        }
    }
    println!("{lives} lives from seed {first}: {total:#?}");
    if hours * lives >= LONG {
        total.assert_busy();
    }
}

fn variable(name: &str) -> Option<u64> {
    Some(env::var(name).ok()?.parse().unwrap())
}
