//! Many records and many open connections: what they cost the others, in memory, and in sleep.

use std::time::Duration;

use sfvault_proto::v1::sessions_client::SessionsClient;
use sfvault_tests::simulator::USERNAME;
use tonic::transport::Channel;

use crate::{
    crowd::{Crowd, Way},
    echo::request,
    idle, process,
    stage::{Failed, Stage, channel},
    stopwatch::{Elapsed as _, Pairs, now, quantile},
    table::{Goal, head, row, single, skipped},
};

const RECORDS: usize = 10_000;
const CONNECTIONS: usize = 1_000;
const ROUNDS: usize = 12;
const WINDOW: Duration = Duration::from_millis(300);

pub(crate) async fn run() -> Result<(), Failed> {
    let few = Stage::with_records(1).await?;
    let many = Stage::with_records(1).await?;
    let names = (1..RECORDS).map(|number| format!("record-{number}"));
    many.add_all(USERNAME, names).await?;
    head("10,000 records and 1,000 open connections, half of them watching");
    let before = process::pss(many.pid);
    let idle = Crowd::gather(&many.socket(), CONNECTIONS / 2, Way::Idle).await?;
    let watching = Crowd::gather(&many.socket(), CONNECTIONS / 2, Way::Watch).await?;
    calls(&few, &many).await?;
    memory(&few, &many, before)?;
    idle::minute("wake-ups in an idle minute", many.pid).await?;
    drop((idle, watching));
    few.simulator.finish()?;
    many.simulator.finish()?;
    Ok(())
}

/// One caller, one call after the other.
async fn calls(few: &Stage, many: &Stage) -> Result<(), Failed> {
    let (ours, reference) = (
        channel(&many.socket()).await?,
        channel(&few.socket()).await?,
    );
    let (mut rates, mut late) = (Pairs::default(), Pairs::default());
    for round in 0..=ROUNDS {
        let (a, b) = (waits(&ours).await?, waits(&reference).await?);
        // The first round warms both up.
        if round > 0 {
            rates.add(quantile(a.clone(), 0.5), quantile(b.clone(), 0.5));
            late.add(quantile(a, 0.99), quantile(b, 0.99));
        }
    }
    for (what, pairs) in [("p50", rates), ("p99", late)] {
        let what = format!("cached GetSession, {what}, us; reference: 1 record, 1 caller");
        row(
            &what,
            pairs.ours(),
            pairs.reference(),
            pairs.ratio(),
            Goal::None,
        );
    }
    Ok(())
}

/// How long each call took, in microseconds.
async fn waits(channel: &Channel) -> Result<Vec<f64>, Failed> {
    let mut client = SessionsClient::new(channel.clone());
    let (mut waits, start) = (Vec::new(), now());
    while start.elapsed_since() < WINDOW {
        let asked = now();
        client.get_session(request()).await?;
        waits.push(asked.elapsed_since().as_secs_f64() * 1e6);
    }
    Ok(waits)
}

fn memory(few: &Stage, many: &Stage, before: Option<f64>) -> Result<(), Failed> {
    let pss = |stage: &Stage| process::pss(stage.pid);
    let (Some(small), Some(before), Some(after)) = (pss(few), before, pss(many)) else {
        skipped(
            "PSS",
            "the daemon is not dumpable, so only root may read it",
        );
        return Ok(());
    };
    row(
        "PSS with the records, KiB; reference: with 1",
        before,
        small,
        before / small,
        Goal::None,
    );
    row(
        "PSS with records and connections, KiB; the same",
        after,
        small,
        after / small,
        Goal::None,
    );
    single(
        "PSS per connection, KiB",
        (after - before) / f64::from(u32::try_from(CONNECTIONS)?),
        Goal::None,
    );
    Ok(())
}
