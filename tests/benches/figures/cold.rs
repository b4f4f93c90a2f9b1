//! A crowd that finds a record cold, beside a single caller that does.

use sfvault_tests::simulator::USERNAME;

use crate::{
    crowd::{Crowd, Way},
    stage::{Failed, Stage},
    stopwatch::Pairs,
    table::{Goal, head, row, single},
};

const CALLERS: u32 = 1_000;
const ROUNDS: u32 = 20;

pub(crate) async fn run() -> Result<(), Failed> {
    let stage = Stage::with_records(1).await?;
    let mut crowd = Crowd::gather(&stage.socket(), CALLERS as usize, Way::Idle).await?;
    let mut alone = Crowd::gather(&stage.socket(), 1, Way::Idle).await?;
    let mut pairs = Pairs::default();
    let mut most = 0;
    // The first round warms both up.
    for round in 0..=ROUNDS {
        let (many, one) = (format!("many-{round}"), format!("one-{round}"));
        stage.add(&many).await?;
        stage.add(&one).await?;
        let before = made(&stage);
        let ours = crowd.ask(&many).await?;
        let between = made(&stage);
        let reference = alone.ask(&one).await?;
        if made(&stage) != between + 1 {
            return Err("one caller did not cause one login".into());
        }
        if round > 0 {
            most = most.max(between - before);
            pairs.add(ours.as_secs_f64() * 1e3, reference.as_secs_f64() * 1e3);
        }
    }
    head("1,000 callers of a cold record, each with a connection; reference: one caller");
    row(
        "until the last one is answered, ms",
        pairs.ours(),
        pairs.reference(),
        pairs.ratio(),
        Goal::None,
    );
    single(
        "the same over that one login, microseconds per caller",
        (pairs.ours() - pairs.reference()) * 1e3 / f64::from(CALLERS),
        Goal::None,
    );
    single(
        "logins that they cause, at most",
        f64::from(u32::try_from(most)?),
        Goal::AtMost(1.0),
    );
    stage.simulator.finish()?;
    Ok(())
}

/// How often the records' user has logged in.
fn made(stage: &Stage) -> u64 {
    stage.simulator.logins(USERNAME).total
}
