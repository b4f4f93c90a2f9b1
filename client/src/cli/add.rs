//! `sfvault add`: a new record.

use std::time::Duration;

use clap::{ArgGroup, Args};
use serde_json::json;
use sfvault::{NewRecord, RecordName};

use super::{
    context::Context,
    credential::SecretSource,
    failure::Failure,
    flow::{FlowName, FlowSettings},
    login_host::LoginHost,
    record_view::RecordJson,
    reminder,
};

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("host").required(true).multiple(true).args(LoginHost::OPTIONS))]
pub(crate) struct Add {
    /// The new record's name
    #[arg(value_parser = RecordName::parse)]
    name: RecordName,

    #[command(flatten)]
    login: LoginHost,

    /// How to log in
    #[arg(long, value_enum, default_value_t = FlowName::SoapLogin)]
    flow: FlowName,

    #[command(flatten)]
    settings: FlowSettings,

    /// Remind people to change the credential this long after it was changed, such as `90d`
    #[arg(long, value_name = "SPAN", value_parser = reminder::parse)]
    remind: Option<Duration>,

    #[command(flatten)]
    source: SecretSource,
}

impl Add {
    pub(crate) async fn run(self, context: &Context) -> Result<(), Failure> {
        let output = context.output;
        let settings = self.settings.of_flow(self.flow, None)?;
        let environment = self.login.environment();
        let login_url = login_url(self.login, self.flow)?;
        let credential = self.source.all(self.flow, &self.name, output).await?;
        let client = context.admin().await?;
        let new = NewRecord {
            name: self.name.clone(),
            username: settings.username,
            login_url,
            consumer_key: settings.consumer_key,
            audience: settings.audience,
            credential,
            environment,
            remind_after: self.remind,
        };
        let stored = client
            .add(new)
            .await
            .map_err(|error| Failure::call(error, &self.name))?;
        let name = &self.name;
        output.done(&format!(
            "added `{name}`; `sfvault check {name}` proves that it works"
        ));
        if output.is_json() {
            output.json(&json!({
                "record": RecordJson::from(&stored.record),
                "warnings": stored.warnings,
            }))?;
        } else {
            stored
                .warnings
                .iter()
                .for_each(|warning| output.warning(warning));
        }
        Ok(())
    }
}

/// The login URL of a new record.
fn login_url(login: LoginHost, flow: FlowName) -> Result<String, Failure> {
    // The hosts that all orgs share do not serve them ("OAuth 2.0 Client Credentials Flow for Server-to-Server
    // Integration", Salesforce Help).
    if flow == FlowName::ClientCredentials && !login.is_named() {
        return Err(Failure::usage(
            "the flow `client-credentials` logs in at the org's My Domain only",
            "give `--login-url https://MYDOMAIN.my.salesforce.com`; Setup > Company Settings > My Domain shows it",
        ));
    }
    login.url().ok_or_else(|| {
        Failure::usage(
            "nothing says where the record logs in",
            "give `--production`, `--sandbox` or `--login-url`",
        )
    })
}
