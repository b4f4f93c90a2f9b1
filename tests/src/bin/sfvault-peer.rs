//! A process that connects to a socket and hands the connection to a test, which calls through it: so a test can be any
//! peer, and do with that peer what it likes while the connection lives.
//!
//! `sfvault-peer SOCKET [PROGRAM [ARGUMENT…]]`: stdin is a socket of the test. The connection goes there; then one byte is
//! waited for, and the process becomes PROGRAM, or ends.

use std::{
    env, io,
    io::{IoSlice, Read as _},
    mem::MaybeUninit,
    os::{
        fd::{AsFd as _, BorrowedFd},
        unix::{net::UnixStream, process::CommandExt as _},
    },
    process::Command,
};

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

fn main() -> io::Result<()> {
    let mut arguments = env::args_os().skip(1);
    let socket = arguments
        .next()
        .ok_or_else(|| io::Error::other("usage: sfvault-peer SOCKET [PROGRAM [ARGUMENT...]]"))?;
    let connection = UnixStream::connect(socket)?;
    let stdin = io::stdin();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let passed: [BorrowedFd<'_>; 1] = [connection.as_fd()];
    ancillary.push(SendAncillaryMessage::ScmRights(&passed));
    sendmsg(
        &stdin,
        &[IoSlice::new(b"c")],
        &mut ancillary,
        SendFlags::empty(),
    )?;
    let mut word = [0];
    let told = stdin.lock().read(&mut word)?;
    match arguments.next().filter(|_| told > 0) {
        Some(program) => Err(Command::new(program).args(arguments).exec()),
        None => Ok(()),
    }
}
