//! The kind of an org.

/// What kind of org a record belongs to. Whoever confuses the two loads test data into the real org.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    /// Production, Developer Edition or a trial.
    Production,
    /// A sandbox or a scratch org.
    Sandbox,
}

impl Environment {
    /// The kind that an org's sandbox flag means.
    #[must_use]
    pub fn of_flag(sandbox: bool) -> Self {
        if sandbox {
            Self::Sandbox
        } else {
            Self::Production
        }
    }
}
