//! The daemon's end: one question at a time, and a bounded wait for its answer.

use std::{
    io::{self, ErrorKind},
    os::{fd::OwnedFd, unix::process::CommandExt as _},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Mutex, PoisonError},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socketpair},
    process::Pid,
};
use tracing::warn;

use super::{
    ARGUMENT, NAME, Unseen,
    frame::{Answer, LONGEST, Question},
    look::Inode,
};
use crate::harden::{Protection, State};

/// A process that looks at others for this one. It ends with this value, and with this process.
#[derive(Debug)]
pub struct Witness(Mutex<Line>);

#[derive(Debug)]
struct Line {
    socket: OwnedFd,
    child: Child,
    /// Of the last question.
    number: u32,
    /// The answer to the last question was not waited for, and is still to come.
    owes: bool,
    lost: bool,
}

/// An answer takes microseconds. This is for a host that is out of breath; the daemon does nothing else meanwhile.
const PATIENCE: Looks = Looks(20);
/// It has to be loaded from the disk first.
const PATIENCE_AT_START: Looks = Looks(200);
const AT_ONCE: Looks = Looks(0);

/// How often to look for an answer, each time for a tenth of a second: a virtual machine that is stopped for longer costs
/// one look only.
#[derive(Debug, Clone, Copy)]
struct Looks(u32);

const WORKS: &str = "a process of its own, which has no secrets, tells what programs peers run";
const LOST: &str = "the witness of sfvaultd has ended, who looked at programs; restart sfvaultd";
const LATE: &str = "the witness of sfvaultd, who looks at programs, does not answer now";
const CONSEQUENCE: &str = "the programs of peers are unknown, and rules with `--exe` let nobody in";

