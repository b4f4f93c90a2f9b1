//! Those who watch: each push is true when it is read, and the last one says what there is.

use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use tokio::{sync::Semaphore, task::JoinHandle};

use super::{
    super::{salesforce::Salesforce, time::Time, way::user_id},
    Life,
    job::Facts,
    policy,
    rules::PEERS,
};
use crate::{
    clock::Clock as _,
    error::Error,
    policy::Peer,
    session::{Session, decision::Refusal, hold::Holder},
    vault::watching::{News, Watch, WatchRequest, Watcher},
};

/// One who watches a record.
pub(super) struct Stream {
    job: usize,
    uid: u32,
    heard: Arc<Mutex<Heard>>,
    /// It reads when there is a permit.
    may_read: Arc<Semaphore>,
    is_slow: bool,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Heard {
    last: Option<News>,
    ended: Option<Error>,
    told: u64,
    wrong: Vec<String>,
}

/// Reads, and holds what it is told against what is so.
struct Reader {
    watch: Watch,
    uid: u32,
    user_id: String,
    heard: Arc<Mutex<Heard>>,
    may_read: Arc<Semaphore>,
    is_slow: bool,
    facts: Arc<Mutex<Facts>>,
    salesforce: Arc<Salesforce>,
    time: Arc<Time>,
}

impl Stream {
    /// The record, and who watches it.
    pub(super) fn who(&self) -> (usize, u32) {
        (self.job, self.uid)
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap()
    }
}

impl Life {
    pub(super) fn watch_or_leave(&mut self, job: usize) {
        if self.streams.len() >= 4 || !self.streams.is_empty() && self.dice.one_in(4) {
            let one = self.dice.below(self.streams.len() as u64);
            self.streams
                .remove(usize::try_from(one).unwrap())
                .task
                .abort();
            return;
        }
        let allowed = self.jobs[job].facts().rules.first().copied();
        let uid = allowed.unwrap_or_else(|| self.dice.pick(&PEERS));
        let minutes = self.dice.pick(&[0, 0, 30]);
        let request = WatchRequest {
            min_ttl: Duration::from_mins(minutes),
            ..WatchRequest::default()
        };
        let watcher = Watcher {
            policy: policy(),
            peer: Peer::of_ids(uid, uid),
            holder: Holder { uid, pid: Some(1) },
        };
        let (heard, may_read) = (Arc::default(), Arc::new(Semaphore::new(1)));
        let is_slow = self.dice.one_in(3);
        let reader = Reader {
            watch: self.vault.watch(self.jobs[job].name, request, watcher),
            uid,
            user_id: user_id(self.jobs[job].user),
            heard: Arc::clone(&heard),
            may_read: Arc::clone(&may_read),
            is_slow,
            facts: self.jobs[job].share_facts(),
            salesforce: Arc::clone(&self.salesforce),
            time: Arc::clone(&self.time),
        };
        self.figures.did("streams opened");
        self.streams.push(Stream {
            job,
            uid,
            heard,
            may_read,
            is_slow,
            task: tokio::spawn(reader.run()),
        });
    }

    pub(super) fn leave_all_streams(&mut self) {
        for stream in self.streams.drain(..) {
            stream.task.abort();
        }
    }

    /// Everything is done that was to be done: now the last that each was told is so.
    pub(super) async fn check_streams(&mut self) {
        for stream in self.streams.iter().filter(|stream| stream.is_slow) {
            // What it waited with is old; what it reads next is not.
            for _ in 0..2 {
                stream.may_read.add_permits(1);
                self.time.settle().await;
            }
        }
        let streams = std::mem::take(&mut self.streams);
        for stream in streams {
            let told = std::mem::take(&mut stream.heard().told);
            self.figures.add_to("streams told", told);
            let (last, ended) = {
                let heard = stream.heard();
                assert_eq!(heard.wrong, Vec::<String>::new());
                (heard.last.clone(), heard.ended.clone())
            };
            let job = &self.jobs[stream.job];
            let allowed = job.facts().rules.contains(&stream.uid);
            if let Some(error) = ended {
                let denied = matches!(error, Error::RecordNotFound(_)) && !allowed;
                assert!(denied, "{}: {error:?}", job.name);
                self.figures.did("streams ended by a denial");
                continue;
            }
            assert!(allowed, "{} still watches {}", stream.uid, job.name);
            let last = last.unwrap();
            let refused = job.facts().refused;
            let told = last.session.as_ref();
            assert!(
                told.is_none_or(|told| told.generation > refused),
                "{}: still told of a refused session: {last:?}",
                job.name
            );
            self.check_is_so(&stream, &last);
            self.streams.push(stream);
        }
    }

