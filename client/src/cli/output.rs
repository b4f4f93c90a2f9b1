//! The only printer. stdout takes data; what is said to people goes to stderr.
//!
//! Text from elsewhere can hold what moves a terminal's cursor, reprograms it or turns the reading
//! direction; no such character leaves this file. What is written does not pass a buffer of the standard
//! library, where a copy of a session id would stay.

use std::{borrow::Cow, env, fmt::Write as _, io, panic};

use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
    stdio,
};
use serde::Serialize;
use serde_json::{Serializer, json, ser::CompactFormatter};
use sfvault::Finding;
use zeroize::Zeroizing;

use super::{aside::aside, doctor::grade, failure::Failure};

/// How to print.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    json: bool,
    no_colour: bool,
}

impl Output {
    pub(crate) fn new(json: bool, no_colour: bool) -> Self {
        Self { json, no_colour }
    }

    /// Whether programs read the output.
    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// Whether stderr may show something that moves.
    pub(crate) fn is_lively(self) -> bool {
        !self.json && rustix::termios::isatty(stdio::stderr())
    }

    /// Writes data to stdout as it is. The caller vouches that no control character is in it, or that
    /// it is meant.
    pub(crate) fn data(self, data: &[u8]) -> Result<(), Failure> {
        write_all(data).map_err(|error| match error {
            Errno::PIPE => Failure::ReaderGone,
            error => Failure::local(format!("can't write to stdout: {error}")),
        })
    }

    /// Returns when nobody can read stdout any more.
    pub(crate) async fn reader_gone(self) -> Failure {
        let gone = aside(|| {
            loop {
                // No event is asked for: an error and a hang-up are told in any case.
                let mut stdout = [PollFd::from_borrowed_fd(
                    stdio::stdout(),
                    PollFlags::empty(),
                )];
                match poll(&mut stdout, None) {
                    Err(Errno::INTR) => {}
                    result => return result,
                }
            }
        });
        match gone.await {
            Ok(Ok(_)) => Failure::ReaderGone,
            Ok(Err(error)) => Failure::local(format!("can't watch stdout: {error}")),
            Err(failure) => failure,
        }
    }

    /// Writes one JSON value and a line feed to stdout.
    pub(crate) fn json(self, value: &impl Serialize) -> Result<(), Failure> {
        self.data(&json_line(value)?)
    }

    /// Writes lines of `label  value` to stdout.
    pub(crate) fn fields(self, fields: &[(&str, String)]) -> Result<(), Failure> {
        let rows: Vec<_> = fields
            .iter()
            .map(|(label, value)| vec![(*label).to_owned(), value.clone()])
            .collect();
        self.data(columns(&rows).as_bytes())
    }

    /// Writes a table to stdout.
    pub(crate) fn table(self, head: &[&str], mut rows: Vec<Vec<String>>) -> Result<(), Failure> {
        rows.insert(0, head.iter().map(|&cell| cell.to_owned()).collect());
        self.data(columns(&rows).as_bytes())
    }

    /// Writes one finding to stdout, with what to do below it.
    pub(crate) fn finding(self, finding: &Finding) -> Result<(), Failure> {
        let mut text = format!(
            "{:<8} {}: {}: {}\n",
            grade(finding.grade),
            printable(&finding.check),
            printable(&finding.subject),
            printable(&finding.text)
        );
        if let Some(fix) = &finding.fix {
            text.push_str("         fix: ");
            text.push_str(&printable(fix));
            text.push('\n');
        }
        self.data(text.as_bytes())
    }

    /// Tells people what was done. Programs get JSON on stdout instead.
    pub(crate) fn done(self, text: &str) {
        if !self.json {
            to_stderr(&format!("{}\n", printable(text)));
        }
    }

    /// Tells what is odd.
    pub(crate) fn warning(self, text: &str) {
        if self.json {
            self.json_to_stderr(&json!({ "warning": { "message": text } }));
        } else {
            to_stderr(&format!(
                "{} {}\n",
                self.label("warning:", YELLOW),
                printable(text)
            ));
        }
    }

    /// Tells why a command failed and what to do.
    pub(crate) fn failure(self, failure: &Failure) {
        let Some(message) = failure.message() else {
            return;
        };
        let hint = failure.hint();
        if self.json {
            let retry_after = failure.retry_after().map(|pause| {
                // A caller who comes back a moment early would wait once more.
                pause.as_secs() + u64::from(pause.subsec_nanos() > 0)
            });
            self.json_to_stderr(&json!({ "error": {
                "reason": failure.reason(),
                "message": message,
                "hint": hint,
                "retry_after_seconds": retry_after,
                "exit_status": failure.exit().code(),
            }}));
            return;
        }
        to_stderr(&format!(
            "{} {}\n",
            self.label("error:", RED),
            printable(message)
        ));
        if let Some(hint) = hint {
            to_stderr(&format!(
                "{} {}\n",
                self.label("hint:", CYAN),
                printable(&hint)
            ));
        }
    }

    /// Shows a line on stderr that the next call, or [`Output::clear_line`], overwrites.
    pub(crate) fn passing(self, text: &str) {
        to_stderr(&format!("\r{}\x1b[K", printable(text)));
    }

    pub(crate) fn clear_line(self) {
        to_stderr("\r\x1b[K");
    }

