//! One bad client: what becomes of the others, here and at the other agents of this host.

use std::{convert::Infallible, process::Command, time::Duration};

use bytes::Bytes;
use http_body_util::StreamBody;
use hyper::body::Frame;
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use tokio::{
    io::AsyncWriteExt as _,
    net::UnixStream,
    time::{sleep, timeout},
};
use tower::ServiceExt as _;

use crate::{
    peers::{self, Agent},
    process,
    stage::{Failed, RECORD, Stage, channel},
    stopwatch::quantile,
};

const MIB: usize = 1 << 20;
const HUGE: usize = 300;
const FEW_DESCRIPTORS: u64 = 64;
const CROWD: usize = 100;
const GOOD: usize = 100;
/// How long a write may take to an agent that reads no more.
const STUCK: Duration = Duration::from_secs(2);
/// Between two attempts to connect.
const STEP: Duration = Duration::from_millis(10);

pub(crate) async fn run() -> Result<(), Failed> {
    println!("\none bad client: what becomes of the others");
    line(
        "",
        ["says nothing", "stops midway"],
        "a request of 300 MiB without end",
        "100 good clients, p99",
        "100 connections, 64 descriptors",
    );
    let stage = Stage::with_records(1).await?;
    let ours = daemon(&stage);
    let silence = silences(&ours).await?;
    let flood = huge(&ours).await?;
    let call = call(&ours).await?;
    let good = good(&ours).await?;
    line("sfvaultd", silence, &flood, &good, &crowd(&ours).await?);
    line("  the same in gRPC", [""; 2], &call, "", "");
    drop(stage);
    for (name, start) in peers::all() {
        let Some(start) = start else {
            println!("  {name:<22} not installed");
            continue;
        };
        match trials(start).await {
            Ok((silence, flood, good, crowd)) => line(name, silence, &flood, &good, &crowd),
            Err(problem) => println!("  {name:<22} can't be tried: {problem}"),
        }
    }
    Ok(())
}

/// A new agent each time, so that no trial meets what another left.
async fn trials(
    start: peers::Start,
) -> Result<([&'static str; 2], String, String, String), Failed> {
    let silence = silences(&start()?).await?;
    let flood = huge(&start()?).await?;
    let good = good(&start()?).await?;
    Ok((silence, flood, good, crowd(&start()?).await?))
}

fn line(name: &str, [nothing, midway]: [&str; 2], flood: &str, good: &str, crowd: &str) {
    println!("  {name:<22} {nothing:<13} {midway:<13} {flood:<46} {good:<24} {crowd}");
}

fn daemon(stage: &Stage) -> Agent {
    let like = stage.sfvault.sfvault(["get", RECORD]);
    let program = like.get_program().to_owned();
    let runtime = stage.sfvault.path("run");
    // HTTP/2's preface, empty settings, and the head of a frame that goes on for ever.
    let opening = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\xff\xff\xff\0\0\0\0\0\x01";
    Agent::running(stage.pid, stage.socket(), opening, move || {
        let mut get = Command::new(&program);
        get.args(["get", RECORD, "--no-autostart"])
            .env("SFVAULT_RUNTIME_DIR", &runtime);
        get
    })
}

/// A client that connects and says nothing, and one that stops in the middle of its request.
async fn silences(agent: &Agent) -> Result<[&'static str; 2], Failed> {
    Ok([
        silent(agent, &[]).await?,
        silent(agent, agent.opening).await?,
    ])
}

async fn silent(agent: &Agent, after: &[u8]) -> Result<&'static str, Failed> {
    let mut silent = UnixStream::connect(&agent.socket).await?;
    silent.write_all(after).await?;
    let answered = agent.answers().await?;
    drop(silent);
    Ok(if answered { "ok" } else { "hung" })
}

