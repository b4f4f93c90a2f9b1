//! What a call costs in system calls, counted while it is made.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use rustix::process::{getegid, geteuid};
use sfvault::{Places, RecordName, SessionRequest, SessionsClient};
use sfvault_tests::binaries::Binaries;

use crate::{scene::Scene, skipped::only_root_can};

/// Calls that are counted: many more than seconds in which the audit writes a line for them.
const CALLS: u64 = 200;

/// Serving a connection, and waiting for it or for a lock. No look at a process gets by with these: it opens a file.
const SERVING: [i64; 9] = [
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    libc::SYS_epoll_pwait,
    libc::SYS_futex,
];

/// Counts the system calls of a daemon.
struct Tracer {
    process: Child,
    ask: ChildStdin,
    told: BufReader<ChildStdout>,
}

impl Tracer {
    fn of(pid: u32) -> Self {
        let built = Binaries::build().unwrap();
        let mut process = Command::new(built.sfvaultd.with_file_name("sfvault-tracer"))
            .arg(pid.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut tracer = Self {
            ask: process.stdin.take().unwrap(),
            told: BufReader::new(process.stdout.take().unwrap()),
            process,
        };
        assert_eq!(tracer.line(), "ready");
        tracer
    }

    /// The calls so far, without those that serve a connection.
    fn others(&mut self) -> BTreeMap<i64, u64> {
        self.ask.write_all(b"\n").unwrap();
        let line = self.line();
        let counts = line.split_whitespace().map(|word| {
            let (number, times) = word.split_once('=').unwrap();
            (number.parse().unwrap(), times.parse().unwrap())
        });
        let serving = |number: &i64| SERVING.contains(number) || is_epoll_wait(*number);
        counts.filter(|(number, _)| !serving(number)).collect()
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.told.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn ends(mut self) {
        drop(self.ask);
        assert!(self.process.wait().unwrap().success());
    }
}

/// Newer architectures have `epoll_pwait` only.
#[cfg(target_arch = "x86_64")]
fn is_epoll_wait(number: i64) -> bool {
    number == libc::SYS_epoll_wait
}

#[cfg(not(target_arch = "x86_64"))]
fn is_epoll_wait(_: i64) -> bool {
    false
}

/// How many system calls, besides those that serve the connection, so many calls for a record cost.
async fn cost(scene: &Scene, record: &str) -> u64 {
    // One that connects now is known as what the rules of now ask for.
    let places = Places::at(&scene.sfvault.path("run"));
    let client = SessionsClient::connect(&places).await.unwrap();
    let request = SessionRequest::new(RecordName::parse(record).unwrap());
    // What comes with the first: a login, the audit's line, threads.
    for _ in 0..10 {
        let _ = client.session(&request).await;
    }
    let mut tracer = Tracer::of(scene.sfvault.pid().unwrap());
    let before = tracer.others();
    for _ in 0..CALLS {
        assert_eq!(
            client.session(&request).await.is_ok(),
            record != "looked-at"
        );
    }
    let after = tracer.others();
    tracer.ends();
    let more = |(number, times): (&i64, &u64)| times - before.get(number).unwrap_or(&0);
    after.iter().map(more).sum()
}

#[tokio::test]
async fn rules_on_users_cost_no_system_call_per_call() {
    // The daemon can't be traced by its own user.
    if !only_root_can("count the system calls of the daemon") {
        return;
    }
    let scene = Scene::with_record().await;
    scene.add("ruled").await;
    let (uid, gid) = (geteuid().to_string(), getegid().to_string());
    let both = ["--uid", &uid, "--gid", &gid];
    for rule in [&["--uid", "4242"][..], &both, &["--gid", "4242"]] {
        scene.ok(&[&["allow", "ruled"], rule].concat()).await;
    }
    // The rule that a record has without any, which the first one kept.
    let own = ["--uid", &uid];
    scene.ok(&[&["deny", "ruled"], &own[..]].concat()).await;
    // What the audit writes once a second is there with and without rules.
    let few = CALLS / 2;
    for record in ["prod", "ruled"] {
        let cost = cost(&scene, record).await;
        assert!(cost < few, "{record}: {cost}");
    }

    // A rule that asks for more costs those a look whom none lets in without, and nobody else.
    scene.add("looked-at").await;
    let unit = ["allow", "looked-at", "--unit", "elsewhere.service"];
    scene.ok(&unit).await;
    scene.ok(&[&["deny", "looked-at"], &own[..]].concat()).await;
    let cost_of_look = cost(&scene, "looked-at").await;
    assert!(cost_of_look > 2 * CALLS, "{cost_of_look}");
    for record in ["prod", "ruled"] {
        let cost = cost(&scene, record).await;
        assert!(cost < few, "{record}: {cost}");
    }
    scene.finish().await;
}
