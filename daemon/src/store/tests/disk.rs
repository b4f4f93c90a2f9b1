//! A disk in memory that counts, fails on demand, and remembers what a power cut would leave.

use std::{
    io,
    sync::{
        Arc, Mutex, MutexGuard,
        mpsc::{Receiver, Sender, channel},
    },
};

use redb::StorageBackend;

#[derive(Debug, Clone, Default)]
pub(crate) struct Disk(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    live: Vec<u8>,
    /// What is on the platter: everything up to the last sync.
    durable: Vec<u8>,
    /// Changes since then; a power cut keeps any of them and loses the others.
    pending: Vec<Change>,
    counts: Counts,
    fault: Option<Fault>,
    /// Syncs are acknowledged and not done.
    lying: bool,
    /// What the next sync waits for.
    gate: Option<Receiver<()>>,
}

#[derive(Debug, Clone)]
enum Change {
    Write(usize, Vec<u8>),
    SetLen(usize),
}

/// How often each operation was called.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) reads: u64,
    pub(crate) writes: u64,
    pub(crate) written: u64,
    pub(crate) set_lens: u64,
    pub(crate) syncs: u64,
}

/// The operation (reads count only if asked to) at which the disk begins to fail.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault {
    pub(crate) after: u64,
    pub(crate) kind: io::ErrorKind,
    /// Only that operation fails, or all that follow too.
    pub(crate) once: bool,
    /// The failing write leaves half of its bytes; the failing sync forgets what it should have written, though reads
    /// still show it. So does Linux: it marks the pages clean, and no later sync writes them.
    pub(crate) short: bool,
    pub(crate) reads_too: bool,
}

impl Fault {
    /// Only this operation fails, counted from 1.
    pub(crate) fn once(after: u64) -> Self {
        Self {
            once: true,
            ..Self::lasting(after, io::ErrorKind::Other)
        }
    }

    /// From this operation on all fail that change something.
    pub(crate) fn lasting(after: u64, kind: io::ErrorKind) -> Self {
        Self {
            after,
            kind,
            once: false,
            short: false,
            reads_too: false,
        }
    }
}

impl Disk {
    pub(crate) fn holding(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            durable: bytes.clone(),
            live: bytes,
            ..Inner::default()
        })))
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.inner().live.clone()
    }

    pub(crate) fn counts(&self) -> Counts {
        self.inner().counts
    }

    pub(crate) fn arm(&self, fault: Fault) {
        self.inner().fault = Some(fault);
    }

    /// Makes the disk work again; whether the fault had struck.
    pub(crate) fn heal(&self) -> bool {
        self.inner()
            .fault
            .take()
            .is_none_or(|fault| fault.after == 0)
    }

    /// Whether a power cut would lose nothing.
    pub(crate) fn is_durable(&self) -> bool {
        let inner = self.inner();
        inner.live == inner.durable
    }

    pub(crate) fn pending(&self) -> usize {
        self.inner().pending.len()
    }

    /// From now on syncs do nothing, and say that they did.
    pub(crate) fn lie(&self) {
        self.inner().lying = true;
    }

    /// The next sync is begun, and waits until what is returned is dropped.
    pub(crate) fn hold_sync(&self) -> Sender<()> {
        let (let_go, gate) = channel();
        self.inner().gate = Some(gate);
        let_go
    }

    /// What a power cut leaves if it keeps the changes whose bits are set.
    pub(crate) fn after_power_cut(&self, kept: u64) -> Vec<u8> {
        let mut number = 0;
        self.after_losing(|| {
            number += 1;
            kept >> (number - 1) & 1 == 0
        })
    }

    /// What a power cut leaves if it loses the changes for which `lost` is true, asked from the oldest on.
    pub(crate) fn after_losing(&self, mut lost: impl FnMut() -> bool) -> Vec<u8> {
        let inner = self.inner();
        let mut bytes = inner.durable.clone();
        for change in &inner.pending {
            if !lost() {
                change.apply(&mut bytes);
            }
        }
        bytes
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write(offset, data) => {
                let end = offset + data.len();
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                bytes[*offset..end].copy_from_slice(data);
            }
            Self::SetLen(length) => bytes.resize(*length, 0),
        }
    }
}

impl Inner {
    /// Whether this operation fails, and how.
    fn strike(&mut self, read: bool) -> Option<Fault> {
        let fault = self.fault.as_mut()?;
        if read && !fault.reads_too {
            return None;
        }
        if fault.after > 0 {
            fault.after -= 1;
            if fault.after > 0 {
                return None;
            }
        } else if fault.once {
            return None;
        }
        Some(*fault)
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.live);
        self.pending.push(change);
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.inner().live.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let mut inner = self.inner();
        inner.counts.reads += 1;
        if let Some(fault) = inner.strike(true) {
            return Err(fault.kind.into());
        }
        let start = usize::try_from(offset).unwrap();
        let bytes = inner.live.get(start..start + out.len());
        out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut inner = self.inner();
        inner.counts.set_lens += 1;
        if let Some(fault) = inner.strike(false) {
            return Err(fault.kind.into());
        }
        inner.change(Change::SetLen(usize::try_from(len).unwrap()));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut inner = self.inner();
        inner.counts.syncs += 1;
        if let Some(gate) = inner.gate.take() {
            drop(inner);
            // It says nothing, it goes.
            let _ = gate.recv();
            inner = self.inner();
        }
        if let Some(fault) = inner.strike(false) {
            if fault.short {
                inner.pending.clear();
            }
            return Err(fault.kind.into());
        }
        if !inner.lying {
            let Inner {
                durable, pending, ..
            } = &mut *inner;
            for change in pending.drain(..) {
                change.apply(durable);
            }
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut inner = self.inner();
        inner.counts.writes += 1;
        inner.counts.written += data.len() as u64;
        let start = usize::try_from(offset).unwrap();
        if let Some(fault) = inner.strike(false) {
            if fault.short {
                inner.change(Change::Write(start, data[..data.len() / 2].to_vec()));
            }
            return Err(fault.kind.into());
        }
        inner.change(Change::Write(start, data.to_vec()));
        Ok(())
    }
}
