//! `sfvault get`: a session on stdout.

use clap::{Args, ValueEnum};
use serde::Serialize;
use sfvault::Session;
use zeroize::Zeroizing;

use super::{
    context::Context,
    failure::Failure,
    follow::Follower,
    instant::rfc3339,
    interruption,
    session_env::variables,
    want::Want,
    words::{Doubtful, Words},
};

#[derive(Debug, Args)]
pub(crate) struct Get {
    #[command(flatten)]
    want: Want,

    /// Write a JSON line for each session that follows too, and keep the session alive, until a signal comes
    #[arg(long)]
    follow: bool,

    /// What to write [default: `session-id`, with `--json` or `--follow` `json`]
    #[arg(long, value_enum)]
    format: Option<Format>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// The session id
    SessionId,
    /// One JSON object
    Json,
    /// Lines of `KEY='value'`, for `eval` and for systemd's `EnvironmentFile`
    Env,
    /// The HTTP header `Authorization`
    Header,
    /// The instance URL
    Url,
}

impl Get {
    pub(crate) fn read(mut words: Words<'_>) -> Result<Self, Doubtful> {
        Ok(Self {
            follow: words.flag("--follow"),
            format: words.value("--format", |word| Format::from_str(word, false))?,
            want: Want::read(words)?,
        })
    }

    pub(crate) async fn run(self, context: &Context) -> Result<(), Failure> {
        let output = context.output;
        let format = match (self.format, output.is_json()) {
            (None, false) if self.follow => Format::Json,
            (None, false) => Format::SessionId,
            (None | Some(Format::Json), true) => Format::Json,
            (Some(format), false) => format,
            (Some(_), true) => {
                return Err(Failure::usage(
                    "`--json` and another `--format` contradict each other",
                    "leave one of them out",
                ));
            }
        };
        if self.follow {
            if format != Format::Json {
                return Err(Failure::usage(
                    "`--follow` writes JSON only",
                    "leave `--format` out",
                ));
            }
            return follow(self.want, context).await;
        }
        let session = self.want.session(context).await?;
        match format {
            Format::Json => output.json(&SessionJson::from(&session)),
            Format::SessionId => {
                // EXPOSE: whoever reads stdout, as the caller asked.
                output.data(line(&["", session.session_id.expose()]).as_bytes())
            }
            Format::Header => {
                // EXPOSE: whoever reads stdout, as the caller asked.
                let session_id = session.session_id.expose();
                output.data(line(&["Authorization: Bearer ", session_id]).as_bytes())
            }
            Format::Url => output.data(line(&[&session.instance_url]).as_bytes()),
            Format::Env => output.data(env_lines(&session).as_bytes()),
        }
    }
}

/// Ends well on a signal: nothing else ends it.
async fn follow(want: Want, context: &Context) -> Result<(), Failure> {
    tokio::select! {
        biased;
        signal = interruption() => signal.map(drop),
        gone = context.output.reader_gone() => Err(gone),
        result = follow_on(want, context) => result,
    }
}

async fn follow_on(want: Want, context: &Context) -> Result<(), Failure> {
    let mut follower = Follower::new(context, want.watch());
    let mut session = want.session(context).await?;
    loop {
        context.output.json(&SessionJson::from(&session))?;
        let told = session.generation;
        while session.generation == told {
            session = follower.next().await?;
        }
    }
}

#[derive(Serialize)]
pub(crate) struct SessionJson<'a> {
    session_id: &'a str,
    instance_url: &'a str,
    api_version: &'a str,
    org_id: &'a str,
    user_id: &'a str,
    username: &'a str,
    sandbox: bool,
    generation: u64,
    issued_at: String,
    guaranteed_until: String,
    expires_at: String,
}

impl<'a> From<&'a Session> for SessionJson<'a> {
    fn from(session: &'a Session) -> Self {
        Self {
            // EXPOSE: whoever reads stdout, as the caller asked.
            session_id: session.session_id.expose(),
            instance_url: &session.instance_url,
            api_version: &session.api_version,
            org_id: &session.org_id,
            user_id: &session.user_id,
            username: &session.username,
            sandbox: session.sandbox,
            generation: session.generation,
            issued_at: rfc3339(session.issued_at),
            guaranteed_until: rfc3339(session.guaranteed_until),
            expires_at: rfc3339(session.expires_at),
        }
    }
}

/// The parts and a line feed, in memory that is wiped and does not grow.
fn line(parts: &[&str]) -> Zeroizing<String> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut text = Zeroizing::new(String::with_capacity(length + 1));
    for part in parts {
        text.push_str(part);
    }
    text.push('\n');
    text
}

/// A session's texts have no control characters, so that a quote is all that needs care.
fn env_lines(session: &Session) -> Zeroizing<String> {
    let variables = variables(session);
    let quoted = |text: &str| text.len() + 3 * text.matches('\'').count() + "=''\n".len();
    let length = variables
        .iter()
        .map(|(key, value)| key.len() + quoted(value))
        .sum();
    let mut text = Zeroizing::new(String::with_capacity(length));
    for (key, value) in variables {
        text.push_str(key);
        text.push_str("='");
        for (index, part) in value.split('\'').enumerate() {
            if index > 0 {
                text.push_str("'\\''");
            }
            text.push_str(part);
        }
        text.push_str("'\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use sfvault::SessionId;

    use super::*;

    fn session() -> Session {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        Session {
            session_id: SessionId::new("00Dxx0000000001!AQ'$(x)`y`".to_owned()),
            instance_url: "https://acme.my.salesforce.com".to_owned(),
            api_version: "64.0".to_owned(),
            org_id: "00Dxx0000000001EAA".to_owned(),
            user_id: "005xx0000000001AAA".to_owned(),
            username: "etl@acme.example".to_owned(),
            sandbox: true,
            generation: 7,
            issued_at: at(0),
            guaranteed_until: at(3_600),
            expires_at: at(7_200),
            warnings: Vec::new(),
        }
    }

    #[test]
    fn the_json_of_a_session_has_exactly_the_keys_of_the_contract() {
        let json = serde_json::to_string(&SessionJson::from(&session())).unwrap();
        assert_eq!(
            json,
            r#"{"session_id":"00Dxx0000000001!AQ'$(x)`y`","instance_url":"https://acme.my.salesforce.com","#
                .to_owned()
                + r#""api_version":"64.0","org_id":"00Dxx0000000001EAA","user_id":"005xx0000000001AAA","#
                + r#""username":"etl@acme.example","sandbox":true,"generation":7,"#
                + r#""issued_at":"1970-01-01T00:00:00Z","guaranteed_until":"1970-01-01T01:00:00Z","#
                + r#""expires_at":"1970-01-01T02:00:00Z"}"#
        );
    }

    #[test]
    fn env_lines_give_a_shell_the_values_unchanged_and_nothing_to_run() {
        let session = session();
        let text = env_lines(&session);
        assert_eq!(text.capacity(), text.len());
        let script = format!("{}printf '%s\\n' \"$SF_SESSION_ID\" \"$SF_ORG_ID\"", *text);
        let shell = std::process::Command::new("/bin/sh")
            .args(["-c", &script])
            .output()
            .unwrap();
        assert_eq!(
            String::from_utf8_lossy(&shell.stdout),
            // EXPOSE: compared in a test.
            format!("{}\n{}\n", session.session_id.expose(), session.org_id)
        );
        assert!(shell.stderr.is_empty());
    }
}
