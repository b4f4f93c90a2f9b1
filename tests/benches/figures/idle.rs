//! An idle daemon sleeps: what the kernel counted in a minute.

use std::{process::Stdio, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    process::{Child, Command},
    time::sleep,
};

use crate::{
    process::switches,
    stage::{Failed, RECORD, Stage},
    table::{Goal, head, single},
};

const MINUTE: Duration = Duration::from_mins(1);
/// Threads for slow work end 10 s after their last one.
const SETTLED_WITHIN: u32 = 60;

pub(crate) async fn run() -> Result<(), Failed> {
    head("an idle minute of an unlocked daemon with a session and 100 records");
    let stage = Stage::with_records(100).await?;
    minute("wake-ups", stage.pid).await?;
    let job = job(&stage).await?;
    let sent = stage.simulator.requests().len();
    minute("wake-ups while a job holds the session", stage.pid).await?;
    if stage.simulator.requests().len() > sent {
        return Err("a call to keep the session was due in this minute".into());
    }
    drop(job);
    stage.simulator.finish()?;
    Ok(())
}

/// A plain `exec` whose command is there already, and says nothing until it is dropped.
async fn job(stage: &Stage) -> Result<Child, Failed> {
    let mut exec = Command::from(stage.sfvault.sfvault(["exec", RECORD, "--", "cat"]));
    exec.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut job = exec.kill_on_drop(true).spawn()?;
    let (stdin, stdout) = (job.stdin.as_mut(), job.stdout.as_mut());
    stdin.ok_or("no stdin")?.write_all(b"x").await?;
    stdout.ok_or("no stdout")?.read_u8().await?;
    Ok(job)
}

/// A minute of this daemon, of which nobody wants anything.
pub(crate) async fn minute(what: &str, pid: u32) -> Result<(), Failed> {
    let mut looks = 0;
    while switches(pid)?.0 > 1 {
        if looks == SETTLED_WITHIN {
            return Err("the daemon keeps threads that do nothing".into());
        }
        looks += 1;
        sleep(Duration::from_secs(1)).await;
    }
    let (_, before) = switches(pid)?;
    sleep(MINUTE).await;
    let (threads, after) = switches(pid)?;
    let woken = u32::try_from(after - before)?;
    single(what, f64::from(woken), Goal::AtMost(0.0));
    single(
        "threads",
        f64::from(u32::try_from(threads)?),
        Goal::AtMost(1.0),
    );
    Ok(())
}