    fn label(self, text: &'static str, colour: &str) -> Cow<'static, str> {
        if self.has_colour() {
            Cow::Owned(format!("\x1b[1;{colour}m{text}\x1b[0m"))
        } else {
            Cow::Borrowed(text)
        }
    }

    /// Asked when there is something to colour: most runs say nothing.
    fn has_colour(self) -> bool {
        let set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = || env::var_os("TERM").is_none_or(|term| term == "dumb");
        !self.no_colour && !set("NO_COLOR") && !dumb() && rustix::termios::isatty(stdio::stderr())
    }

    fn json_to_stderr(self, value: &impl Serialize) {
        let mut text = Vec::new();
        if to_json(&mut text, value).is_ok() {
            text.push(b'\n');
            to_stderr(&String::from_utf8_lossy(&text));
        }
    }
}

/// One JSON value and a line feed, in memory that is wiped.
pub(crate) fn json_line(value: &impl Serialize) -> Result<Zeroizing<Vec<u8>>, Failure> {
    // Long enough for a session with all that belongs to it: a buffer that grows leaves copies behind.
    let mut text = Zeroizing::new(Vec::with_capacity(16 << 10));
    to_json(&mut text, value)
        .map_err(|error| Failure::local(format!("can't write JSON: {error}")))?;
    text.push(b'\n');
    Ok(text)
}

/// Makes a panic tell where it happened and nothing else: its message could hold what was at hand.
pub(crate) fn keep_panics_quiet() {
    panic::set_hook(Box::new(|info| {
        let place = info.location().map_or_else(String::new, |place| {
            format!(" at {}:{}", place.file(), place.line())
        });
        to_stderr(&format!(
            "error: defect in sfvault{place}\nhint: please report it\n"
        ));
    }));
}

/// The text with every character spelt out that a terminal would obey rather than show.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unprintable) {
        return Cow::Borrowed(text);
    }
    let mut spelt = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_unprintable(character) {
            spelt.extend(character.escape_default());
        } else {
            spelt.push(character);
        }
    }
    Cow::Owned(spelt)
}

const RED: &str = "31";
const YELLOW: &str = "33";
const CYAN: &str = "36";

/// Control characters (C0, DEL, C1), and what Unicode has to break lines or to turn or hide text.
fn is_unprintable(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
        )
}

/// Lines of cells, the columns two spaces apart and as wide as their widest cell.
fn columns(rows: &[Vec<String>]) -> String {
    let rows: Vec<Vec<Cow<'_, str>>> = rows
        .iter()
        .map(|row| row.iter().map(|cell| printable(cell)).collect())
        .collect();
    let width = |column| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells
            .map(|cell: &Cow<'_, str>| cell.chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..rows.first().map_or(0, Vec::len)).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            // A `String` takes all that is written to it.
            let _ = write!(line, "{cell:width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// JSON escapes the control characters of ASCII itself; the others are spelt out too.
struct Printable;

impl serde_json::ser::Formatter for Printable {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        if !fragment.chars().any(is_unprintable) {
            return CompactFormatter.write_string_fragment(writer, fragment);
        }
        for character in fragment.chars() {
            if is_unprintable(character) {
                // All of them have four hexadecimal digits or fewer.
                write!(writer, "\\u{:04x}", u32::from(character))?;
            } else {
                writer.write_all(character.encode_utf8(&mut [0; 4]).as_bytes())?;
            }
        }
        Ok(())
    }
}

fn to_json(text: &mut Vec<u8>, value: &impl Serialize) -> Result<(), serde_json::Error> {
    value.serialize(&mut Serializer::with_formatter(text, Printable))
}

fn write_all(mut data: &[u8]) -> Result<(), Errno> {
    while !data.is_empty() {
        match rustix::io::write(stdio::stdout(), data) {
            Ok(written) => data = data.get(written..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Who can't be told on stderr can't be told that either.
fn to_stderr(text: &str) {
    let mut rest = text.as_bytes();
    while !rest.is_empty() {
        match rustix::io::write(stdio::stderr(), rest) {
            Ok(written) => rest = rest.get(written..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "a\u{1b}[2J\u{7}\n\r\u{7f}\u{9b}31m\u{202e}b\u{2066}\u{feff}\u{200b}";

    /// T44.
    #[test]
    fn nothing_that_a_terminal_obeys_is_printed() {
        let shown = printable(HOSTILE);
        assert!(!shown.chars().any(is_unprintable), "{shown:?}");
        assert!(
            shown.starts_with("a\\u{1b}[2J\\u{7}\\n\\r\\u{7f}"),
            "{shown}"
        );
        assert_eq!(printable("plain é 日本"), "plain é 日本");
    }

    /// T44.
    #[test]
    fn json_spells_out_the_same_and_reads_back_unchanged() {
        let mut text = Vec::new();
        to_json(&mut text, &json!({ HOSTILE: HOSTILE })).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(!text.chars().any(is_unprintable), "{text:?}");
        let back: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(back, json!({ HOSTILE: HOSTILE }));
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_lines_have_no_tail() {
        let rows = [["NAME", "STATE"], ["a-long-name", "idle"], ["b\n", ""]];
        let rows: Vec<Vec<String>> = rows
            .iter()
            .map(|row| row.map(str::to_owned).to_vec())
            .collect();
        assert_eq!(
            columns(&rows),
            "NAME         STATE\na-long-name  idle\nb\\n\n"
        );
    }
}
