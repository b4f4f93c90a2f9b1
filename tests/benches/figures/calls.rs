//! Cached `GetSession`, under rules and audited, against a server that only echoes.

use std::{cell::Cell, path::Path, rc::Rc, time::Duration};

use rustix::process::geteuid;
use sfvault_proto::v1::sessions_client::SessionsClient;
use tokio::task::LocalSet;
use tonic::transport::Channel;

use crate::{
    echo::{Echo, request},
    process,
    stage::{Failed, RECORD, Stage, channel},
    stopwatch::{Elapsed as _, Pairs, now},
    table::{Goal, head, row},
};

const ROUNDS: usize = 12;
const WINDOW: Duration = Duration::from_millis(300);
/// Connections, and calls in flight over all of them.
const LOADS: [(usize, usize); 3] = [(1, 1), (1, 64), (64, 64)];

pub(crate) async fn run() -> Result<(), Failed> {
    let stage = Stage::with_records(1).await?;
    let own = geteuid().as_raw().to_string();
    for uid in ["60001", "60002", &own] {
        stage.run(&["allow", RECORD, "--uid", uid]).await?;
    }
    let echo = Echo::of(&stage.socket()).await?;
    head("cached GetSession, calls/s; reference: a tonic echo of the same messages");
    let mut costs = Vec::new();
    for (connections, in_flight) in LOADS {
        let ours = Server::connect(&stage.socket(), stage.pid, connections).await?;
        let reference = Server::connect(&echo.socket(), echo.pid(), connections).await?;
        let (mut rates, mut cost) = (Pairs::default(), Pairs::default());
        for round in 0..=ROUNDS {
            let (a, b) = (
                ours.load(in_flight).await?,
                reference.load(in_flight).await?,
            );
            // The first round warms both up.
            if round > 0 {
                rates.add(a.rate, b.rate);
                cost.add(a.cost, b.cost);
            }
        }
        let what = format!("{connections} connections, {in_flight} calls in flight");
        row(
            &what,
            rates.ours(),
            rates.reference(),
            rates.ratio(),
            Goal::AtLeast(0.85),
        );
        costs.push((what, cost));
    }
    head("the same, the server's processor time, microseconds per call");
    for (what, cost) in costs {
        row(
            &what,
            cost.ours(),
            cost.reference(),
            cost.ratio(),
            Goal::None,
        );
    }
    stage.simulator.finish()?;
    Ok(())
}

/// A server with open connections.
struct Server {
    pid: u32,
    channels: Vec<Channel>,
}

struct Load {
    /// Calls per second.
    rate: f64,
    /// The server's microseconds per call.
    cost: f64,
}

impl Server {
    async fn connect(socket: &Path, pid: u32, connections: usize) -> Result<Self, Failed> {
        let mut channels = Vec::new();
        for _ in 0..connections {
            channels.push(channel(socket).await?);
        }
        Ok(Self { pid, channels })
    }

    async fn load(&self, in_flight: usize) -> Result<Load, Failed> {
        let calls = Rc::new(Cell::new(0_u32));
        let tasks = LocalSet::new();
        let (start, before) = (now(), process::cpu(self.pid).unwrap_or_default());
        for (_, channel) in (0..in_flight).zip(self.channels.iter().cycle()) {
            let (mut client, calls) = (SessionsClient::new(channel.clone()), Rc::clone(&calls));
            tasks.spawn_local(async move {
                while start.elapsed_since() < WINDOW {
                    if client.get_session(request()).await.is_ok() {
                        calls.set(calls.get() + 1);
                    }
                }
            });
        }
        tasks.await;
        let seconds = start.elapsed_since().as_secs_f64();
        let spent = process::cpu(self.pid).unwrap_or_default() - before;
        let calls = f64::from(calls.get());
        if calls == 0.0 {
            return Err("no call succeeded".into());
        }
        Ok(Load {
            rate: calls / seconds,
            cost: spent / calls,
        })
    }
}
