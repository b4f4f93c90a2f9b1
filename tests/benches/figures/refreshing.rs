//! Who asks for one record, while others log in one after the other and the host of another one is down.

use std::{
    net::TcpListener,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use sfvault_proto::v1::{GetSessionRequest, sessions_client::SessionsClient};
use sfvault_tests::simulator::{PASSWORD, SECURITY_TOKEN, USERNAME, User};
use tokio::{runtime::Builder, time::sleep};
use tonic::{Code, transport::Channel};

use crate::{
    bystanders::{GOOD, ROUNDS, wait},
    stage::{Failed, Stage, channel, failed},
    stopwatch::{Elapsed as _, Pairs, now, quantile},
    table::{Goal, head, row, single},
};

/// The users of the records that log in. Each record does once: a single one could not do so all the time, for that is
/// what the daemon holds back.
const REFRESHING: [&str; 2] = ["first@acme.example", "second@acme.example"];
/// Of each user: enough for all rounds, and fewer than the logins that an hour allows to one user when they are all due to
/// one process.
const COLD: u32 = 1_000;
const DOWN: &str = "down";
/// So long after an answer somebody asks for the next record, and for the one whose host is down.
const PACE: Duration = Duration::from_millis(5);

/// The names of records that have no session yet.
type Cold = Arc<Mutex<Vec<String>>>;

pub(crate) async fn run() -> Result<(), Failed> {
    // Nobody else gets this port, and nobody answers there.
    let port = TcpListener::bind("127.0.0.1:0")?;
    let down = format!("https://localhost:{}", port.local_addr()?.port());
    let stage = Stage::allowing(Some(&down)).await?;
    stage.add("prod").await?;
    stage.run(&["get", "prod"]).await?;
    let mut names = Vec::new();
    for user in REFRESHING {
        stage
            .simulator
            .add_user(User::new(user, PASSWORD, SECURITY_TOKEN));
        let of_user: Vec<_> = (0..COLD).map(|number| format!("{user}-{number}")).collect();
        stage.add_all(user, of_user.iter().cloned()).await?;
        names.extend(of_user);
    }
    let cold = Arc::new(Mutex::new(names));
    stage.add_at(DOWN, USERNAME, &down).await?;
    drop(port);

    let mut good = Vec::new();
    for _ in 0..GOOD {
        good.push(channel(&stage.socket()).await?);
    }
    wait(&good).await?;
    let (mut middle, mut late, mut rates) = (Pairs::default(), Pairs::default(), Vec::new());
    for _ in 0..ROUNDS {
        let quiet = wait(&good).await?;
        let (before, start) = (logins(&stage), now());
        let trouble = Trouble::start(&stage, &cold)?;
        let beside = wait(&good).await?;
        trouble.end()?;
        let made = u32::try_from(logins(&stage) - before)?;
        rates.push(f64::from(made) / start.elapsed_since().as_secs_f64());
        middle.add(quantile(beside.clone(), 0.5), quantile(quiet.clone(), 0.5));
        late.add(quantile(beside, 0.99), quantile(quiet, 0.99));
    }
    head("100 clients while records log in and a host is down, microseconds; reference: quiet");
    for (what, pairs, goal) in [
        ("p50", middle, Goal::None),
        ("p99", late, Goal::AtMost(1.2)),
    ] {
        row(what, pairs.ours(), pairs.reference(), pairs.ratio(), goal);
    }
    single(
        "logins per second meanwhile",
        quantile(rates, 0.5),
        Goal::None,
    );
    stage.simulator.finish()?;
    Ok(())
}

fn logins(stage: &Stage) -> u64 {
    let made = REFRESHING.map(|user| stage.simulator.logins(user).accepted);
    made.into_iter().sum()
}

/// What goes on beside the clients, on a thread of its own.
struct Trouble {
    stop: Arc<AtomicBool>,
    thread: thread::JoinHandle<Result<(), String>>,
}

impl Trouble {
    fn start(stage: &Stage, cold: &Cold) -> Result<Self, Failed> {
        let stop = Arc::new(AtomicBool::new(false));
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (stopped, cold, socket) = (Arc::clone(&stop), Arc::clone(cold), stage.socket());
        let thread = thread::spawn(move || {
            let made = runtime.block_on(trouble(&socket, &cold, &stopped));
            made.map_err(|error| error.to_string())
        });
        Ok(Self { stop, thread })
    }

    fn end(self) -> Result<(), Failed> {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.thread.join().map_err(|_| failed("trouble broke"))?;
        ended.map_err(|error| failed(&error))
    }
}

async fn trouble(socket: &Path, cold: &Cold, stop: &AtomicBool) -> Result<(), Failed> {
    let jobs = channel(socket).await?;
    tokio::try_join!(refresh(&jobs, cold, stop), outage(&jobs, stop))?;
    Ok(())
}

/// One login after the other, as fast as the cold records last: 200 a second at most.
async fn refresh(jobs: &Channel, cold: &Cold, stop: &AtomicBool) -> Result<(), Failed> {
    while !stop.load(Ordering::Relaxed) {
        let next = cold.lock().map_err(|_| failed("trouble broke"))?.pop();
        let name = next.ok_or("there is no cold record left")?;
        get(jobs, &name).await?;
        sleep(PACE).await;
    }
    Ok(())
}

async fn outage(jobs: &Channel, stop: &AtomicBool) -> Result<(), Failed> {
    while !stop.load(Ordering::Relaxed) {
        match get(jobs, DOWN).await {
            Err(status) if status.code() == Code::Unavailable => sleep(PACE).await,
            other => return Err(format!("the host that is down: {other:?}").into()),
        }
    }
    Ok(())
}

async fn get(jobs: &Channel, record: &str) -> Result<(), tonic::Status> {
    let request = GetSessionRequest {
        record: record.to_owned(),
        ..GetSessionRequest::default()
    };
    let answer = SessionsClient::new(jobs.clone()).get_session(request).await;
    answer.map(drop)
}
