//! Jobs that say nothing for hours: their session is kept for as long as their process lives, and no longer.

mod old_kernel;

use std::{
    panic::resume_unwind,
    process::{Command, Stdio},
    thread,
    time::{Duration, SystemTime},
};

use rustix::process::{getegid, geteuid};
use serde_json::Value;
use sfvault::{Passphrase, RecordName, RecordState, RecordStatus};
use sfvault_proto::v1::GetSessionRequest;
use sfvault_tests::{
    clock::ManualClock,
    simulator::{Options, Simulator, USERNAME},
};
use sfvaultd::clock::Clock as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    process::{Child, ChildStdin},
    runtime::Builder,
};

use crate::{
    inside::{Inside, way_to},
    peer::Peer,
    scene::Scene,
    start::soon,
};

/// `sfvault exec prod -- cat`, when it is `cat` already; it ends with its stdin.
struct Job {
    process: Child,
    _stdin: ChildStdin,
}

impl Job {
    async fn start(exec: Command) -> Self {
        let mut exec = tokio::process::Command::from(exec);
        exec.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = exec.kill_on_drop(true).spawn().unwrap();
        let mut stdin = process.stdin.take().unwrap();
        stdin.write_all(b"x").await.unwrap();
        let mut said = process.stdout.take().unwrap();
        assert_eq!(said.read_u8().await.unwrap(), b'x');
        Self {
            process,
            _stdin: stdin,
        }
    }

    fn pid(&self) -> u32 {
        self.process.id().unwrap()
    }

    /// By a signal of which it learns nothing.
    async fn dies(mut self) {
        self.process.kill().await.unwrap();
    }
}

const EXEC: [&str; 4] = ["exec", "prod", "--", "cat"];

/// A daemon of this process, on a clock that stands still.
struct Night {
    clock: ManualClock,
    simulator: Simulator,
    inside: Inside,
    name: RecordName,
}

impl Night {
    async fn new() -> Self {
        let simulator = Simulator::start(Options::default()).await;
        let clock = simulator.clock();
        let inside = Inside::start(way_to(&simulator), clock.clone()).await;
        inside.add("prod", &simulator.login_url()).await;
        Self {
            clock,
            simulator,
            inside,
            name: RecordName::parse("prod").unwrap(),
        }
    }

    async fn exec(&self) -> Job {
        Job::start(self.inside.installation.sfvault(EXEC)).await
    }

    /// A process that took the session on a connection that is still open, and holds it.
    async fn peer(&self) -> Peer {
        let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
        let mut peer = Peer::of(&self.inside.installation, uid, gid).await;
        take(&mut peer).await;
        peer
    }

    /// The processes that hold the session until they exit, and those that only took it.
    async fn holders(&self) -> (Vec<u32>, Vec<u32>) {
        let holders = self.inside.admin.holders(&self.name).await.unwrap();
        let (bound, others): (Vec<_>, Vec<_>) = holders
            .unwrap_or_default()
            .into_iter()
            .partition(|holder| holder.until_exit);
        let pids = |holders: Vec<sfvault::Holder>| holders.iter().filter_map(|h| h.pid).collect();
        assert!(bound.iter().all(|holder| !holder.watching));
        (pids(bound), pids(others))
    }

    /// How much is held, by whoever: what there is no record for any more is counted too.
    async fn holds(&self) -> u32 {
        let peers = self.inside.admin.peers().await.unwrap().peers;
        peers.iter().map(|peer| peer.holds).sum()
    }

    async fn released(&self) {
        while self.holds().await > 0 {}
    }

    /// Moves the clock behind the first half of the timeout, and waits for the call that then comes, until nothing is to be
    /// done before the next.
    async fn kept_for_another_hour(&self) {
        let record = self.describe().await;
        let due = |sure: SystemTime| {
            // The timeout is two hours: a minute behind the half, and at most another by chance.
            sure + Duration::from_secs(60)..=sure + Duration::from_secs(120)
        };
        self.clock
            .set(*due(record.guaranteed_until.unwrap()).end() + Duration::from_secs(1));
        let sure = self.clock.now() + Duration::from_hours(1);
        self.clock.napped_until(due(sure)).await;
        let record = self.describe().await;
        assert_eq!(record.guaranteed_until, Some(sure));
    }

