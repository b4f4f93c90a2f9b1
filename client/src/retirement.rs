//! What Salesforce is taking away.

/// Something that Salesforce ends or begins to demand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retirement {
    /// Its name in `config.toml`, such as "soap_login".
    pub event: String,
    /// What happens and when, in words.
    pub text: String,
    /// The first day, as YYYY-MM-DD; none where only a release is known.
    pub day: Option<String>,
    /// How sure the date is: "set" (by the operator), "announced", "release-only" or "disputed".
    pub certainty: String,
    /// Where the date comes from.
    pub source: String,
    /// What to do.
    pub advice: String,
    /// Whether the day has come.
    pub over: bool,
}