    /// The record is gone: whoever watched it has been told, and is told nothing more.
    pub(super) async fn check_streams_are_over(&mut self, job: usize) {
        let (over, streams) = std::mem::take(&mut self.streams)
            .into_iter()
            .partition::<Vec<_>, _>(|stream| stream.job == job);
        self.streams = streams;
        for stream in over {
            // One who is slow reads first what waited for it.
            stream.may_read.add_permits(2);
            self.time.settle().await;
            let ended = stream.heard().ended.clone();
            assert!(matches!(ended, Some(Error::RecordNotFound(_))), "{ended:?}");
            self.figures.did("streams ended by a removal");
        }
    }

    pub(super) fn check_streams_are_locked(&mut self) {
        for stream in self.streams.iter().filter(|stream| !stream.is_slow) {
            let heard = stream.heard();
            let last = heard.last.as_ref();
            // Who may not read it has been told so, and may not have read that.
            let locked = heard.ended.is_some() || last.is_some_and(|news| news.locked);
            assert!(locked, "not told of the lock: {last:?}");
        }
    }

    fn check_is_so(&self, stream: &Stream, last: &News) {
        let (_, entry) = self.vault.find(self.jobs[stream.job].name).unwrap();
        let state = entry.lock();
        let now = self.time.now();
        assert!(!last.locked, "told of a lock that is over");
        let told = last.session.as_ref();
        let session = state.machine.session();
        let handed_out = |it: &&Arc<_>| {
            // For whatever anybody asked.
            Session::is_guaranteed(it, Duration::from_mins(31), now)
        };
        if let Some(session) = session.filter(handed_out)
            && !state.machine.is_doubted()
            && !state.unsaved
        {
            let told = told.map(|told| (told.generation, told.guaranteed_until()));
            let there = Some((session.generation, session.guaranteed_until()));
            assert_eq!(told, there, "{}: {last:?}", self.jobs[stream.job].name);
        }
        if state.machine.is_doubted() || state.unsaved {
            assert!(told.is_none(), "told of a session in doubt: {last:?}");
        }
        if session.is_none() {
            assert!(told.is_none(), "told of a session that is gone");
            let latched = state.machine.may_get_session(now);
            if let Err(refusal @ Refusal::Latched { .. }) = latched {
                assert_eq!(last.why.as_ref(), Some(&refusal));
            }
        }
    }

    /// Jobs whose session is held, needs nothing but a call in time, and has nothing in its way.
    pub(super) fn well_kept(&self) -> Vec<(usize, Arc<Session>)> {
        let now = self.time.now();
        let held = self.streams.iter().filter_map(|stream| {
            let (_, entry) = self.vault.find(self.jobs[stream.job].name).unwrap();
            let state = entry.lock();
            let session = Arc::clone(state.machine.session()?);
            // Where the clock jumped since Salesforce saw the last call, the next one may come in the wrong half.
            let jumped = self.salesforce.jumped_since_last_use(&session.session_id);
            let sound = !jumped
                && session.is_guaranteed(Duration::ZERO, now)
                && session.proven_at <= now
                && !state.machine.is_doubted()
                && !state.unsaved
                && state.machine.backing_off(now).is_none();
            (sound && self.is_provable(&session)).then_some((stream.job, session))
        });
        held.collect()
    }
}

impl Reader {
    async fn run(mut self) {
        loop {
            let permit = self.may_read.acquire().await.unwrap();
            if self.is_slow {
                permit.forget();
            } else {
                drop(permit);
            }
            let news = self.watch.next().await;
            let mut heard = self.heard.lock().unwrap();
            heard.told += 1;
            match news {
                Ok(news) => {
                    let wrong = self.look_at(&news, heard.last.as_ref());
                    heard.wrong.extend(wrong);
                    heard.last = Some(news);
                }
                Err(error) => {
                    heard.ended = Some(error);
                    return;
                }
            }
        }
    }

    /// What is wrong with a push.
    fn look_at(&self, news: &News, last: Option<&News>) -> Option<String> {
        let wrong = |what: &str| Some(format!("{what}: {news:?} after {last:?}"));
        let facts = self.facts.lock().unwrap();
        if !facts.rules.contains(&self.uid) {
            return wrong("told to whom no rule allows");
        }
        let session = news.session.as_ref()?;
        if news.locked {
            return wrong("a session of a locked vault");
        }
        if session.generation <= facts.refused {
            return wrong("a refused generation");
        }
        let before = last.and_then(|last| last.session.as_ref());
        if before.is_some_and(|before| before.generation > session.generation) {
            return wrong("an older generation");
        }
        if session.user_id != self.user_id {
            return wrong("another user's session");
        }
        let (alive, ended) = self.salesforce.look_at(&session.session_id);
        let promised = session.is_guaranteed(Duration::ZERO, self.time.now());
        let late = promised && !alive && !ended;
        if late && !self.salesforce.jumped_since_proof(&session.session_id) {
            return wrong("a session past its guarantee");
        }
        None
    }
}
