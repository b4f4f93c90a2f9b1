//! Many callers, each with a connection of its own, in other processes: one process may have half of the seats only.

use std::{
    io::BufRead as _,
    path::{Path, PathBuf},
    process::Stdio,
    str::FromStr,
    time::Duration,
};

use sfvault_proto::v1::{
    GetSessionRequest, WatchSessionRequest, WatchSessionResponse, sessions_client::SessionsClient,
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    runtime::Builder,
    sync::mpsc,
    task::JoinSet,
};
use tonic::{Streaming, transport::Channel};

use crate::{
    stage::{Failed, RECORD, channel},
    stopwatch::{Elapsed as _, now},
};

/// The argument with which this program is a part of a crowd.
pub(crate) const ROLE: &str = "--crowd";
/// Fewer than half of the seats.
const MOST_PER_PROCESS: usize = 500;

/// What its callers do once they are connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Nothing.
    Idle,
    /// They watch the record that has a session.
    Watch,
}

/// Callers that are connected, until this is dropped.
pub(crate) struct Crowd(Vec<Part>);

struct Part {
    to: ChildStdin,
    from: Lines<BufReader<ChildStdout>>,
    _process: Child,
}

impl Crowd {
    /// Gathers so many. They are connected, and those who watch have been told of the session.
    pub(crate) async fn gather(socket: &Path, mut size: usize, way: Way) -> Result<Self, Failed> {
        let mut parts = Vec::new();
        while size > 0 {
            let count = size.min(MOST_PER_PROCESS);
            parts.push(Part::start(socket, count, way)?);
            size -= count;
        }
        for part in &mut parts {
            part.heard().await?;
        }
        Ok(Self(parts))
    }

    /// Lets all ask for a session of this record at once. Returns when the last one has it, and how long that took.
    pub(crate) async fn ask(&mut self, record: &str) -> Result<Duration, Failed> {
        let start = now();
        for part in &mut self.0 {
            part.to.write_all(format!("{record}\n").as_bytes()).await?;
        }
        for part in &mut self.0 {
            part.heard().await?;
        }
        Ok(start.elapsed_since())
    }
}

impl Part {
    fn start(socket: &Path, count: usize, way: Way) -> Result<Self, Failed> {
        let mut process = Command::new(std::env::current_exe()?)
            .arg(ROLE)
            .arg(socket)
            .args([count.to_string(), way.name().to_owned()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let to = process.stdin.take().ok_or("no pipe")?;
        let from = process.stdout.take().ok_or("no pipe")?;
        Ok(Self {
            to,
            from: BufReader::new(from).lines(),
            _process: process,
        })
    }

    async fn heard(&mut self) -> Result<(), Failed> {
        let line = self.from.next_line().await?;
        line.map(drop).ok_or_else(|| "a crowd went away".into())
    }
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Watch => "watch",
        }
    }
}

impl FromStr for Way {
    type Err = Failed;

    fn from_str(name: &str) -> Result<Self, Failed> {
        let ways = [Self::Idle, Self::Watch];
        let found = ways.into_iter().find(|way| way.name() == name);
        found.ok_or_else(|| format!("no crowd does `{name}`").into())
    }
}

/// One part of a crowd: says a line when it is there, and one whenever all have what they were told to ask for.
pub(crate) fn serve(socket: &str, count: &str, way: &str) -> Result<(), Failed> {
    let socket = PathBuf::from(socket);
    let (count, way): (usize, Way) = (count.parse()?, way.parse()?);
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut channels = Vec::new();
        let mut streams = Vec::new();
        for _ in 0..count {
            let channel = channel(&socket).await?;
            if way == Way::Watch {
                streams.push(watch(&channel).await?);
            }
            channels.push(channel);
        }
        let mut told = told();
        println!();
        while let Some(record) = told.recv().await {
            ask(&channels, &record).await?;
            println!();
        }
        drop(streams);
        Ok(())
    })
}

/// What the bench says, line by line, until it goes away.
fn told() -> mpsc::Receiver<String> {
    let (tell, told) = mpsc::channel(1);
    std::thread::spawn(move || {
        let lines = std::io::stdin().lock().lines();
        for line in lines.map_while(Result::ok) {
            if tell.blocking_send(line).is_err() {
                break;
            }
        }
    });
    told
}

async fn watch(channel: &Channel) -> Result<Streaming<WatchSessionResponse>, Failed> {
    let request = WatchSessionRequest {
        record: RECORD.to_owned(),
        include_session: true,
        ..WatchSessionRequest::default()
    };
    let mut client = SessionsClient::new(channel.clone());
    let mut stream = client.watch_session(request).await?.into_inner();
    let first = stream.message().await?.and_then(|first| first.session);
    first.ok_or("a watcher was told of no session")?;
    Ok(stream)
}

async fn ask(channels: &[Channel], record: &str) -> Result<(), Failed> {
    let mut calls = JoinSet::new();
    for channel in channels {
        let mut client = SessionsClient::new(channel.clone());
        let request = GetSessionRequest {
            record: record.to_owned(),
            ..GetSessionRequest::default()
        };
        calls.spawn(async move { client.get_session(request).await });
    }
    while let Some(answered) = calls.join_next().await {
        answered??;
    }
    Ok(())
}
