//! What `get` and `exec` ask of a session.

use std::{num::NonZeroU64, time::Duration};

use clap::Args;
use sfvault::{Environment, RecordName, Session, SessionRequest, WatchRequest};
use tokio::time::Instant;

use super::{
    context::Context,
    failure::Failure,
    span, spinner,
    words::{Doubtful, Words},
};

#[derive(Debug, Args)]
pub(crate) struct Want {
    /// The record's name
    #[arg(value_parser = RecordName::parse)]
    name: RecordName,

    /// The session must be guaranteed for at least this long, such as `30m`; three eighths of the org's session timeout
    /// is the longest possible: 45m with the usual 2 hours
    #[arg(long, value_name = "SPAN", value_parser = span::parse)]
    min_ttl: Option<Duration>,

    /// Salesforce refused the session of this generation: give another
    #[arg(long, value_name = "N")]
    refused_generation: Option<NonZeroU64>,

    /// Fail unless the record belongs to this org: its id of 15 or 18 characters
    #[arg(long, value_name = "00D…", value_parser = org_id)]
    expect_org: Option<String>,

    /// Fail unless the org is a sandbox or a scratch org
    #[arg(long)]
    expect_sandbox: bool,

    /// Fail unless the org is neither
    #[arg(long, conflicts_with = "expect_sandbox")]
    expect_production: bool,

    /// Wait so long for a locked vault, a rejected credential or an outage to be mended, 24h at most
    #[arg(long, value_name = "SPAN", value_parser = longest_wait)]
    wait: Option<Duration>,
}

impl Want {
    /// The name is the word that nobody else took.
    pub(crate) fn read(mut words: Words<'_>) -> Result<Self, Doubtful> {
        let expect_sandbox = words.flag("--expect-sandbox");
        let expect_production = words.flag("--expect-production");
        if expect_sandbox && expect_production {
            return Err(Doubtful);
        }
        Ok(Self {
            expect_sandbox,
            expect_production,
            min_ttl: words.value("--min-ttl", span::parse)?,
            refused_generation: words.value("--refused-generation", str::parse)?,
            expect_org: words.value("--expect-org", org_id)?,
            wait: words.value("--wait", longest_wait)?,
            name: RecordName::parse(words.last()?).map_err(|_| Doubtful)?,
        })
    }

    /// What to watch after the first session.
    pub(crate) fn watch(&self) -> WatchRequest {
        WatchRequest {
            record: self.name.clone(),
            include_session: true,
            min_ttl: self.min_ttl,
            expect_org: self.expect_org.clone(),
            expect_environment: self.environment(),
        }
    }

    /// Until when whoever wants this waits for what may pass.
    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.wait.unwrap_or_default()
    }

    fn environment(&self) -> Option<Environment> {
        match (self.expect_sandbox, self.expect_production) {
            (true, _) => Some(Environment::Sandbox),
            (false, true) => Some(Environment::Production),
            (false, false) => None,
        }
    }

    /// Takes a session from the daemon.
    pub(crate) async fn session(self, context: &Context) -> Result<Session, Failure> {
        self.take(context, false).await
    }

    /// Takes one that is held for as long as this process lives, whatever program it becomes.
    pub(crate) async fn session_until_exit(self, context: &Context) -> Result<Session, Failure> {
        self.take(context, true).await
    }

    async fn take(self, context: &Context, hold_until_exit: bool) -> Result<Session, Failure> {
        let request = SessionRequest {
            expect_environment: self.environment(),
            record: self.name,
            min_ttl: self.min_ttl,
            refused_generation: self.refused_generation,
            expect_org: self.expect_org,
            wait: self.wait,
            hold_until_exit,
        };
        let client = context.sessions().await?;
        let session = client.session(&request);
        let session = spinner::watch(context.output, "logging in to Salesforce", session)
            .await
            .map_err(|error| Failure::call(error, &request.record))?;
        // To a person only: a scheduler would mail it every night.
        if !session.warnings.is_empty() && context.output.is_lively() {
            let record = &request.record;
            for warning in &session.warnings {
                context
                    .output
                    .warning(&format!("{warning}; see `sfvault doctor {record}`"));
            }
        }
        Ok(session)
    }
}

/// The daemon lets no call wait for longer.
fn longest_wait(text: &str) -> Result<Duration, String> {
    span::parse_within(text, Duration::from_hours(24))
}

pub(crate) fn org_id(text: &str) -> Result<String, String> {
    let fits = matches!(text.len(), 15 | 18)
        && text.starts_with("00D")
        && text.bytes().all(|b| b.is_ascii_alphanumeric());
    if fits {
        Ok(text.to_owned())
    } else {
        Err("an org id starts with `00D` and has 15 or 18 letters and digits".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn org_ids_have_15_or_18_characters() {
        for text in ["00Dxx0000000001", "00Dxx0000000001EAA"] {
            assert_eq!(org_id(text).as_deref(), Ok(text));
        }
        for text in [
            "",
            "00D",
            "00dxx0000000001",
            "005xx0000000001",
            "00Dxx000000000!",
            "00Dxx00000000011",
        ] {
            assert!(org_id(text).is_err(), "{text}");
        }
    }
}
