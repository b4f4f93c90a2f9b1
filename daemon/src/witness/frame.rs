//! What the daemon and its witness say to each other: one packet each way.
//!
//! Numbers are little-endian. A question is its number (4 bytes), its kind (1) and a pid (4) or a path; an answer is the
//! number of its question, its kind, and what that kind has.

use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use rustix::{io::Errno, process::Pid};

use super::look::{Inode, Running};

/// The longest path of Linux, and what comes before it.
pub(super) const LONGEST: usize = 4096 + 32;

/// What the witness is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question<'a> {
    /// What does this process run?
    Running(Pid),
    /// Does this file name an interpreter?
    IsScript(&'a Path),
}

/// What it answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    Running(Running),
    IsScript(bool),
    /// The kernel does not say.
    Failed(Errno),
}

const RUNNING: u8 = 1;
const IS_SCRIPT: u8 = 2;
const FAILED: u8 = 3;

impl<'a> Question<'a> {
    pub(super) fn encode(self, number: u32) -> Vec<u8> {
        match self {
            Self::Running(pid) => packet(number, RUNNING, &[&pid.as_raw_pid().to_le_bytes()]),
            Self::IsScript(path) => packet(number, IS_SCRIPT, &[path.as_os_str().as_bytes()]),
        }
    }

    /// The question of a packet and its number; nothing if it is none.
    pub(super) fn decode(packet: &'a [u8]) -> Option<(u32, Self)> {
        let (number, kind, rest) = parts(packet)?;
        let question = match kind {
            RUNNING => {
                let pid = i32::from_le_bytes(rest.try_into().ok()?);
                // 0 and less mean others to many a call.
                Self::Running((pid > 0).then(|| Pid::from_raw(pid)).flatten()?)
            }
            IS_SCRIPT => Self::IsScript(Path::new(OsStr::from_bytes(rest))),
            _ => return None,
        };
        Some((number, question))
    }
}

impl Answer {
    pub(super) fn encode(&self, number: u32) -> Vec<u8> {
        match self {
            Self::Running(Running { path, file }) => packet(
                number,
                RUNNING,
                &[
                    &file.device.0.to_le_bytes(),
                    &file.device.1.to_le_bytes(),
                    &file.number.to_le_bytes(),
                    path.as_os_str().as_bytes(),
                ],
            ),
            Self::IsScript(is_script) => packet(number, IS_SCRIPT, &[&[u8::from(*is_script)]]),
            Self::Failed(error) => packet(number, FAILED, &[&error.raw_os_error().to_le_bytes()]),
        }
    }

    /// The answer of a packet and the number of its question; nothing if it is none.
    pub(super) fn decode(packet: &[u8]) -> Option<(u32, Self)> {
        let (number, kind, rest) = parts(packet)?;
        let answer = match kind {
            RUNNING => {
                let (major, rest) = rest.split_first_chunk()?;
                let (minor, rest) = rest.split_first_chunk()?;
                let (inode, path) = rest.split_first_chunk()?;
                Self::Running(Running {
                    path: PathBuf::from(OsStr::from_bytes(path)),
                    file: Inode {
                        device: (u32::from_le_bytes(*major), u32::from_le_bytes(*minor)),
                        number: u64::from_le_bytes(*inode),
                    },
                })
            }
            IS_SCRIPT => match rest {
                [0] => Self::IsScript(false),
                [1] => Self::IsScript(true),
                _ => return None,
            },
            FAILED => {
                let error = i32::from_le_bytes(rest.try_into().ok()?);
                // Others there are none, and `Errno` can't be made of them.
                (1..4096)
                    .contains(&error)
                    .then(|| Self::Failed(Errno::from_raw_os_error(error)))?
            }
            _ => return None,
        };
        Some((number, answer))
    }
}

fn packet(number: u32, kind: u8, rest: &[&[u8]]) -> Vec<u8> {
    let mut packet = number.to_le_bytes().to_vec();
    packet.push(kind);
    rest.iter().for_each(|part| packet.extend_from_slice(part));
    packet
}

fn parts(packet: &[u8]) -> Option<(u32, u8, &[u8])> {
    let (number, rest) = packet.split_first_chunk()?;
    let (kind, rest) = rest.split_first()?;
    Some((u32::from_le_bytes(*number), *kind, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_said_is_what_is_heard() {
        let pid = Pid::from_raw(4_194_304).unwrap();
        let odd = Path::new(OsStr::from_bytes(b"/srv/\xff\n (deleted)"));
        for question in [Question::Running(pid), Question::IsScript(odd)] {
            let packet = question.encode(7);
            assert_eq!(Question::decode(&packet), Some((7, question)));
        }
        let running = Running {
            path: odd.to_owned(),
            file: Inode {
                device: (8, 1),
                number: u64::MAX,
            },
        };
        for answer in [
            Answer::Running(running),
            Answer::IsScript(true),
            Answer::IsScript(false),
            Answer::Failed(Errno::ACCESS),
        ] {
            let packet = answer.encode(u32::MAX);
            assert_eq!(Answer::decode(&packet), Some((u32::MAX, answer)));
        }
    }

    #[test]
    fn no_process_is_asked_for_by_a_pid_that_means_others() {
        for pid in [0_i32, -1, i32::MIN] {
            let asked = packet(1, RUNNING, &[&pid.to_le_bytes()]);
            assert_eq!(Question::decode(&asked), None);
        }
    }

    #[test]
    fn an_error_that_no_kernel_has_is_no_answer() {
        for error in [0_i32, -1, 4096, i32::MIN, i32::MAX] {
            let packet = packet(1, FAILED, &[&error.to_le_bytes()]);
            assert_eq!(Answer::decode(&packet), None);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_heard_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Some((number, answer)) = Answer::decode(&bytes) {
                prop_assert_eq!(answer.encode(number), bytes.clone());
            }
            if let Some((number, question)) = Question::decode(&bytes) {
                prop_assert_eq!(question.encode(number), bytes);
            }
        }
    }
}
