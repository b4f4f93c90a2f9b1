//! `sfvault add`: a new record.

use std::time::Duration;

use clap::Args;
use serde_json::json;
use sfvault::{Environment, NewRecord, RecordName};

use super::{
    context::Context,
    credential::SecretSource,
    failure::Failure,
    flow::{FlowName, FlowSettings},
    record_view::RecordJson,
    reminder,
};

#[derive(Debug, Args)]
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

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
struct LoginHost {
    /// Log in at https://login.salesforce.com; with --login-url, refuse the host of a sandbox
    #[arg(long, conflicts_with = "sandbox")]
    production: bool,

    /// Log in at https://test.salesforce.com; with --login-url, refuse another host than a sandbox's
    #[arg(long)]
    sandbox: bool,

    /// Log in at this URL, best the org's My Domain: https://MYDOMAIN.my.salesforce.com
    #[arg(long, value_name = "URL")]
    login_url: Option<String>,
}

impl Add {
    pub(crate) async fn run(self, context: &Context) -> Result<(), Failure> {
        let output = context.output;
        let settings = self.settings.of_flow(self.flow, None)?;
        let environment = self.login.environment();
        let login_url = self.login.url(self.flow)?;
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

impl LoginHost {
    fn environment(&self) -> Option<Environment> {
        match (self.sandbox, self.production) {
            (true, _) => Some(Environment::Sandbox),
            (false, true) => Some(Environment::Production),
            (false, false) => None,
        }
    }

    fn url(self, flow: FlowName) -> Result<String, Failure> {
        match self.login_url {
            Some(url) => Ok(url),
            // Client credentials are not served there ("OAuth 2.0 Client Credentials Flow for Server-to-Server
            // Integration", Salesforce Help).
            None if flow == FlowName::ClientCredentials => Err(Failure::usage(
                "the flow `client-credentials` logs in at the org's My Domain only",
                "give `--login-url https://MYDOMAIN.my.salesforce.com`; Setup > Company Settings > My Domain shows it",
            )),
            None if self.sandbox => Ok("https://test.salesforce.com".to_owned()),
            None => Ok("https://login.salesforce.com".to_owned()),
        }
    }
}
