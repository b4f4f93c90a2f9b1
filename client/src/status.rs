//! How the daemon is.

use std::{path::PathBuf, time::SystemTime};

use crate::RecordStatus;

/// The daemon and its records. The texts are the daemon's and may hold control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DaemonStatus {
    /// Its version.
    pub version: String,
    /// Its process id.
    pub pid: u32,
    /// When it started.
    pub started_at: Option<SystemTime>,
    /// The vault file.
    pub vault_path: PathBuf,
    /// Whether secrets can be had.
    pub vault: VaultState,
    /// The records, while the vault is unlocked.
    pub records: Vec<RecordStatus>,
    /// Limits and protections that could not be applied to the process, in words.
    pub warnings: Vec<String>,
    /// What keeps others from the daemon's process, and it from the system; none if the daemon is older.
    pub protections: Vec<Protection>,
}

/// One protection of the daemon's process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Protection {
    /// Which one, such as "tracing"; for scripts, it never changes.
    pub name: String,
    /// Whether it holds.
    pub state: ProtectionState,
    /// What it keeps out, or why it does not.
    pub reason: String,
}

/// Whether a protection holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProtectionState {
    /// It holds.
    On,
    /// The operator does not want it, or the system refused it; also a state that this client does not know.
    Off,
    /// The kernel does not have it.
    NotAvailable,
}

/// Whether secrets can be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VaultState {
    /// There is no vault yet.
    Missing,
    /// The vault is locked.
    Locked,
    /// The vault is unlocked.
    Unlocked,
    /// A state that this client does not know: the daemon is newer.
    Unrecognised,
}