    async fn describe(&self) -> RecordStatus {
        self.inside.admin.describe(&self.name).await.unwrap()
    }

    fn sent(&self) -> usize {
        self.simulator.requests().len()
    }

    async fn finish(self) {
        self.inside.finish().await;
        self.simulator.finish().unwrap();
    }
}

/// Asks for a session that is held until the process exits.
async fn take(peer: &mut Peer) {
    let request = GetSessionRequest {
        record: "prod".to_owned(),
        hold_until_exit: true,
        ..GetSessionRequest::default()
    };
    peer.calls.get_session(request).await.unwrap();
}

#[tokio::test]
async fn an_exec_child_of_ten_hours_keeps_one_session_with_one_call_an_hour() {
    let night = Night::new().await;
    let job = night.exec().await;
    assert_eq!(night.holders().await, (vec![job.pid()], vec![]));
    let begin = night.clock.now();
    let mut calls = 0;
    while night.clock.now() < begin + Duration::from_hours(9) {
        night.kept_for_another_hour().await;
        calls += 1;
    }
    assert_eq!(calls, 9);
    // One login, the proof of its session, and the calls: nothing else was sent all night.
    assert_eq!(night.sent(), 2 + calls);
    assert_eq!(night.simulator.sessions(USERNAME).len(), 1);

    job.dies().await;
    night.released().await;
    assert_eq!(night.holders().await, (vec![], vec![]));
    night.clock.advance(Duration::from_mins(63));
    for _ in 0..50 {
        night.describe().await;
        assert_eq!(night.sent(), 2 + calls, "nobody holds it any more");
    }
    // So it dies: who comes next needs a login, and its proof.
    night.clock.advance(Duration::from_hours(1));
    night.inside.session("prod").await.unwrap();
    assert_eq!(night.sent(), 2 + calls + 2);
    night.finish().await;
}

/// A job that asks again when its session died has the next one kept, too; until then nothing is sent for it.
#[tokio::test]
async fn what_the_record_has_later_is_kept_for_a_process_that_lives() {
    let night = Night::new().await;
    let job = night.exec().await;
    night.clock.advance(Duration::from_hours(8));
    let sent = night.sent();
    night.inside.session("prod").await.unwrap();
    assert_eq!(night.sent(), sent + 2, "a login and its proof");
    for calls in 1..=3 {
        night.kept_for_another_hour().await;
        assert_eq!(night.sent(), sent + 2 + calls);
    }
    job.dies().await;
    night.released().await;
    night.finish().await;
}

/// The job would not learn of another session, and Salesforce is not asked for one that nobody wants.
#[tokio::test]
async fn a_session_that_died_unseen_is_found_out_and_not_replaced_for_who_only_took_it() {
    let night = Night::new().await;
    let job = night.exec().await;
    let sure = night.describe().await.guaranteed_until.unwrap();
    night.simulator.expire_sessions(USERNAME);
    let sent = night.sent();
    night.clock.set(sure + Duration::from_secs(121));
    let found_out = async { while night.describe().await.state != RecordState::Idle {} };
    soon("found out", found_out).await;
    assert_eq!(night.sent(), sent + 1, "the call that found it dead");
    // Whoever asks next gets one; the call that failed is not made again.
    let next = night.inside.session("prod").await.unwrap();
    assert_eq!(next.generation, 2);
    assert_eq!(night.sent(), sent + 3);
    assert_eq!(night.simulator.logins(USERNAME).total, 2);
    job.dies().await;
    night.released().await;
    night.finish().await;
}

/// However often it asks, in whatever way; and on the connection of one that has ended nobody holds more than for a while.
#[tokio::test]
async fn a_process_holds_a_session_once_and_only_while_it_lives() {
    let night = Night::new().await;
    let mut peer = night.peer().await;
    for _ in 0..20 {
        take(&mut peer).await;
        peer.session("prod").await.unwrap();
    }
    assert_eq!(night.holds().await, 1);
    assert_eq!(night.holders().await, (vec![peer.pid()], vec![]));
    let other = night.peer().await;
    assert_eq!(night.holds().await, 2);
    peer.ends();
    while night.holds().await > 1 {}
    take(&mut peer).await;
    assert_eq!(night.holders().await, (vec![other.pid()], vec![peer.pid()]));
    drop(other);
    night.released().await;
    night.finish().await;
}

