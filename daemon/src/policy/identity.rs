//! What is known of a peer at one moment.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::access::Unit;

/// A peer, as far as anybody asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub uid: u32,
    pub gid: u32,
    /// Those besides `gid`.
    pub groups: Seen<Arc<[u32]>>,
    /// `None` for a process in no unit.
    pub unit: Seen<Option<Unit>>,
    pub program: Seen<Program>,
}

/// Something that costs a look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen<T> {
    /// Nobody looked.
    Unasked,
    /// It can't be told, for this reason.
    Unknown(&'static str),
    Is(T),
}

impl<T> Seen<T> {
    pub(super) fn why(&self, what: &str) -> String {
        match self {
            Self::Unknown(why) => format!("its {what} can't be told: {why}"),
            Self::Unasked | Self::Is(_) => format!("its {what} can't be told"),
        }
    }
}

/// What a process runs in and as, for people to read; absent where it can't be told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Traits {
    /// The systemd unit.
    pub unit: Option<Arc<str>>,
    /// The program's path, as the kernel writes it.
    pub exe: Option<Arc<str>>,
}

impl Traits {
    pub(super) fn of(unit: &Seen<Option<Unit>>, program: &Seen<Program>) -> Self {
        let mut traits = Self::default();
        if let Seen::Is(Some(unit)) = unit {
            traits.unit = Some(unit.to_string().into());
        }
        if let Seen::Is(program) = program {
            traits.exe = Some(program.path.to_string_lossy().into());
        }
        traits
    }
}

/// The program that a process runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// As the kernel writes it; never a proof by itself.
    pub path: PathBuf,
    /// Whether the file at this path is the one that runs. Asked only for paths that are in rules.
    pub in_place: bool,
    /// Whether the process ran it when it connected.
    pub since_connect: bool,
}

impl Program {
    pub(super) fn is(&self, exe: &Path) -> bool {
        self.path == exe && self.in_place && self.since_connect
    }

    pub(super) fn is_not(&self, exe: &Path) -> String {
        if self.path != exe {
            format!(
                "its program is {}, not {}",
                self.path.display(),
                exe.display()
            )
        } else if !self.in_place {
            format!(
                "its program has the path {}, where another file is now: it was replaced, or is elsewhere",
                exe.display()
            )
        } else {
            "it connected as another program, and runs this one only since".to_owned()
        }
    }
}
