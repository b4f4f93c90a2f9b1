//! What a start finds: how far the lines go that the last daemon wrote, and what is wrong with them.
//!
//! The state is behind the lines after a crash, never ahead. The lines after it prove themselves by their codes, and a
//! torn one at the end is cut off: it was never acknowledged. Whatever else does not fit is somebody's work or a disk's
//! that lies, and is told, never mended.

use std::{
    fs::File,
    io::{self, BufReader, Read as _, Seek as _, SeekFrom, Write as _},
};

use super::{
    chain::chain_name,
    files::{Files, Piece, open_to_read},
    line::{Code, LONGEST, Line},
    lines::Lines,
    state::State,
};

/// The file that grows, ready for the next line, and what was found on the way to it.
#[derive(Debug)]
pub(super) struct Recovered {
    pub(super) current: File,
    /// The number of its first line.
    pub(super) first: u64,
    /// In bytes.
    pub(super) length: u64,
    /// What is wrong, in words.
    pub(super) findings: Vec<String>,
}

/// Brings the state up to the lines that are there, and opens the file that grows.
///
/// # Errors
/// If a file can't be read or written.
pub(super) fn recover(files: &Files, state: &mut State) -> io::Result<Recovered> {
    let mut findings = Vec::new();
    let pieces = files.list()?;
    let start = pieces
        .iter()
        .position(|piece| piece.first == Some(state.first))
        .or_else(|| pieces.iter().position(|piece| piece.first.is_none()));
    let known = start
        .and_then(|start| pieces.get(start..))
        .unwrap_or_default();
    if known.is_empty() && state.length > 0 {
        findings.push(format!(
            "the file with the lines before {} is gone",
            state.link.seq
        ));
    }
    let mut first = state.first;
    for (index, piece) in known.iter().enumerate() {
        let from = if index == 0 { state.length } else { 0 };
        if index > 0 {
            first = state.link.seq;
        }
        read_on(piece, from, state, &mut findings)?;
    }
    let mut current = files.open_current()?;
    if known.last().is_none_or(|piece| piece.first.is_some()) {
        first = state.link.seq;
        files.sync_names()?;
    }
    let length = end_line(&mut current)?;
    Ok(Recovered {
        current,
        first,
        length,
        findings,
    })
}

/// The numbers of the first line of the file that grows and of the next one, for a chain that begins anew. What is in
/// the files is believed as far as a number goes: no two files may get one name.
///
/// # Errors
/// If a file can't be read.
pub(super) fn numbers(files: &Files) -> io::Result<(u64, u64)> {
    let pieces = files.list()?;
    let mut last = pieces.iter().filter_map(|piece| piece.first).max();
    let mut first = None;
    for piece in pieces.iter().rev().take(2) {
        let mut lines = Lines::new(BufReader::new(open_to_read(&piece.path)?), 0);
        while let Some(raw) = lines.next()? {
            let number = Line::parse(raw.bytes).ok().map(|line| line.entry.seq);
            let number = number.filter(|number| *number < u64::MAX >> 8);
            if piece.first.is_none() {
                first = first.or(number);
            }
            last = last.max(number);
        }
    }
    let next = last.map_or(1, |last| last.saturating_add(1));
    Ok((first.unwrap_or(next), next))
}

/// The code of the line of this number; `None` if it is not there. What it says is not checked.
///
/// # Errors
/// If a file can't be read.
pub(super) fn code_of(
    files: &Files,
    chain: u32,
    seq: u64,
    grows_from: u64,
) -> io::Result<Option<Code>> {
    let pieces = files.list()?;
    let begins = |piece: &Piece| piece.first.unwrap_or(grows_from) <= seq;
    let Some(piece) = pieces.iter().rev().find(|piece| begins(piece)) else {
        return Ok(None);
    };
    // Every line begins so, and to parse them all would take longer than to unlock the vault.
    let start = format!("{{\"seq\":{seq},\"chain\":\"{}\"", chain_name(chain));
    let mut lines = Lines::new(
        BufReader::with_capacity(64 << 10, open_to_read(&piece.path)?),
        0,
    );
    while let Some(raw) = lines.next()? {
        if raw.bytes.starts_with(start.as_bytes()) {
            return Ok(Line::parse(raw.bytes).ok().map(|line| line.code));
        }
    }
    Ok(None)
}

/// A line that is not ended would run into the next one.
///
/// # Errors
/// If the file can't be read or written.
pub(super) fn end_line(current: &mut File) -> io::Result<u64> {
    let length = current.metadata()?.len();
    if length == 0 {
        return Ok(0);
    }
    let mut last = [0];
    current.seek(SeekFrom::Start(length - 1))?;
    current.read_exact(&mut last)?;
    if last == *b"\n" {
        return Ok(length);
    }
    current.write_all(b"\n")?;
    Ok(length + 1)
}

fn read_on(
    piece: &Piece,
    from: u64,
    state: &mut State,
    findings: &mut Vec<String>,
) -> io::Result<()> {
    let name = piece.name();
    let mut file = open_to_read(&piece.path)?;
    let length = file.metadata()?.len();
    if length < from {
        findings.push(format!(
            "`{name}` is shorter than it was: lines before {} were cut off",
            state.link.seq
        ));
        return Ok(());
    }
    if from > 0 && !follows(&mut file, from, state)? {
        findings.push(format!(
            "`{name}` was altered: line {} is not the one that was written",
            state.link.seq - 1
        ));
    }
    file.seek(SeekFrom::Start(from))?;
    let mut lines = Lines::new(BufReader::new(file), from);
    let mut strange = 0_u64;
    let mut torn = None;
    while let Some(raw) = lines.next()? {
        if !raw.ended {
            torn = Some(raw.offset);
        } else if strange > 0 || !Line::parse(raw.bytes).is_ok_and(|line| state.link.accept(&line))
        {
            strange += 1;
        }
    }
    if strange > 0 {
        findings.push(format!(
            "`{name}` has {strange} lines after line {} that do not follow it",
            state.link.seq - 1
        ));
    } else if let Some(offset) = torn
        && findings.is_empty()
    {
        // A write that a crash or a power cut broke off.
        File::options()
            .write(true)
            .open(&piece.path)?
            .set_len(offset)?;
    }
    Ok(())
}

/// Whether the line that ends here is the one that the state follows.
fn follows(file: &mut File, end: u64, state: &State) -> io::Result<bool> {
    let start = end.saturating_sub(LONGEST as u64 + 1);
    file.seek(SeekFrom::Start(start))?;
    let mut before = Vec::new();
    file.take(end - start).read_to_end(&mut before)?;
    let Some(before) = before.strip_suffix(b"\n") else {
        return Ok(false);
    };
    let last = before.rsplit(|byte| *byte == b'\n').next();
    Ok(last
        .and_then(|last| Line::parse(last).ok())
        .is_some_and(|line| line.code == state.link.code))
}