/// T15, T41
#[tokio::test]
async fn lock_remove_and_a_rule_taken_back_end_what_processes_hold() {
    let night = Night::new().await;
    let admin = &night.inside.admin;
    let mut peer = night.peer().await;
    admin.lock().await.unwrap();
    night.released().await;
    let passphrase = Passphrase::new(b"correct horse".to_vec());
    admin.unlock(passphrase).await.unwrap();
    // The session was kept, and nobody holds it; an operator's other changes end nothing.
    assert_eq!(night.holders().await, (vec![], vec![]));
    take(&mut peer).await;
    night
        .inside
        .add("other", &night.simulator.login_url())
        .await;
    assert_eq!(night.holders().await, (vec![peer.pid()], vec![]));

    assert!(admin.deny(&night.name, None).await.unwrap().changed);
    night.released().await;
    assert_eq!(night.holders().await, (vec![], vec![]));
    night.finish().await;

    let night = Night::new().await;
    let peer = night.peer().await;
    night.inside.admin.remove(&night.name).await.unwrap();
    night.released().await;
    drop(peer);
    night.finish().await;
}

/// With the confined daemon: the end of a killed process is heard of, and an operator sees who is cut off.
#[tokio::test]
async fn a_confined_daemon_hears_of_the_end_and_logout_names_who_holds() {
    let scene = Scene::with_record().await;
    scene.session(&[]).await;
    let (first, second) = (
        Job::start(scene.sfvault.sfvault(EXEC)).await,
        Job::start(scene.sfvault.sfvault(EXEC)).await,
    );
    assert_eq!(held(&scene).await, (2, 0));
    first.dies().await;
    while held(&scene).await.0 > 1 {}
    let told = scene.ok(&["logout", "prod", "--yes", "--json"]).await;
    let told: Value = serde_json::from_str(&told).unwrap();
    let holders = told["holders"].as_array().unwrap();
    let bound: Vec<_> = holders
        .iter()
        .filter(|holder| holder["until_exit"] == true)
        .collect();
    assert_eq!(bound.len(), 1, "{told}");
    assert_eq!(
        (&bound[0]["pid"], &bound[0]["watching"]),
        (&second.pid().into(), &false.into())
    );
    second.dies().await;
    while held(&scene).await.0 > 0 {}
    scene.assert_logins(1, 0);
    scene.finish().await;
}

/// What is held by processes, and how often it was too much, as `status --peers` tells.
async fn held(scene: &Scene) -> (u64, u64) {
    let peers = scene.ok(&["status", "--peers", "--json"]).await;
    let peers: Value = serde_json::from_str(&peers).unwrap();
    let peers = peers["peers"].as_array().unwrap();
    let refused = peers
        .iter()
        .flat_map(|peer| peer["held_back"].as_array().unwrap())
        .filter(|held| held["what"] == "holds")
        .filter_map(|held| held["times"].as_u64());
    let holds = peers.iter().filter_map(|peer| peer["holds"].as_u64());
    (holds.sum(), refused.sum())
}

/// T21: a unit has its share, and who finds it taken gets his session all the same.
#[tokio::test]
async fn a_storm_of_processes_that_hold_takes_so_many_descriptors_and_is_served() {
    let mut scene = Scene::with_record().await;
    assert!(scene.sfvault.stop().unwrap().success());
    // Ten connections may be had at a time, so five holds; one unit has three quarters of them.
    scene.sfvault.start_after("ulimit -n 64").unwrap();
    scene.unlock().await;
    scene.session(&[]).await;
    let mut storm = Vec::new();
    for _ in 0..12 {
        storm.push(Job::start(scene.sfvault.sfvault(EXEC)).await);
    }
    assert_eq!(held(&scene).await, (4, 8));
    for job in storm {
        job.dies().await;
    }
    while held(&scene).await.0 > 0 {}
    let job = Job::start(scene.sfvault.sfvault(EXEC)).await;
    assert_eq!(held(&scene).await, (1, 8));
    job.dies().await;
    scene.assert_logins(1, 0);
    scene.finish().await;
}
