//! The daemon's memory: fresh, with records, and after crowds have come and gone.

use sfvault_proto::v1::sessions_client::SessionsClient;

use crate::{
    echo::request,
    process,
    stage::{Failed, Stage, channel},
    table::{Goal, head, row, single, skipped},
};

const CONNECTIONS: usize = 1_000;
/// How many of them are open at a time.
const AT_A_TIME: usize = 100;

pub(crate) async fn run() -> Result<(), Failed> {
    head("the daemon's memory, PSS in KiB");
    let fresh = Stage::empty().await?;
    let Some(empty) = process::pss(fresh.pid) else {
        skipped(
            "PSS",
            "the daemon is not dumpable, so only root may read it",
        );
        return Ok(());
    };
    drop(fresh);
    let stage = Stage::with_records(100).await?;
    let pss = || process::pss(stage.pid).ok_or("the daemon is gone");
    single("a new vault, unlocked, no record", empty, Goal::None);
    let before = pss()?;
    row(
        "100 records; reference: no record",
        before,
        empty,
        before / empty,
        Goal::None,
    );
    for _ in 0..CONNECTIONS / AT_A_TIME {
        let mut channels = Vec::new();
        for _ in 0..AT_A_TIME {
            let channel = channel(&stage.socket()).await?;
            SessionsClient::new(channel.clone())
                .get_session(request())
                .await?;
            channels.push(channel);
        }
    }
    // One more call, so that the daemon has noticed that the others went.
    stage.run(&["get", "prod"]).await?;
    let after = pss()?;
    row(
        "after 1,000 connections; reference: before",
        after,
        before,
        after / before,
        Goal::AtMost(1.5),
    );
    stage.simulator.finish()?;
    Ok(())
}
