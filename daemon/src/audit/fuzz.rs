//! The audit's parsers, for `crate::fuzz`.

use super::{
    line::{Line, finished},
    lines::Lines,
};

/// Whatever is in a file: what is taken for a line has a body that its code can cover, and is written as it was read.
pub(crate) fn file(bytes: &[u8]) {
    let mut lines = Lines::new(bytes, 0);
    let mut end = 0;
    while let Ok(Some(raw)) = lines.next() {
        assert_eq!(raw.offset, end, "lines lie side by side");
        end = raw.offset + raw.bytes.len() as u64 + u64::from(raw.ended);
        if let Ok(line) = Line::parse(raw.bytes) {
            let again = finished(line.body, &line.code);
            assert_eq!(again.trim_end_matches('\n').as_bytes(), raw.bytes);
            let _ = line.entry.body();
        } else if raw.bytes.len() > super::line::LONGEST {
            return;
        }
    }
}

/// Whatever is in the state's file.
pub(crate) fn state(bytes: &[u8]) {
    super::state::check(bytes);
}
