//! What the daemon finds wrong, or sees coming.

/// One thing that was looked at. The texts are the daemon's and may hold control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at, such as "directories"; for scripts, it never changes.
    pub check: String,
    /// Which one: a path, a host or a record's name.
    pub subject: String,
    /// How bad it is.
    pub grade: Grade,
    /// What was found, in words.
    pub text: String,
    /// What to do, if anything.
    pub fix: Option<String>,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// As it should be.
    Good,
    /// Worth knowing; nothing is to be done now.
    Note,
    /// It works, and something should be done.
    Warning,
    /// It does not work, or not safely; also a grade that this client does not know.
    Problem,
}
