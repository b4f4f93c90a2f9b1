//! A process of any kind that is connected to the daemon, while the test makes its calls.

use std::{
    fs,
    io::{IoSliceMut, Write as _},
    mem::MaybeUninit,
    os::{
        fd::OwnedFd,
        unix::{fs::PermissionsExt as _, net::UnixStream, process::CommandExt as _},
    },
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use sfvault_proto::v1::{GetSessionRequest, ListRecordsRequest, sessions_client::SessionsClient};
use sfvault_tests::{binaries::Binaries, installation::Installation};
use tonic::{Status, transport::Channel};

use crate::{nobody::copy_program, raw, unit::Unit};

/// A connected process. It is killed at the end.
pub(crate) struct Peer {
    pub(crate) process: Child,
    word: UnixStream,
    pub(crate) calls: SessionsClient<Channel>,
}

impl Peer {
    /// The program with which peers connect, where every user can run it, under this name.
    pub(crate) fn program(installation: &Installation, name: &str) -> PathBuf {
        let path = installation.path(name);
        let built = Binaries::build()
            .unwrap()
            .sfvaultd
            .with_file_name("sfvault-peer");
        copy_program(&built, &path);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// A peer of this user and group.
    pub(crate) async fn of(installation: &Installation, uid: u32, gid: u32) -> Self {
        let mut command = Command::new(Self::usual_program(installation));
        command.arg(sessions(installation)).uid(uid).gid(gid);
        Self::spawn(command).await
    }

    /// A peer of this user, and of the group with the same number, that is in this unit from its start.
    pub(crate) async fn in_unit(installation: &Installation, unit: &Unit, uid: u32) -> Self {
        let id = uid.to_string();
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid", &id, "--regid", &id, "--clear-groups"])
            .arg(Self::usual_program(installation))
            .arg(sessions(installation));
        Self::spawn(unit.runs(&command)).await
    }

    fn usual_program(installation: &Installation) -> PathBuf {
        let program = installation.path("peer");
        if program.exists() {
            program
        } else {
            Self::program(installation, "peer")
        }
    }

    /// A peer that a command turns into; its last arguments are a copy of the program and the socket.
    pub(crate) async fn spawn(mut command: Command) -> Self {
        let (word, theirs) = UnixStream::pair().unwrap();
        command.stdin(Stdio::from(OwnedFd::from(theirs)));
        let process = command.spawn().unwrap();
        drop(command);
        let connection = receive(&word);
        let calls = SessionsClient::new(raw::channel(connection).await);
        Self {
            process,
            word,
            calls,
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Lets the process go on: to the program that it becomes, or to its end.
    pub(crate) fn go_on(&mut self) {
        self.word.write_all(b"g").unwrap();
    }

    /// Waits for its end; its connection is still open here.
    pub(crate) fn ends(&mut self) {
        self.go_on();
        self.process.wait().unwrap();
    }

    /// Whether it gets a session of this record; anything but the answer that there is no such record is a mistake.
    pub(crate) async fn gets(&mut self, record: &str) -> bool {
        match self.session(record).await {
            Ok(()) => true,
            Err(status) => {
                let reason = raw::reason(&status);
                assert!(
                    matches!(reason.as_deref(), Some("RECORD_NOT_FOUND" | "DENIED")),
                    "{status:?}"
                );
                false
            }
        }
    }

    pub(crate) async fn session(&mut self, record: &str) -> Result<(), Status> {
        let request = GetSessionRequest {
            record: record.to_owned(),
            ..GetSessionRequest::default()
        };
        self.calls.get_session(request).await.map(drop)
    }

    /// The names that it sees.
    pub(crate) async fn sees(&mut self) -> Vec<String> {
        let records = self.calls.list_records(ListRecordsRequest {}).await;
        let records = records.unwrap().into_inner().records;
        records.into_iter().map(|record| record.name).collect()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The socket for jobs.
pub(crate) fn sessions(installation: &Installation) -> PathBuf {
    installation.path("run/sfvault.sock")
}

fn receive(word: &UnixStream) -> UnixStream {
    let mut byte = [0];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC;
    let received = recvmsg(
        word,
        &mut [IoSliceMut::new(&mut byte)],
        &mut ancillary,
        flags,
    );
    assert_eq!(received.unwrap().bytes, 1, "the peer could not connect");
    ancillary
        .drain()
        .find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut passed) => passed.next(),
            _ => None,
        })
        .expect("the peer passed no connection")
        .into()
}