/// How long its own clients take, each a process: alone, and while one bad client says nothing, one stops midway, and one
/// sends without end as fast as it is read, again and again.
async fn good(agent: &Agent) -> Result<String, Failed> {
    let Some(alone) = agent.waits(GOOD).await? else {
        return Ok("hung, alone".to_owned());
    };
    let _silent = UnixStream::connect(&agent.socket).await?;
    let mut midway = UnixStream::connect(&agent.socket).await?;
    midway.write_all(agent.opening).await?;
    let (socket, opening) = (agent.socket.clone(), agent.opening);
    let flooding = tokio::spawn(async move {
        // Small, for this thread times the good clients meanwhile.
        let chunk = vec![b'x'; MIB / 16];
        loop {
            if let Ok(mut flood) = UnixStream::connect(&socket).await {
                let _ = flood.write_all(opening).await;
                let mut sent = 0;
                while sent < HUGE * 16 && flood.write_all(&chunk).await.is_ok() {
                    sent += 1;
                }
            }
            sleep(STEP).await;
        }
    });
    let beside = agent.waits(GOOD).await?;
    flooding.abort();
    let late = |waits: &[Duration]| {
        let millis = waits.iter().map(|wait| wait.as_secs_f64() * 1e3);
        quantile(millis.collect(), 0.99)
    };
    Ok(match beside {
        Some(beside) => format!("{:.1} ms; alone {:.1}", late(&beside), late(&alone)),
        None => format!("hung; alone {:.1} ms", late(&alone)),
    })
}

async fn huge(agent: &Agent) -> Result<String, Failed> {
    let before = process::peak(agent.pid).unwrap_or_default();
    let mut client = UnixStream::connect(&agent.socket).await?;
    let mut sent = 0;
    let mut end = "all taken";
    let chunk = vec![b'x'; MIB];
    if client.write_all(agent.opening).await.is_ok() {
        while sent < HUGE {
            match timeout(STUCK, client.write_all(&chunk)).await {
                Ok(Ok(())) => sent += 1,
                Ok(Err(_)) => {
                    end = "refused";
                    break;
                }
                Err(_) => {
                    end = "read no more";
                    break;
                }
            }
        }
    }
    aftermath(agent, &format!("{end} after {sent} MiB"), before).await
}

/// A call whose message claims 300 MiB and comes in parts.
async fn call(agent: &Agent) -> Result<String, Failed> {
    let before = process::peak(agent.pid).unwrap_or_default();
    let head = Bytes::from_static(&[0, 0x12, 0xc0, 0, 0]);
    let part = Bytes::from(vec![b'x'; MIB]);
    let parts = std::iter::once(head).chain(std::iter::repeat_n(part, HUGE));
    let body = tokio_stream::iter(parts.map(|part| Ok::<_, Infallible>(Frame::data(part))));
    let call = http::Request::post("http://localhost/sfvault.v1.Sessions/GetSession")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(tonic::body::Body::new(StreamBody::new(body)))?;
    let channel = channel(&agent.socket).await?;
    let end = match timeout(STUCK, channel.oneshot(call)).await {
        Ok(Ok(answer)) => match tonic::Status::from_header_map(answer.headers()) {
            Some(status) => format!("{:?}", status.code()),
            None => "answered".to_owned(),
        },
        Ok(Err(_)) => "refused".to_owned(),
        Err(_) => "read no more".to_owned(),
    };
    aftermath(agent, &end, before).await
}

async fn aftermath(agent: &Agent, end: &str, before: f64) -> Result<String, Failed> {
    let answers = agent.answers().await?;
    let state = match (process::lives(agent.pid), answers) {
        (true, true) => "ok",
        (true, false) => "others hang",
        (false, _) => "agent gone",
    };
    let grown = (process::peak(agent.pid).unwrap_or(before) - before) / 1024.0;
    Ok(format!("{state}; {end}, +{grown:.0} MiB"))
}

async fn crowd(agent: &Agent) -> Result<String, Failed> {
    let pid = i32::try_from(agent.pid).ok().and_then(Pid::from_raw);
    let few = Rlimit {
        current: Some(FEW_DESCRIPTORS),
        maximum: Some(FEW_DESCRIPTORS),
    };
    prlimit(pid, Resource::Nofile, few)?;
    let mut clients = Vec::new();
    let mut attempts = 0;
    while clients.len() < CROWD && attempts < CROWD * 3 {
        attempts += 1;
        match UnixStream::connect(&agent.socket).await {
            Ok(client) => clients.push(client),
            // The queue is full, for now or for good, which is one of the ways in which this may end.
            Err(_) => sleep(STEP).await,
        }
    }
    let inside = clients.len();
    let meanwhile = agent.answers().await?;
    drop(clients);
    let afterwards = process::lives(agent.pid) && agent.answers().await?;
    let end = match (process::lives(agent.pid), meanwhile, afterwards) {
        (false, _, _) => "agent gone",
        (true, true, true) => "ok",
        (true, false, true) => "others wait; recovers",
        (true, _, false) => "does not recover",
    };
    Ok(if inside < CROWD {
        format!("{end}; {inside} of {CROWD} got in")
    } else {
        end.to_owned()
    })
}
