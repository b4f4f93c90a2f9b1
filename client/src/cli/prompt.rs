//! Questions to the person at the terminal.
//!
//! The terminal shows nothing while a secret is typed, and shows again what is typed whenever a `Quiet`
//! goes away: at the end, on an error, on a panic, and when a signal makes `cli::main` drop the question.

use std::{fs::File, io};

use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
    stdio,
    termios::{self, LocalModes, OptionalActions, SpecialCodeIndex, Termios},
};
use tokio::net::unix::pipe::Receiver;
use zeroize::Zeroizing;

use super::failure::Failure;

/// Asks for a secret, which is not shown. `instead` says how to give it without a terminal.
pub(crate) async fn secret(question: &str, instead: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let terminal = Terminal::open(question, instead)?;
    let _quiet = Quiet::make(&terminal)?;
    terminal.write(&format!("{question}: "))?;
    // The person's own line end is not shown.
    let _end = LineEnd(&terminal);
    terminal.line().await
}

/// Asks something that is answered with `y` or `yes`; anything else is no.
pub(crate) async fn confirm(question: &str, instead: &str) -> Result<bool, Failure> {
    let terminal = Terminal::open(question, instead)?;
    terminal.write(&format!("{question} [y/N] "))?;
    let end = LineEnd(&terminal);
    let answer = terminal.line().await?;
    // The person's own was shown.
    std::mem::forget(end);
    Ok(answer.eq_ignore_ascii_case(b"y") || answer.eq_ignore_ascii_case(b"yes"))
}

/// Writes a secret to the terminal, and nowhere else.
pub(crate) fn show(secret: &str) -> Result<(), Failure> {
    let terminal = Terminal::open("a secret is shown", "there is no other way")?;
    terminal.write(secret)?;
    terminal.write("\n")
}

/// Whether there is somebody to ask.
pub(crate) fn is_possible() -> bool {
    termios::isatty(stdio::stdin())
}

/// What the kernel keeps of a typed line, its end included.
const MAX_LINE: usize = 4096;

/// tokio waits for anything that the kernel can poll, a terminal too; it merely calls it a pipe.
struct Terminal(Receiver);

impl Terminal {
    /// Without a terminal at stdin nobody expects a question, even if the process has one somewhere.
    fn open(question: &str, instead: &str) -> Result<Self, Failure> {
        let none = || {
            Failure::usage(
                format!("there is no terminal to ask on: {question}"),
                instead.to_owned(),
            )
        };
        if !termios::isatty(stdio::stdin()) {
            return Err(none());
        }
        // A description of our own, so that not blocking does not spread to the shell.
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let tty = rustix::fs::open("/dev/tty", flags, Mode::empty()).map_err(|_| none())?;
        let tty = Receiver::from_file_unchecked(File::from(tty))
            .map_err(|error| Failure::local(format!("can't wait for the terminal: {error}")))?;
        Ok(Self(tty))
    }

    fn write(&self, text: &str) -> Result<(), Failure> {
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            match rustix::io::write(&self.0, rest) {
                Ok(written) => rest = rest.get(written..).unwrap_or_default(),
                Err(Errno::INTR) => {}
                Err(error) => return Err(broken(error)),
            }
        }
        Ok(())
    }

    /// One line without its end.
    async fn line(&self) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let mut line = Zeroizing::new(vec![0; MAX_LINE]);
        let mut filled = 0;
        while let Some(rest) = line.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            let fail = |error| Failure::local(format!("can't read from the terminal: {error}"));
            self.0.readable().await.map_err(fail)?;
            let read = match self.0.try_read(rest) {
                Ok(read) => read,
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                    ) =>
                {
                    continue;
                }
                Err(error) => return Err(fail(error)),
            };
            filled += read;
            if read == 0 && filled == 0 {
                return Err(Failure::usage(
                    "the input ended before an answer",
                    "answer, or interrupt with Ctrl-C",
                ));
            }
            let end = line
                .get(..filled)
                .and_then(|typed| typed.iter().position(|&b| b == b'\n'));
            match end {
                // The kernel drops what is typed beyond its limit and keeps the line end.
                Some(end) if end + 1 < MAX_LINE => {
                    line.truncate(end);
                    return Ok(line);
                }
                Some(_) => break,
                None if read == 0 => {
                    line.truncate(filled);
                    return Ok(line);
                }
                None => {}
            }
        }
        Err(Failure::usage(
            "the line is too long for a terminal",
            "use a file",
        ))
    }
}

/// Ends the line of a question, also of one that a signal took away: what comes next has a line of its own.
struct LineEnd<'a>(&'a Terminal);

impl Drop for LineEnd<'_> {
    fn drop(&mut self) {
        let _ = self.0.write("\n");
    }
}

/// The terminal, showing nothing of what is typed.
struct Quiet<'a> {
    terminal: &'a Terminal,
    before: Termios,
}

impl<'a> Quiet<'a> {
    fn make(terminal: &'a Terminal) -> Result<Self, Failure> {
        let before = termios::tcgetattr(&terminal.0).map_err(broken)?;
        let mut quiet = before.clone();
        quiet
            .local_modes
            .remove(LocalModes::ECHO | LocalModes::ECHONL);
        quiet
            .local_modes
            .insert(LocalModes::ICANON | LocalModes::ISIG);
        // Whoever stopped us with Ctrl-Z would come back to a terminal that shows the rest. 0 switches it off.
        quiet.special_codes[SpecialCodeIndex::VSUSP] = 0;
        let this = Self { terminal, before };
        // What was typed before the question was asked and shown is not the answer.
        termios::tcsetattr(&terminal.0, OptionalActions::Flush, &quiet).map_err(broken)?;
        Ok(this)
    }
}

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        // What is left of a pasted secret must not reach the shell as a command.
        let terminal = &self.terminal.0;
        let _ = termios::tcsetattr(terminal, OptionalActions::Flush, &self.before);
    }
}

fn broken(error: Errno) -> Failure {
    Failure::local(format!("the terminal does not do as told: {error}"))
}
