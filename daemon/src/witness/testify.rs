//! The witness itself: it holds nothing, and answers one question at a time until the daemon is gone.

use std::{io, os::fd::AsFd as _};

use nix::sys::signal::SigSet;
use rustix::{
    io::{Errno, read, write},
    net::{SocketType, sockopt::socket_type},
    thread::{CapabilitySet, capabilities, set_capabilities, set_name},
};

use super::{
    calls,
    frame::{Answer, LONGEST, Question},
    look,
};
use crate::{descriptors, harden};

/// What a witness is called by `ps`: at most 15 bytes.
const NAME: &std::ffi::CStr = c"sfvault-witness";

/// Answers on stdin until the daemon has closed its end. It must be all that the process ever does.
///
/// # Errors
/// If stdin does not come from a daemon.
pub fn testify() -> io::Result<()> {
    let stdin = io::stdin();
    let line = stdin.as_fd();
    if socket_type(line)? != SocketType::SEQPACKET {
        return Err(io::ErrorKind::Unsupported.into());
    }
    // The daemon ends it, not who presses a key or stops the service: a login may still be under way.
    let _ = SigSet::all().thread_block();
    let _ = descriptors::close_inherited();
    let _ = harden::harden();
    let _ = set_name(NAME);
    let _ = keep_only(CapabilitySet::SYS_PTRACE | CapabilitySet::DAC_READ_SEARCH);
    calls::confine();
    let mut packet = [0; LONGEST];
    loop {
        let length = match read(line, &mut packet) {
            Ok(0) => return Ok(()),
            Ok(length) => length,
            Err(Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        };
        let asked = packet.get(..length).and_then(Question::decode);
        let Some((number, question)) = asked else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        write(line, &answer(question).encode(number))?;
    }
}

fn answer(question: Question<'_>) -> Answer {
    let answer = match question {
        Question::Running(pid) => look::running(pid).map(Answer::Running),
        Question::IsScript(path) => look::is_script(path).map(Answer::IsScript),
    };
    answer.unwrap_or_else(|error| {
        // A path with a zero byte is none to the kernel either.
        Answer::Failed(Errno::from_io_error(&error).unwrap_or(Errno::INVAL))
    })
}

/// Gives up all capabilities but these, of those that there are.
fn keep_only(kept: CapabilitySet) -> rustix::io::Result<()> {
    let mut sets = capabilities(None)?;
    sets.permitted &= kept;
    sets.effective &= kept;
    sets.inheritable = CapabilitySet::empty();
    set_capabilities(None, sets)
}
