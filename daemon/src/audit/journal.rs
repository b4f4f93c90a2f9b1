//! journald's copy: each line as one datagram of its native protocol (systemd, "Native Journal Protocol").
//!
//! It is a copy out of reach of whoever can write the data directory, so it tells of files that were set back as a
//! whole. It is never waited for: what journald does not take at once is not sent.

use std::{os::unix::net::UnixDatagram, path::Path};

use super::{line::Entry, settings::Settings};

/// The way to journald, if there is one.
#[derive(Debug)]
pub(super) struct Journal(Option<UnixDatagram>);

impl Journal {
    /// Connects, if the operator wants it and journald is there.
    #[must_use]
    pub(super) fn open(settings: &Settings) -> Self {
        if settings.journald {
            Self::at(Path::new(SOCKET))
        } else {
            Self(None)
        }
    }

    /// Connects to what listens there.
    #[must_use]
    pub(super) fn at(path: &Path) -> Self {
        let connect = || {
            let socket = UnixDatagram::unbound()?;
            socket.connect(path)?;
            socket.set_nonblocking(true)?;
            Ok::<_, std::io::Error>(socket)
        };
        Self(connect().ok())
    }

    /// Sends lines that were written.
    pub(super) fn send(&self, entries: &[Entry]) {
        let Some(socket) = &self.0 else {
            return;
        };
        for entry in entries {
            // It may be full, or have gone: the file has the line.
            let _ = socket.send(&datagram(entry));
        }
    }
}

const SOCKET: &str = "/run/systemd/journal/socket";

fn datagram(entry: &Entry) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    let denied = entry.verdict == "denied" || entry.action == "audit-damaged";
    let (message, priority) = (message(entry), if denied { "4" } else { "6" });
    for (name, value) in [
        ("MESSAGE", Some(message.as_str())),
        ("PRIORITY", Some(priority)),
        ("SYSLOG_IDENTIFIER", Some("sfvaultd")),
        ("SFVAULT_CHAIN", Some(entry.chain.as_str())),
        ("SFVAULT_TIME", Some(entry.time.as_str())),
        ("SFVAULT_ACTION", Some(entry.action.as_str())),
        ("SFVAULT_VERDICT", Some(entry.verdict.as_str())),
        ("SFVAULT_RECORD", entry.record.as_deref()),
        ("SFVAULT_REASON", entry.reason.as_deref()),
        ("SFVAULT_RULE", entry.rule.as_deref()),
        ("SFVAULT_CLASS", entry.class.as_deref()),
        ("SFVAULT_FLOW", entry.flow.as_deref()),
        ("SFVAULT_FINGERPRINT", entry.fingerprint.as_deref()),
        ("SFVAULT_UNIT", entry.unit.as_deref()),
        ("SFVAULT_EXE", entry.exe.as_deref()),
        ("SFVAULT_NOTE", entry.note.as_deref()),
    ] {
        if let Some(value) = value {
            field(&mut out, name, value);
        }
    }
    for (name, value) in [
        ("SFVAULT_SEQ", Some(entry.seq.to_string())),
        ("SFVAULT_COUNT", Some(entry.count.to_string())),
        (
            "SFVAULT_GENERATION",
            entry.generation.map(|n| n.to_string()),
        ),
        ("SFVAULT_UID", entry.uid.map(|n| n.to_string())),
        ("SFVAULT_GID", entry.gid.map(|n| n.to_string())),
        ("SFVAULT_PID", entry.pid.map(|n| n.to_string())),
    ] {
        if let Some(value) = value {
            field(&mut out, name, &value);
        }
    }
    out
}

fn message(entry: &Entry) -> String {
    let mut text = format!("{} {}", entry.action, entry.verdict);
    for more in [&entry.record, &entry.reason, &entry.note]
        .into_iter()
        .flatten()
        .filter(|more| !more.is_empty())
    {
        text.push(' ');
        text.push_str(more);
    }
    text
}

/// A value with a line feed has its length before it.
fn field(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    if value.contains('\n') {
        out.push(b'\n');
        out.extend_from_slice(&(value.len() as u64).to_le_bytes());
    } else {
        out.push(b'=');
    }
    out.extend_from_slice(value.as_bytes());
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        Entry {
            seq: 9,
            chain: "00c0ffee".to_owned(),
            action: "get".to_owned(),
            verdict: "served".to_owned(),
            count: 3,
            record: Some("prod".to_owned()),
            uid: Some(1000),
            exe: Some("/tmp/a\nSFVAULT_UID=0".to_owned()),
            ..Entry::default()
        }
    }

    #[test]
    fn a_line_arrives_as_fields_and_a_line_feed_makes_no_new_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal");
        let listener = UnixDatagram::bind(&path).unwrap();
        Journal::at(&path).send(&[entry()]);
        let mut buffer = [0; 4096];
        let length = listener.recv(&mut buffer).unwrap();
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        assert!(
            text.starts_with("MESSAGE=get served prod\nPRIORITY=6\n"),
            "{text}"
        );
        for field in [
            "SFVAULT_RECORD=prod\n",
            "SFVAULT_SEQ=9\n",
            "SFVAULT_COUNT=3\n",
        ] {
            assert!(text.contains(field), "{text}");
        }
        let exe = b"SFVAULT_EXE\n\x14\0\0\0\0\0\0\0/tmp/a\nSFVAULT_UID=0\n";
        assert!(
            buffer[..length]
                .windows(exe.len())
                .any(|window| window == exe),
            "{text}"
        );
    }

    #[test]
    fn an_empty_note_leaves_no_blank_behind() {
        let chain = Entry {
            action: "audit-chain".to_owned(),
            verdict: "noted".to_owned(),
            note: Some(String::new()),
            ..Entry::default()
        };
        assert_eq!(message(&chain), "audit-chain noted");
    }

    #[test]
    fn a_journal_that_is_full_or_gone_is_not_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal");
        Journal::at(&path).send(&[entry()]);
        let listener = UnixDatagram::bind(&path).unwrap();
        let journal = Journal::at(&path);
        for _ in 0..10_000 {
            journal.send(&[entry()]);
        }
        drop(listener);
        journal.send(&[entry()]);
    }
}
