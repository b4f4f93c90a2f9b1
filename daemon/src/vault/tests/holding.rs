//! Processes that hold a session, over a vault where taking one holds nothing.

use std::{
    os::fd::OwnedFd,
    process::{Child, Command, Stdio},
    sync::Arc,
    thread,
    time::Duration,
};

use rustix::{
    event::epoll,
    process::{Pid, PidfdFlags, pidfd_open},
};
use tokio::{net::UnixStream, runtime::Builder, task::yield_now};

use super::{
    passphrase::passphrase,
    rotation::{World, name},
};
use crate::{
    mode::Mode,
    policy::{Capture, Peer, Policy},
    record::RecordName,
    session::hold::{By, Holder},
    share::{Account, Good, Level},
    vault::{Vault, watching::Watcher},
    witness::Sight,
};

/// More often than all tasks of a test need to come to rest.
const TURNS: usize = 1000;

fn account() -> Arc<Account> {
    Account::of_unit(1, "job.service")
}

fn watcher(peer: Peer) -> Watcher {
    Watcher {
        policy: Policy::new(Mode::User, peer.uid),
        holder: Holder {
            uid: peer.uid,
            pid: peer.pid,
        },
        peer,
    }
}

/// This very process, as it would connect.
fn process() -> Watcher {
    let (stream, _other) = UnixStream::pair().unwrap();
    watcher(Peer::of(&stream, &Sight::Own, |_| Capture::Process).unwrap())
}

/// A process that ends when it is killed, and what it would be as a peer.
struct Job(Child);

impl Job {
    fn new() -> Self {
        let mut command = Command::new("cat");
        Self(command.stdin(Stdio::piped()).spawn().unwrap())
    }

    fn connects(&self) -> Watcher {
        let pid = Pid::from_child(&self.0);
        let peer = Peer::of_pidfd(pidfd_open(pid, PidfdFlags::empty()).unwrap());
        let mut watcher = watcher(peer);
        watcher.holder.pid = Some(pid.as_raw_nonzero().get());
        watcher
    }

    fn dies(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        self.dies();
    }
}

impl World {
    fn hold(&self, process: Watcher, account: &Arc<Account>) -> bool {
        let vault = Arc::clone(&self.vault);
        vault.hold_until_exit(name().as_str(), process, account)
    }

    fn held(&self, by: By) -> usize {
        let entry = self.vault.find(name().as_str()).unwrap().1;
        let list = entry
            .lock()
            .holds
            .list(Duration::from_hours(9), self.vault.now());
        list.iter().filter(|hold| hold.by == by).count()
    }
}

/// Whether somebody keeps the record's session.
fn is_kept(vault: &Vault) -> bool {
    vault.find(name().as_str()).unwrap().1.lock().kept
}

async fn all_is_done() {
    for _ in 0..TURNS {
        yield_now().await;
    }
}

/// What ends the holds has happened already: the tasks need only get their turns.
async fn released(account: &Account) {
    all_is_done().await;
    assert_eq!(account.has(Good::Holds), 0);
}

#[tokio::test(start_paused = true)]
async fn what_somebody_else_gets_is_kept_for_a_process_that_holds() {
    let mut world = World::new(1).await;
    let account = account();
    let vault = Arc::clone(&world.vault);
    assert!(world.hold(process(), &account));
    assert!(world.hold(process(), &account));
    assert_eq!(account.has(Good::Holds), 1);
    assert!(!is_kept(&vault), "there is no session");
    world.session().await;
    let other = Holder { uid: 1, pid: None };
    vault.got(name().as_str(), other);
    assert!(is_kept(&vault));
}

