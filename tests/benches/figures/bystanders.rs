//! How long 100 good clients wait, alone and beside bad ones.

use std::{
    cell::RefCell,
    path::{Path, PathBuf},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use sfvault_proto::v1::sessions_client::SessionsClient;
use tokio::{
    io::AsyncWriteExt as _,
    net::UnixStream,
    runtime::Builder,
    task::{JoinSet, LocalSet},
    time::sleep,
};
use tonic::transport::Channel;

use crate::{
    echo::request,
    stage::{Failed, Stage, channel, failed},
    stopwatch::{Elapsed as _, Pairs, now, quantile},
    table::{Goal, head, row},
};

pub(crate) const GOOD: usize = 100;
const SILENT: usize = 50;
const SLOW: usize = 50;
const FLOODING: usize = 2;
pub(crate) const ROUNDS: usize = 6;
const WINDOW: Duration = Duration::from_secs(1);
/// Each good client asks so often: jobs ask now and then, not as fast as they can.
const PACE: Duration = Duration::from_millis(20);

pub(crate) async fn run() -> Result<(), Failed> {
    let stage = Stage::with_records(1).await?;
    let mut good = Vec::new();
    for _ in 0..GOOD {
        good.push(channel(&stage.socket()).await?);
    }
    let (mut middle, mut late) = (Pairs::default(), Pairs::default());
    wait(&good).await?;
    for _ in 0..ROUNDS {
        let alone = wait(&good).await?;
        let bad = Bad::start(&stage.socket())?;
        let beside = wait(&good).await?;
        bad.end()?;
        middle.add(quantile(beside.clone(), 0.5), quantile(alone.clone(), 0.5));
        late.add(quantile(beside, 0.99), quantile(alone, 0.99));
    }
    head("100 good clients beside 50 silent, 50 slow, 2 flooding, microseconds; reference: alone");
    for (what, pairs, goal) in [
        ("p50", middle, Goal::None),
        ("p99", late, Goal::AtMost(2.0)),
    ] {
        row(what, pairs.ours(), pairs.reference(), pairs.ratio(), goal);
    }
    stage.simulator.finish()?;
    Ok(())
}

/// How long each call of the good clients took.
pub(crate) async fn wait(good: &[Channel]) -> Result<Vec<f64>, Failed> {
    let waits = Rc::new(RefCell::new(Vec::new()));
    let tasks = LocalSet::new();
    let start = now();
    for (number, channel) in (0_u32..).zip(good) {
        let (mut client, waits) = (SessionsClient::new(channel.clone()), Rc::clone(&waits));
        tasks.spawn_local(async move {
            // Spread over the pace, or each round would be a burst of 100.
            sleep(PACE / 100 * number).await;
            while start.elapsed_since() < WINDOW {
                let asked = now();
                if client.get_session(request()).await.is_ok() {
                    let took = asked.elapsed_since().as_secs_f64() * 1e6;
                    waits.borrow_mut().push(took);
                }
                sleep(PACE).await;
            }
        });
    }
    tasks.await;
    let waits = waits.take();
    if waits.len() < GOOD {
        return Err("the good clients got no answers".into());
    }
    Ok(waits)
}

/// Bad clients, on a thread of their own.
struct Bad {
    stop: Arc<AtomicBool>,
    thread: thread::JoinHandle<Result<(), String>>,
}

impl Bad {
    fn start(socket: &Path) -> Result<Self, Failed> {
        let stop = Arc::new(AtomicBool::new(false));
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (stopped, socket) = (Arc::clone(&stop), socket.to_owned());
        let thread = thread::spawn(move || {
            let bad = misbehave(socket, &stopped);
            runtime.block_on(bad).map_err(|error| error.to_string())
        });
        Ok(Self { stop, thread })
    }

    fn end(self) -> Result<(), Failed> {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self
            .thread
            .join()
            .map_err(|_| failed("a bad client broke"))?;
        ended.map_err(|error| failed(&error))
    }
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

async fn misbehave(socket: PathBuf, stop: &AtomicBool) -> Result<(), Failed> {
    let mut silent = Vec::new();
    for _ in 0..SILENT {
        silent.push(UnixStream::connect(&socket).await?);
    }
    let mut bad = JoinSet::new();
    for _ in 0..SLOW {
        let mut slow = UnixStream::connect(&socket).await?;
        bad.spawn(async move {
            for byte in PREFACE {
                if slow.write_all(&[*byte]).await.is_err() {
                    break;
                }
                sleep(Duration::from_millis(100)).await;
            }
        });
    }
    for _ in 0..FLOODING {
        let socket = socket.clone();
        // What no client may send, as fast as it is taken, again and again.
        bad.spawn(async move {
            let chunk = vec![0xff; 1 << 16];
            loop {
                let Ok(mut flood) = UnixStream::connect(&socket).await else {
                    sleep(Duration::from_millis(1)).await;
                    continue;
                };
                let _ = flood.write_all(PREFACE).await;
                while flood.write_all(&chunk).await.is_ok() {}
                sleep(Duration::from_millis(1)).await;
            }
        });
    }
    while !stop.load(Ordering::Relaxed) {
        sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}
