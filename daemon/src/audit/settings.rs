//! What the operator may choose about the audit.

/// How the lines are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// How long a file may grow before another is begun, in bytes.
    pub file_bytes: u64,
    /// How many full files are kept. `None`: all of them.
    pub keep_files: Option<usize>,
    /// Whether journald gets the lines too, where there is one.
    pub journald: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            file_bytes: 16 << 20,
            keep_files: None,
            journald: true,
        }
    }
}
