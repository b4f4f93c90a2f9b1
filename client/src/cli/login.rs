//! `sfvault login`: a refresh token, from a login in a browser.

use std::{path::PathBuf, time::Duration};

use clap::{ArgGroup, Args};
use serde_json::json;
use sfvault::{BeginLogin, Callback, ConsumerSecret, RecordName};
use tokio::time::timeout;

use super::{
    browser,
    callback::Listener,
    clock,
    context::Context,
    failure::Failure,
    input,
    instant::rfc3339,
    login_host::LoginHost,
    record_view::{RecordJson, fields},
    span, spinner,
};

/// What the Salesforce CLI uses too, so that many apps have it already.
const PORT: u16 = 1717;

/// As long as the daemon remembers a login that was begun.
const LONGEST: Duration = Duration::from_mins(30);

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("host").args(LoginHost::OPTIONS))]
pub(crate) struct Login {
    /// The record's name; if there is none yet, it is added
    #[arg(value_parser = RecordName::parse)]
    name: RecordName,

    #[command(flatten)]
    login: LoginHost,

    /// The consumer key of the connected app or external client app
    #[arg(long, value_name = "KEY")]
    consumer_key: Option<String>,

    /// Read the app's consumer secret from this file or pipe; one line end is taken off
    #[arg(long, value_name = "FILE", conflicts_with = "no_consumer_secret")]
    consumer_secret_file: Option<PathBuf>,

    /// The app needs no consumer secret; without a record yet, that is so unless a file is given
    #[arg(long)]
    no_consumer_secret: bool,

    /// Listen on this port of this host for the browser; 0 for any that is free
    #[arg(long, value_name = "PORT", default_value_t = PORT)]
    port: u16,

    /// Open no browser here: the URL is opened by hand
    #[arg(long)]
    no_browser: bool,

    /// How long the person may take, 30m at most
    #[arg(long, value_name = "SPAN", value_parser = longest, default_value = "5m")]
    timeout: Duration,
}

impl Login {
    pub(crate) async fn run(self, context: &Context) -> Result<(), Failure> {
        let output = context.output;
        let consumer_secret = match &self.consumer_secret_file {
            Some(path) => {
                let text = input::text(input::file(path, output).await?, "consumer secret")?;
                Some(ConsumerSecret::new(text))
            }
            None => self
                .no_consumer_secret
                .then(|| ConsumerSecret::new(String::new())),
        };
        let client = context.admin().await?;
        let listener = Listener::bind(self.port).await?;
        let callback_url = listener.url();
        let name = &self.name;
        let failed = |error| Failure::call(error, name);
        let begin = BeginLogin {
            name: name.clone(),
            login_url: self.login.url(),
            consumer_key: self.consumer_key.clone(),
            consumer_secret,
            redirect_uri: callback_url.clone(),
            timeout: self.timeout,
        };
        let begun = client.begin_login(begin).await.map_err(failed)?;
        let url = begun.authorize_url.as_str();
        if output.is_json() {
            output.json(&json!({
                "authorize_url": url,
                "callback_url": callback_url,
                "expires_at": begun.expires_at.map(rfc3339),
            }))?;
        }
        let opened = !self.no_browser && browser::open(url);
        output.done(&format!(
            "{} as the user whose sessions `{name}` is to give; the app needs the callback URL {callback_url}",
            if opened {
                "log in in the browser, or on this page,"
            } else {
                "log in on this page"
            },
        ));
        output.done(url);
        let waiting = timeout(self.timeout, listener.brought());
        let brought = spinner::watch(output, "waiting for the browser", waiting)
            .await
            .map_err(|_| {
                Failure::local(format!(
                    "nobody came back to {callback_url} within {}; `sfvault login {name}` begins again",
                    span::words(self.timeout)
                ))
            })?;
        let callback = Callback {
            login_id: begun.login_id,
            code: brought.code,
            state: brought.state,
            issuer: brought.issuer,
            error: brought.error,
            error_description: brought.error_description,
        };
        let work = async {
            let finished = client.finish_login(callback).await?;
            Ok((finished, client.check(name, false).await?))
        };
        let (finished, checked) = spinner::watch(output, "asking Salesforce", work)
            .await
            .map_err(failed)?;
        if output.is_json() {
            return output.json(&json!({
                "record": RecordJson::from(&checked.record),
                "added": finished.added,
                "instance_url": checked.instance_url,
            }));
        }
        let how = if finished.added {
            "yes, added"
        } else {
            "yes, with a new refresh token"
        };
        let mut lines = vec![
            ("logged in", how.to_owned()),
            ("instance URL", checked.instance_url),
        ];
        lines.extend(fields(&checked.record, clock::now()));
        output.fields(&lines)
    }
}

fn longest(text: &str) -> Result<Duration, String> {
    span::parse_within(text, LONGEST)
}
