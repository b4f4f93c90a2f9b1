//! Checks every line from the first key on, and says what is wrong and where.

use std::{
    fs::File,
    io::{self, BufReader},
};

use super::{
    chain::{Link, chain_number},
    event::Action,
    files::{Piece, open_to_read},
    line::Line,
    lines::Lines,
    sealed::Memory,
    writer::Head,
};

/// More than anybody reads; the rest is counted.
const MOST_FINDINGS: usize = 100;
/// Making keys for lines that are not there takes a microsecond each.
const MOST_SKIPS: u64 = 50_000_000;

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Files and lines read.
    pub files: u64,
    pub lines: u64,
    /// What is wrong, in the order of the lines; at most 100.
    pub findings: Vec<Finding>,
    /// How many more there are.
    pub more: u64,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub file: String,
    /// Counted from 1; one more than there are for what is missing at the end.
    pub line: u64,
    pub problem: String,
}

/// A file to check.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) piece: Piece,
    /// Opened when the head was read, for the file that grows.
    pub(super) open: Option<File>,
}

/// Checks the files against the first keys and the anchor, and against how far the lines go.
///
/// # Errors
/// If a file can't be read.
pub(super) fn verify(memory: &Memory, head: Head, sources: Vec<Source>) -> io::Result<Report> {
    let mut check = Check::new(memory, head);
    let last = sources.len().saturating_sub(1);
    for (index, source) in sources.into_iter().enumerate() {
        let file = match source.open {
            Some(file) => file,
            None => match open_to_read(&source.piece.path) {
                Ok(file) => file,
                // It was old enough to be removed meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            },
        };
        let length = (index == last).then_some(head.length);
        check.file(&source.piece.name(), file, length)?;
    }
    Ok(check.finish())
}

struct Check<'m> {
    memory: &'m Memory,
    head: Head,
    report: Report,
    /// Where the lines are that were read last.
    file: String,
    line: u64,
    link: Option<Link>,
    seen: Vec<u32>,
    /// The first line that is there, if earlier ones of its chain are not.
    begins_late: Option<(String, u64)>,
    /// The newest word of the daemon that it removed files: the first line that was left.
    left_from: u64,
    anchor_seen: bool,
    /// Keys that may still be made for lines that are not there.
    skips: u64,
}

impl<'m> Check<'m> {
    fn new(memory: &'m Memory, head: Head) -> Self {
        Self {
            memory,
            head,
            report: Report::default(),
            file: "audit.jsonl".to_owned(),
            line: 0,
            link: None,
            seen: Vec::new(),
            begins_late: None,
            left_from: 0,
            anchor_seen: false,
            skips: MOST_SKIPS,
        }
    }

    /// `length` is how long the file was when the head was read, if it grows.
    fn file(&mut self, name: &str, file: File, length: Option<u64>) -> io::Result<()> {
        name.clone_into(&mut self.file);
        self.line = 0;
        self.report.files += 1;
        let mut lines = Lines::new(BufReader::with_capacity(64 << 10, file), 0);
        while let Some(raw) = lines.next()? {
            if length.is_some_and(|length| raw.offset >= length) {
                break;
            }
            self.line += 1;
            self.report.lines += 1;
            match Line::parse(raw.bytes) {
                Ok(line) => self.line(&line),
                Err(_) => self.find("is not a line of the audit"),
            }
        }
        Ok(())
    }

    fn line(&mut self, line: &Line<'_>) {
        let chain = chain_number(&line.entry.chain);
        let current = self.link.as_ref().map(|link| link.chain);
        if chain.is_none() || chain != current {
            self.chain(chain, line);
        }
        let seq = line.entry.seq;
        let Some(link) = self.link.as_mut().filter(|link| Some(link.chain) == chain) else {
            return;
        };
        if seq < link.seq {
            self.find(&format!("is line {seq}, out of its place"));
            return;
        }
        let missing = link.seq;
        if !is_possible(self.head, link.chain, seq) {
            self.find(&format!(
                "says that it is line {seq}, which was never written"
            ));
            return;
        }
        let Some(skips) = self.skips.checked_sub(seq - missing) else {
            self.find("can't be checked: too many lines are missing or forged");
            return;
        };
        self.skips = skips;
        let mut there = link.clone();
        there.skip_to(seq);
        let genuine = there.is_genuine(line);
        // A stranger's line must not lead the check away from the lines that are here.
        if genuine || seq == missing {
            there.pass(line);
            *link = there;
        }
        if !genuine {
            self.find(&format!("is not line {seq} as it was written"));
            return;
        }
        if seq > missing {
            self.find(&format!(
                "{} missing before it",
                lines_are(missing, seq - 1)
            ));
        }
        self.authentic(line);
    }

