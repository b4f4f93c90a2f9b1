//! systemd's side: sockets that it has bound for us, and the word that we are ready. Without systemd, nothing.

use std::{
    env, io,
    os::{
        linux::net::SocketAddrExt as _,
        unix::{
            ffi::OsStrExt as _,
            net::{SocketAddr, UnixDatagram},
        },
    },
};

use listenfd::ListenFd;
use rustix::net::sockopt::socket_acceptconn;

use crate::accept::Activated;

/// Takes the sockets over that the socket units named `sessions` and `admin` (`FileDescriptorName=`).
///
/// # Errors
/// If systemd passed something that is not one of them.
pub fn activated() -> io::Result<Activated> {
    // `from_env` clears the variables: the names must be read first.
    let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
    let mut passed = ListenFd::from_env();
    let mut activated = Activated::default();
    let mut names = names.split(':');
    for index in 0..passed.len() {
        let name = names.next().unwrap_or_default();
        let refuse = |problem: String| {
            let name = name.escape_debug();
            Err(io::Error::other(format!(
                "systemd passed a socket named `{name}`{problem}"
            )))
        };
        let place = match name {
            "sessions" => &mut activated.sessions,
            "admin" => &mut activated.admin,
            _ => {
                return refuse(
                    "\nhint: `FileDescriptorName=` of a socket unit must be `sessions` or `admin`"
                        .to_owned(),
                );
            }
        };
        if place.is_some() {
            return refuse(" twice".to_owned());
        }
        *place = match passed.take_unix_listener(index) {
            Ok(listener) => listener,
            Err(error) => return refuse(format!(" that can't be served: {error}")),
        };
        let listens = place.as_ref().map(socket_acceptconn).transpose()?;
        if listens != Some(true) {
            return refuse(" that does not listen".to_owned());
        }
    }
    Ok(activated)
}

/// Tells systemd that the sockets are served.
///
/// # Errors
/// If systemd asked to be told and can't be.
pub fn notify_ready() -> io::Result<()> {
    let Some(path) = env::var_os("NOTIFY_SOCKET") else {
        return Ok(());
    };
    let address = match path.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        name => SocketAddr::from_pathname(std::path::Path::new(std::ffi::OsStr::from_bytes(name)))?,
    };
    UnixDatagram::unbound()?
        .send_to_addr(b"READY=1", &address)
        .map(drop)
}
