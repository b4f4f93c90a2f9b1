//! HTTP/2 by hand, as nobody should speak it.

use std::{
    io::{self, Read as _, Write as _},
    net::Shutdown,
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// SETTINGS_INITIAL_WINDOW_SIZE = 0: no answer may have a byte.
pub(crate) const NO_WINDOW: &[u8] = &[0, 4, 0, 0, 0, 0];

/// The daemon promises 10 s; whoever has heard nothing by then has a daemon that hangs.
const EVER: Duration = Duration::from_secs(40);
/// An attack ends when the daemon takes no more of it.
const STUCK: Duration = Duration::from_secs(2);

/// A connection without manners.
#[derive(Debug)]
pub(crate) struct Wire(UnixStream);

impl Wire {
    pub(crate) fn connect(socket: &Path) -> Self {
        Self::of(UnixStream::connect(socket).unwrap())
    }

    pub(crate) fn of(stream: UnixStream) -> Self {
        stream.set_read_timeout(Some(EVER)).unwrap();
        stream.set_write_timeout(Some(STUCK)).unwrap();
        Self(stream)
    }

    /// Connected, and past the preface.
    pub(crate) fn greeted(socket: &Path, settings: &[u8]) -> Self {
        let mut wire = Self::connect(socket);
        let hello = [PREFACE, &frame(SETTINGS, 0, 0, settings)].concat();
        wire.send(&hello).unwrap();
        wire
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    /// Sends the same kind of thing so often, or until the daemon has had enough.
    pub(crate) fn flood(&mut self, times: u32, bytes: impl Fn(u32) -> Vec<u8>) {
        for first in (0..times).step_by(100) {
            let many: Vec<u8> = (first..times.min(first + 100)).flat_map(&bytes).collect();
            if self.send(&many).is_err() {
                return;
            }
        }
    }

    pub(crate) fn say_no_more(&self) {
        self.0.shutdown(Shutdown::Write).unwrap();
    }

    /// The next frame: its kind, flags and payload. `None` once the daemon has closed.
    pub(crate) fn frame(&mut self) -> Option<(u8, u8, Vec<u8>)> {
        let mut head = [0; 9];
        match self.0.read_exact(&mut head) {
            Ok(()) => {}
            Err(error) if is_end(&error) => return None,
            Err(error) => panic!("no frame: {error}"),
        }
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        self.0.read_exact(&mut payload).unwrap();
        Some((head[3], head[4], payload))
    }

    /// Reads to the end of an answer.
    pub(crate) fn answered(&mut self) -> bool {
        while let Some((kind, flags, _)) = self.frame() {
            if kind == HEADERS && flags & END_STREAM != 0 {
                return true;
            }
        }
        false
    }

    /// Returns once the daemon has closed; fails if it does not.
    pub(crate) fn is_closed(&mut self) {
        let mut rest = [0; 4096];
        loop {
            match self.0.read(&mut rest) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) if is_end(&error) => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => panic!("still open: {error}"),
            }
        }
    }

    /// Whether the daemon has said nothing, and not closed, for so long.
    pub(crate) fn is_quiet_for(&mut self, span: Duration) -> bool {
        self.0.set_read_timeout(Some(span)).unwrap();
        let read = loop {
            match self.0.read(&mut [0; 1]) {
                // As a child of another test ends, for signals interrupt whoever reads with a timeout: the time begins anew.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        self.0.set_read_timeout(Some(EVER)).unwrap();
        matches!(read, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }
}

fn is_end(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
    )
}

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// The head of a call of `Sessions`.
pub(crate) fn head(method: &str) -> Vec<u8> {
    head_of(&format!("/sfvault.v1.Sessions/{method}"))
}

/// The names and values of a call's head, none of them compressed (RFC 7541, 6.2.2).
pub(crate) fn head_of(path: &str) -> Vec<u8> {
    [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "localhost"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ]
    .iter()
    .flat_map(|(name, value)| field(name, value))
    .collect()
}

pub(crate) fn field(name: &str, value: &str) -> Vec<u8> {
    let mut field = vec![0];
    for text in [name, value] {
        field.push(
            u8::try_from(text.len())
                .ok()
                .filter(|len| *len < 127)
                .unwrap(),
        );
        field.extend(text.as_bytes());
    }
    field
}

/// A whole GetSession call for `prod`.
pub(crate) fn call(stream: u32) -> Vec<u8> {
    let message = b"\0\0\0\0\x06\x0a\x04prod";
    [
        frame(HEADERS, END_HEADERS, stream, &head("GetSession")),
        frame(DATA, END_STREAM, stream, message),
    ]
    .concat()
}