impl Witness {
    /// Starts one, and sees that it answers. It must be called before the process is confined.
    ///
    /// # Errors
    /// If there can't be another process, or it does not answer.
    pub fn start() -> io::Result<Self> {
        let (ours, theirs) = socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )?;
        // The very program that runs here, even if an update has just put another one in its place.
        let child = Command::new("/proc/self/exe")
            .arg0("sfvaultd")
            .arg(ARGUMENT)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let pid = Pid::from_child(&child);
        let mut line = Line {
            socket: ours,
            child,
            number: 0,
            owes: false,
            lost: false,
        };
        // Of itself it can see all that there is.
        let own = Inode::at(Path::new("/proc/self/exe"))?;
        match line.ask(Question::Running(pid), PATIENCE_AT_START) {
            Ok(Answer::Running(running)) if running.file == own => Ok(Self(Mutex::new(line))),
            Ok(_) => Err(io::Error::new(ErrorKind::InvalidData, "it answers wrongly")),
            Err(problem) => Err(io::Error::other(problem.to_string())),
        }
    }

    pub(super) fn ask(&self, question: Question<'_>) -> Result<Answer, Unseen> {
        self.line().ask(question, PATIENCE)
    }

    /// How it is now.
    pub(super) fn protection(&self) -> Protection {
        match self.line().look() {
            Ok(()) => Protection::new(NAME, State::On, WORKS),
            Err(why) => Protection::new(NAME, State::Failed, format!("{why}: {CONSEQUENCE}")),
        }
    }

    fn line(&self) -> std::sync::MutexGuard<'_, Line> {
        // What is there was whole before each question.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    fn ask(&mut self, question: Question<'_>, patience: Looks) -> Result<Answer, Unseen> {
        // While it owes an answer nothing is asked, so that no answer is taken for another's; and nothing is waited for
        // again.
        self.look().map_err(Unseen::Witness)?;
        self.number = self.number.wrapping_add(1);
        let packet = question.encode(self.number);
        if packet.len() > LONGEST {
            return Err(Unseen::Kernel(Errno::NAMETOOLONG));
        }
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        if send(&self.socket, &packet, flags).is_err() {
            return Err(self.lose());
        }
        if !self.is_readable(patience) {
            self.owes = true;
            warn!("{LATE}: {CONSEQUENCE}");
            return Err(Unseen::Witness(LATE));
        }
        let mut packet = [0; LONGEST];
        let answer = self
            .receive(&mut packet)
            .ok()
            .and_then(|length| Answer::decode(packet.get(..length)?));
        match answer {
            Some((number, answer)) if number == self.number => Ok(answer),
            Some(_) | None => Err(self.lose()),
        }
    }

    /// Whether it can be asked; an answer that comes late is thrown away.
    fn look(&mut self) -> Result<(), &'static str> {
        if !self.lost && self.is_readable(AT_ONCE) {
            let mut late = [0; LONGEST];
            match self.receive(&mut late) {
                Ok(length) if length > 0 && self.owes => self.owes = false,
                Ok(_) | Err(_) => drop(self.lose()),
            }
        }
        match (self.lost, self.owes) {
            (true, _) => Err(LOST),
            (false, true) => Err(LATE),
            (false, false) => Ok(()),
        }
    }

    /// Also if its other end is closed.
    fn is_readable(&self, Looks(looks): Looks) -> bool {
        let look = Timespec {
            tv_sec: 0,
            tv_nsec: if looks == 0 { 0 } else { 100_000_000 },
        };
        let mut fds = [PollFd::new(&self.socket, PollFlags::IN)];
        // A signal that comes in between costs a look.
        (0..looks.max(1)).any(|_| matches!(poll(&mut fds, Some(&look)), Ok(1..)))
    }

    fn receive(&self, packet: &mut [u8]) -> rustix::io::Result<usize> {
        let (length, _) = recv(&self.socket, packet, RecvFlags::DONTWAIT)?;
        Ok(length)
    }

    /// Another one can't be started: the process may start no program any more.
    fn lose(&mut self) -> Unseen {
        if !self.lost {
            self.lost = true;
            warn!("{LOST}: {CONSEQUENCE}");
            let _ = self.child.kill();
            let _ = self.child.try_wait();
        }
        Unseen::Witness(LOST)
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    const SHORT: Looks = Looks(1);

    /// A line whose other end the test holds.
    fn pair() -> (Line, OwnedFd) {
        let flags = SocketFlags::CLOEXEC;
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
        let line = Line {
            socket: ours,
            child: Command::new("sleep").arg("1000").spawn().unwrap(),
            number: 0,
            owes: false,
            lost: false,
        };
        (line, theirs)
    }

    fn pid() -> Question<'static> {
        Question::Running(Pid::INIT)
    }

    fn hear(theirs: &OwnedFd) -> u32 {
        let mut packet = [0; LONGEST];
        let (length, _) = recv(theirs, &mut packet, RecvFlags::empty()).unwrap();
        Question::decode(&packet[..length]).unwrap().0
    }

    fn say(theirs: &OwnedFd, answer: &Answer, number: u32) {
        let packet = answer.encode(number);
        send(theirs, &packet, SendFlags::empty()).unwrap();
    }

    #[test]
    fn a_late_answer_is_not_taken_for_the_next_ones() {
        let (mut line, theirs) = pair();
        let late = Unseen::Witness(LATE);
        assert_eq!(line.ask(pid(), SHORT), Err(late));
        let first = hear(&theirs);
        // Until it has come, nothing more is asked.
        assert_eq!(line.ask(pid(), PATIENCE), Err(late));
        assert_eq!(line.look(), Err(LATE));
        let mut nothing = [0];
        let more = recv(&theirs, &mut nothing, RecvFlags::DONTWAIT);
        assert_eq!(more.err(), Some(Errno::AGAIN));

        say(&theirs, &Answer::IsScript(true), first);
        let witness = thread::spawn(move || {
            let second = hear(&theirs);
            say(&theirs, &Answer::Failed(Errno::ACCESS), second);
            (second, theirs)
        });
        let answer = line.ask(pid(), PATIENCE_AT_START);
        assert_eq!(answer, Ok(Answer::Failed(Errno::ACCESS)));
        assert_eq!(line.look(), Ok(()));
        let (second, _theirs) = witness.join().unwrap();
        assert_ne!(first, second);
    }

    #[test]
    fn who_answers_what_was_not_asked_or_nonsense_is_asked_no_more() {
        for nonsense in [&b"x"[..], &Answer::IsScript(true).encode(7), &[0; LONGEST]] {
            let (mut line, theirs) = pair();
            let packet = nonsense.to_vec();
            let witness = thread::spawn(move || {
                hear(&theirs);
                send(&theirs, &packet, SendFlags::empty()).unwrap();
                theirs
            });
            let lost = Err(Unseen::Witness(LOST));
            assert_eq!(line.ask(pid(), PATIENCE_AT_START), lost);
            let _theirs = witness.join().unwrap();
            assert_eq!(line.ask(pid(), PATIENCE_AT_START), lost);
            assert_eq!(line.look(), Err(LOST));
            assert!(!line.child.wait().unwrap().success(), "it was ended");
        }
    }

    #[test]
    fn who_speaks_unasked_or_is_gone_is_asked_no_more() {
        let (mut line, theirs) = pair();
        say(&theirs, &Answer::IsScript(true), 1);
        assert_eq!(line.look(), Err(LOST));
        let (mut gone, theirs) = pair();
        drop(theirs);
        let lost = Err(Unseen::Witness(LOST));
        assert_eq!(gone.ask(pid(), PATIENCE_AT_START), lost);
    }

    #[test]
    fn a_path_that_is_too_long_for_a_question_is_not_asked_for() {
        let (mut line, _theirs) = pair();
        let path = "x".repeat(LONGEST);
        let asked = line.ask(Question::IsScript(Path::new(&path)), PATIENCE);
        assert_eq!(asked, Err(Unseen::Kernel(Errno::NAMETOOLONG)));
        assert_eq!(line.look(), Ok(()));
    }
}