#[tokio::test(start_paused = true)]
async fn what_is_there_is_kept_until_the_process_exits_and_nobody_who_watches_hears_of_it() {
    let mut world = World::new(1).await;
    world.session().await;
    assert!(!is_kept(&world.vault), "to take it holds nothing here");
    let (account, entry) = (account(), world.vault.find(name().as_str()).unwrap().1);
    let (mut first, mut second) = (Job::new(), Job::new());
    assert!(world.hold(first.connects(), &account) && world.hold(second.connects(), &account));
    assert!(is_kept(&world.vault));
    all_is_done().await;
    let stream = process().holder;
    let stream = entry
        .lock()
        .holds
        .open(stream, Duration::ZERO, world.vault.now());
    let watching = entry.changes();
    first.dies();
    second.dies();
    released(&account).await;
    assert!(!watching.has_changed().unwrap());
    // The stream alone holds it now.
    let mut third = Job::new();
    assert!(world.hold(third.connects(), &account));
    assert!(!watching.has_changed().unwrap());
    entry.lock().holds.close(stream);
    third.dies();
    released(&account).await;
    all_is_done().await;
    assert!(!is_kept(&world.vault) && watching.has_changed().unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_process_that_took_the_session_before_holds_it_no_longer_than_it_lives() {
    let world = World::new(1).await;
    let (account, mut job) = (account(), Job::new());
    let holder = job.connects().holder;
    world.vault.got(name().as_str(), holder);
    assert_eq!((world.held(By::Get), world.held(By::Process)), (1, 0));
    assert!(world.hold(job.connects(), &account));
    world.vault.got(name().as_str(), holder);
    assert_eq!((world.held(By::Get), world.held(By::Process)), (0, 1));
    job.dies();
    released(&account).await;
    assert_eq!((world.held(By::Get), world.held(By::Process)), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_process_that_has_exited_holds_nothing_whatever_its_connection_says() {
    let world = World::new(1).await;
    let (account, mut job) = (account(), Job::new());
    let before = job.connects();
    job.dies();
    assert!(!world.hold(before, &account));
    assert_eq!((account.has(Good::Holds), world.held(By::Process)), (0, 0));
}

/// Before Linux 6.5, or in another pid namespace: then it is the while after a GetSession, and takes no share.
#[tokio::test(start_paused = true)]
async fn a_process_that_the_kernel_does_not_name_holds_nothing() {
    let world = World::new(1).await;
    let account = account();
    let unnamed = Peer::unnamed("the kernel is too old");
    assert!(!world.hold(watcher(unnamed), &account));
    assert_eq!((account.has(Good::Holds), world.held(By::Process)), (0, 0));
}

/// Epolls, each in the next: the last one is in none, for no other can wait for that many.
fn deep() -> Vec<OwnedFd> {
    let mut all = Vec::new();
    while all.len() < 100 {
        let outer = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
        let (nothing, readable) = (epoll::EventData::new_u64(0), epoll::EventFlags::IN);
        if let Some(inner) = all.last()
            && epoll::add(&outer, inner, nothing, readable).is_err()
        {
            return all;
        }
        all.push(outer);
    }
    panic!("epolls can be nested for ever");
}

#[tokio::test(start_paused = true)]
async fn who_can_t_be_waited_for_holds_nothing() {
    let world = World::new(1).await;
    let account = account();
    let mut epolls = deep();
    let peer = Peer::of_pidfd(epolls.pop().unwrap());
    assert!(peer.lifeline().unwrap().lives());
    assert!(!world.hold(watcher(peer), &account));
    assert_eq!((account.has(Good::Holds), world.held(By::Process)), (0, 0));
}

/// T21
#[tokio::test(start_paused = true)]
async fn of_ten_thousand_processes_as_many_hold_as_the_unit_may() {
    let world = World::new(1).await;
    let (account, mut job) = (account(), Job::new());
    let most = Level::Unit.most(50);
    let process = job.connects();
    for number in 0..10_000 {
        let other = Watcher {
            policy: process.policy.clone(),
            peer: process.peer.clone(),
            holder: Holder {
                uid: 1,
                pid: Some(1_000_000 + number),
            },
        };
        let before = account.has(Good::Holds);
        assert_eq!(world.hold(other, &account), before < most, "{number}");
    }
    assert_eq!(
        (account.has(Good::Holds), world.held(By::Process)),
        (most, most)
    );
    // One that does already needs no share for it, and is not held back.
    let (refused, one) = (account.held_back(Good::Holds), Some(1_000_000));
    let again = Watcher {
        holder: Holder { uid: 1, pid: one },
        ..process
    };
    assert!(world.hold(again, &account));
    assert_eq!(account.held_back(Good::Holds), refused);
    job.dies();
    released(&account).await;
    assert_eq!(world.held(By::Process), 0);
    let next = Job::new();
    assert!(world.hold(next.connects(), &account));
}

/// T41
#[tokio::test(start_paused = true)]
async fn a_record_that_was_locked_and_unlocked_before_anybody_looked_is_held_by_nobody() {
    let world = World::new(1).await;
    let (account, vault) = (account(), Arc::clone(&world.vault));
    assert!(world.hold(process(), &account));
    // Who holds waits in this thread, which now waits for the other.
    let elsewhere = thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            vault.lock().await.unwrap();
            vault.unlock(passphrase()).await.unwrap();
        });
    });
    elsewhere.join().unwrap();
    released(&account).await;
    assert_eq!(world.held(By::Process), 0);
    assert!(world.hold(process(), &account));
}

/// T41
#[tokio::test(start_paused = true)]
async fn what_was_locked_is_kept_by_nobody_though_a_stream_has_not_heard_of_it() {
    let mut world = World::new(1).await;
    world.session().await;
    let (refresher, entry) = world.vault.find(name().as_str()).unwrap();
    let (stream, now) = (process().holder, world.vault.now());
    entry.lock().holds.open(stream, Duration::ZERO, now);
    refresher.keep(&entry);
    assert!(entry.lock().kept);
    all_is_done().await;
    world.vault.lock().await.unwrap();
    all_is_done().await;
    assert!(!entry.lock().kept);
    refresher.keep(&entry);
    assert!(!entry.lock().kept);
}

/// T15
#[tokio::test(start_paused = true)]
async fn a_rule_that_is_taken_back_ends_what_is_held_and_one_that_is_given_does_not() {
    let world = World::new(1).await;
    let (account, process) = (account(), process());
    let policy = process.policy.clone();
    assert!(world.hold(process, &account));
    let rule = crate::access::Rule::of_user(4_000_000);
    let given = world.vault.allow(policy.clone(), name(), rule);
    assert!(given.await.unwrap().changed);
    all_is_done().await;
    assert_eq!((account.has(Good::Holds), world.held(By::Process)), (1, 1));
    let taken = world.vault.deny(policy, name(), None);
    assert!(taken.await.unwrap().changed);
    released(&account).await;
    assert_eq!(world.held(By::Process), 0);
}

/// T41
#[tokio::test(start_paused = true)]
async fn what_processes_hold_of_a_record_goes_with_the_record() {
    let world = World::new(1).await;
    let account = account();
    assert!(world.hold(process(), &account));
    let name: RecordName = name();
    world.vault.remove(name).await.unwrap();
    released(&account).await;
}

#[tokio::test(start_paused = true)]
async fn who_holds_ends_with_the_daemon_and_no_other_record_is_held() {
    let world = World::new(1).await;
    let account = account();
    assert!(!world.vault.hold_until_exit("other", process(), &account));
    let stranger = Watcher {
        policy: Policy::new(Mode::System, 1),
        ..process()
    };
    assert!(!world.hold(stranger, &account));
    assert_eq!(account.has(Good::Holds), 0);
    assert!(world.hold(process(), &account));
    assert_eq!(account.has(Good::Holds), 1);
    world.vault.end_watches();
    released(&account).await;
}