    fn authentic(&mut self, line: &Line<'_>) {
        let entry = &line.entry;
        if let Some(left_from) = entry.left_from {
            self.left_from = self.left_from.max(left_from);
        }
        if entry.action == Action::DAMAGED.name() {
            let note = entry.note.as_deref().unwrap_or_default();
            self.find(&format!("tells what the daemon found: {note}"));
        }
        if let Some(anchor) = self.memory.anchor
            && chain_number(&entry.chain) == Some(anchor.chain)
            && entry.seq.checked_add(1) == Some(anchor.next)
        {
            self.anchor_seen = true;
            if line.code != anchor.code {
                self.find("is not the line that the vault remembers");
            }
        }
    }

    /// The line is of another chain than the one before it.
    fn chain(&mut self, chain: Option<u32>, line: &Line<'_>) {
        let seq = line.entry.seq;
        let seed = chain.and_then(|chain| self.memory.seed(chain));
        let Some(seed) = seed.filter(|seed| seq >= seed.first) else {
            self.find("belongs to a chain that this vault does not know");
            return;
        };
        if self.seen.contains(&seed.chain) {
            self.find(&format!("is line {seq}, out of its place"));
            return;
        }
        let begins = self.seen.is_empty() && self.report.lines == 1;
        self.seen.push(seed.chain);
        let mut link = seed.start();
        if !begins {
            self.find("begins a new chain: whether lines before it are missing can't be told");
        } else if seq > seed.first
            && seq - seed.first <= MOST_SKIPS
            && is_possible(self.head, seed.chain, seq)
        {
            // Older files may have been removed; whether the daemon did it is seen later.
            self.begins_late = Some((self.file.clone(), seq));
            link.skip_to(seq);
        }
        self.link = Some(link);
    }

    fn finish(mut self) -> Report {
        self.line += 1;
        if let Some((file, first)) = self.begins_late.take()
            && first > self.left_from
        {
            let problem = format!("lines before {first} are missing");
            let finding = Finding {
                file,
                line: 1,
                problem,
            };
            self.report.findings.insert(0, finding);
        }
        let reached = self
            .link
            .as_ref()
            .filter(|link| link.chain == self.head.chain)
            .map(|link| link.seq);
        match reached {
            Some(reached) if reached < self.head.next => {
                let problem = format!("{} cut off", lines_are(reached, self.head.next - 1));
                self.find(&problem);
            }
            Some(_) => {}
            None => self.find("the lines of the present chain are missing"),
        }
        if let Some(anchor) = self.memory.anchor
            && !self.anchor_seen
            && anchor.next > self.left_from
            && anchor.next > self.memory.seed(anchor.chain).map_or(0, |seed| seed.first)
        {
            let problem = format!(
                "line {}, which the vault remembers, is gone",
                anchor.next - 1
            );
            self.find(&problem);
        }
        for seed in &self.memory.seeds {
            if !self.seen.contains(&seed.chain) && seed.first >= self.left_from {
                let problem = format!("the chain that began with line {} is gone", seed.first);
                self.find(&problem);
            }
        }
        self.report
    }

    fn find(&mut self, problem: &str) {
        if self.report.findings.len() >= MOST_FINDINGS {
            self.report.more += 1;
            return;
        }
        self.report.findings.push(Finding {
            file: self.file.clone(),
            line: self.line,
            problem: problem.to_owned(),
        });
    }
}

/// What a stranger's line says must not make us count for hours.
fn is_possible(head: Head, chain: u32, seq: u64) -> bool {
    chain != head.chain || seq < head.next
}

fn lines_are(from: u64, to: u64) -> String {
    if from == to {
        format!("line {from} is")
    } else {
        format!("lines {from} to {to} are")
    }
}
