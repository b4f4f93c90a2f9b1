//! Two views of the bytes below redb: as they are, and with changes that stay in memory.
//!
//! redb writes to a file when it opens it: it marks it as open, and it repairs it. The overlay takes those
//! writes, so that a vault can be opened, checked and read without one byte of it changing.

use std::{
    collections::BTreeMap,
    io,
    ops::Bound,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use redb::{BackendError, StorageBackend};

/// The bytes as they are. Whoever holds the disk has locked it; so closing this view leaves it open.
#[derive(Debug)]
pub(super) struct Direct(pub(super) Arc<dyn StorageBackend>);

impl StorageBackend for Direct {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }

    fn try_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(true)
    }

    fn unlock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }
}

/// The bytes with changes on top that nobody else sees.
#[derive(Debug)]
pub(super) struct Overlay {
    base: Arc<dyn StorageBackend>,
    top: Mutex<Top>,
}

#[derive(Debug)]
struct Top {
    len: u64,
    /// How many bytes of the base still show; it shrinks and never grows again.
    base_len: u64,
    /// Changed blocks of [`BLOCK`] bytes, by their number.
    blocks: BTreeMap<u64, Box<[u8]>>,
}

impl Overlay {
    pub(super) fn new(base: Arc<dyn StorageBackend>) -> io::Result<Self> {
        let len = base.len()?;
        let top = Mutex::new(Top {
            len,
            base_len: len,
            blocks: BTreeMap::new(),
        });
        Ok(Self { base, top })
    }

    fn top(&self) -> MutexGuard<'_, Top> {
        self.top.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StorageBackend for Overlay {
    fn len(&self) -> io::Result<u64> {
        Ok(self.top().len)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let top = self.top();
        let end = end_of(offset, out.len())?;
        if end > top.len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        top.read_base(&*self.base, offset, out)?;
        for (number, block) in top.blocks.range(offset / BLOCK..end.div_ceil(BLOCK)) {
            overlap(*number, offset, end, |in_block, in_span| {
                out[in_span].copy_from_slice(&block[in_block]);
            });
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut top = self.top();
        if len < top.len {
            top.base_len = top.base_len.min(len);
            drop(top.blocks.split_off(&len.div_ceil(BLOCK)));
            // What is cut off must be zero if the length grows again.
            let kept = usize::try_from(len % BLOCK).map_err(io::Error::other)?;
            if let Some(block) = top.blocks.get_mut(&(len / BLOCK)) {
                block[kept..].fill(0);
            }
        }
        top.len = len;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut top = self.top();
        let end = end_of(offset, data.len())?;
        if end > top.len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        for number in offset / BLOCK..end.div_ceil(BLOCK) {
            if !top.blocks.contains_key(&number) {
                let mut block = vec![0; BLOCK as usize].into_boxed_slice();
                top.read_base(&*self.base, number * BLOCK, &mut block)?;
                top.blocks.insert(number, block);
            }
            if let Some(block) = top.blocks.get_mut(&number) {
                overlap(number, offset, end, |in_block, in_span| {
                    block[in_block].copy_from_slice(&data[in_span]);
                });
            }
        }
        Ok(())
    }

    fn try_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(true)
    }

    fn unlock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }
}

impl Top {
    /// Reads what shows of the base, and zeros after it.
    fn read_base(&self, base: &dyn StorageBackend, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let shown = self.base_len.saturating_sub(offset);
        let shown = usize::try_from(shown).map_or(out.len(), |shown| shown.min(out.len()));
        let (from_base, beyond) = out.split_at_mut(shown);
        beyond.fill(0);
        if from_base.is_empty() {
            return Ok(());
        }
        base.read(offset, from_base)
    }
}

/// redb's page size; any other would do.
const BLOCK: u64 = 4096;

fn end_of(offset: u64, length: usize) -> io::Result<u64> {
    u64::try_from(length)
        .ok()
        .and_then(|length| offset.checked_add(length))
        .ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

/// Calls back with the ranges, in the block and in the span from `offset` to `end`, that are the same bytes.
fn overlap(
    number: u64,
    offset: u64,
    end: u64,
    copy: impl FnOnce(std::ops::Range<usize>, std::ops::Range<usize>),
) {
    let start_of_block = number * BLOCK;
    let from = offset.max(start_of_block);
    let to = end.min(start_of_block + BLOCK);
    if from < to {
        let range = |origin: u64| (from - origin) as usize..(to - origin) as usize;
        copy(range(start_of_block), range(offset));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use redb::backends::InMemoryBackend;

    use super::*;

    fn base(bytes: &[u8]) -> Arc<InMemoryBackend> {
        let base = InMemoryBackend::new();
        base.set_len(bytes.len() as u64).unwrap();
        base.write(0, bytes).unwrap();
        Arc::new(base)
    }

    fn all(disk: &dyn StorageBackend) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(disk.len().unwrap()).unwrap()];
        disk.read(0, &mut bytes).unwrap();
        bytes
    }

    #[derive(Debug, Clone)]
    enum Step {
        Write(prop::sample::Index, Vec<u8>),
        SetLen(u64),
        Read(prop::sample::Index, prop::sample::Index),
    }

    fn step() -> impl Strategy<Value = Step> {
        let bytes = prop::collection::vec(any::<u8>(), 0..9000);
        prop_oneof![
            (any::<prop::sample::Index>(), bytes).prop_map(|(at, bytes)| Step::Write(at, bytes)),
            (0..20_000_u64).prop_map(Step::SetLen),
            any::<(prop::sample::Index, prop::sample::Index)>()
                .prop_map(|(from, to)| Step::Read(from, to)),
        ]
    }

    proptest! {
        #[test]
        fn it_behaves_as_a_copy_and_leaves_the_base_alone(
            start in prop::collection::vec(any::<u8>(), 0..15_000),
            steps in prop::collection::vec(step(), 0..12),
        ) {
            let base = base(&start);
            let overlay = Overlay::new(base.clone()).unwrap();
            let mut copy = start.clone();
            for step in steps {
                match step {
                    Step::Write(at, mut data) => {
                        let at = at.index(copy.len() + 1);
                        data.truncate(copy.len() - at);
                        overlay.write(at as u64, &data).unwrap();
                        copy[at..at + data.len()].copy_from_slice(&data);
                    }
                    Step::SetLen(len) => {
                        overlay.set_len(len).unwrap();
                        copy.resize(usize::try_from(len).unwrap(), 0);
                    }
                    Step::Read(from, to) => {
                        let from = from.index(copy.len() + 1);
                        let mut out = vec![0xaa; to.index(copy.len() - from + 1)];
                        overlay.read(from as u64, &mut out).unwrap();
                        prop_assert_eq!(&out, &copy[from..from + out.len()]);
                    }
                }
            }
            prop_assert_eq!(all(&overlay), copy);
            prop_assert_eq!(all(&*base), start);
        }
    }

    #[test]
    fn reading_and_writing_beyond_the_end_is_an_error() {
        let overlay = Overlay::new(base(&[1; 100])).unwrap();
        for (offset, length) in [(0, 101), (100, 1), (101, 0), (u64::MAX, 1), (u64::MAX, 0)] {
            let mut bytes = vec![0; length];
            assert!(
                overlay.read(offset, &mut bytes).is_err(),
                "{offset} {length}"
            );
            assert!(overlay.write(offset, &bytes).is_err(), "{offset} {length}");
        }
        assert_eq!(all(&overlay), [1; 100]);
    }
}
