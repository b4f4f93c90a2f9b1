//! What lies in the memory of another process, as root reads it.

use std::{
    fs::{self, File},
    io,
    ops::Range,
    os::unix::fs::FileExt as _,
};

use memchr::memmem;

const PAGE: usize = 4096;

/// A snapshot of everything in a process that can hold a secret: what is writable, and what belongs to no file.
#[derive(Debug)]
pub struct Memory(Vec<Mapping>);

/// A piece of address space.
#[derive(Debug)]
pub struct Mapping {
    /// Such as `[heap]`; empty for memory without a name.
    pub name: String,
    pub start: u64,
    /// Whether it is kept out of swap.
    pub locked: bool,
    pub bytes: Vec<u8>,
    /// Where `bytes` is not page after page of zeros, as most memory is: tests look for many secrets many times.
    written: Vec<Range<usize>>,
}

impl Memory {
    /// Reads the memory of a process.
    ///
    /// # Errors
    /// If this process may not: it needs to be root, or to have the capability to trace.
    pub fn of(pid: u32) -> io::Result<Self> {
        let memory = File::open(format!("/proc/{pid}/mem"))?;
        let mut mappings = Vec::new();
        let mut of_interest = None;
        for line in fs::read_to_string(format!("/proc/{pid}/smaps"))?.lines() {
            if let Some(flags) = line.strip_prefix("VmFlags:") {
                let Some((start, length, name)) = of_interest.take() else {
                    continue;
                };
                let mut bytes = vec![0; length];
                // The kernel's own pages can't be read, and a mapping may have gone meanwhile.
                if memory.read_exact_at(&mut bytes, start).is_ok() {
                    mappings.push(Mapping {
                        name,
                        start,
                        locked: flags.split_whitespace().any(|flag| flag == "lo"),
                        written: written(&bytes),
                        bytes,
                    });
                }
            } else if let Some(found) = header(line) {
                of_interest = found;
            }
        }
        Ok(Self(mappings))
    }

    /// Where these bytes lie, which neither begin nor end with a zero, with what is around them; `None` if nowhere.
    #[must_use]
    pub fn find(&self, needle: &[u8]) -> Option<String> {
        let finder = memmem::Finder::new(needle);
        self.0.iter().find_map(|mapping| {
            let at = mapping.find_iter(&finder).next()?;
            mapping.tell(at, needle.len())
        })
    }

    /// Every place where these bytes lie, with what is around them.
    #[must_use]
    pub fn find_all(&self, needle: &[u8]) -> Vec<String> {
        let finder = memmem::Finder::new(needle);
        let places = self.0.iter().flat_map(|mapping| {
            let found = mapping.find_iter(&finder);
            found.filter_map(|at| mapping.tell(at, needle.len()))
        });
        places.collect()
    }

    /// The mappings that are kept out of swap.
    pub fn locked(&self) -> impl Iterator<Item = &Mapping> {
        self.0.iter().filter(|mapping| mapping.locked)
    }
}

impl Mapping {
    /// The offsets of what is looked for.
    fn find_iter(&self, finder: &memmem::Finder<'_>) -> impl Iterator<Item = usize> {
        self.written.iter().flat_map(move |run| {
            let bytes = self.bytes.get(run.clone()).unwrap_or_default();
            finder.find_iter(bytes).map(|at| run.start + at)
        })
    }

    /// What lies at this offset and around it.
    fn tell(&self, at: usize, length: usize) -> Option<String> {
        let around = at.saturating_sub(64)..(at + length + 64).min(self.bytes.len());
        Some(format!(
            "{:x} in `{}` at {:x}: {}",
            self.start + u64::try_from(at).unwrap_or_default(),
            self.name,
            self.start,
            self.bytes.get(around)?.escape_ascii()
        ))
    }
}

/// Runs of pages that are not all zeros.
fn written(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for (number, page) in bytes.chunks(PAGE).enumerate() {
        // Such comparisons are quick in builds without optimisation, too.
        if [0; PAGE].starts_with(page) {
            continue;
        }
        let start = number * PAGE;
        let end = start + page.len();
        match runs.last_mut() {
            Some(run) if run.end == start => run.end = end,
            _ => runs.push(start..end),
        }
    }
    runs
}

/// Start, length and name of a mapping that can hold a secret, `Some(None)` for any other; `None` if the line begins none.
fn header(line: &str) -> Option<Option<(u64, usize, String)>> {
    let mut words = line.split_whitespace();
    let (start, end) = words.next()?.split_once('-')?;
    let start = u64::from_str_radix(start, 16).ok()?;
    let end = u64::from_str_radix(end, 16).ok()?;
    let rights = words.next()?;
    let inode = words.nth(2)?;
    let name = words.collect::<Vec<_>>().join(" ");
    let interesting = rights.starts_with('r') && (rights.contains('w') || inode == "0");
    Some(
        usize::try_from(end - start)
            .ok()
            .filter(|_| interesting)
            .map(|length| (start, length, name)),
    )
}
