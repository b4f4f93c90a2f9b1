//! `sfvault add`: a new record.

use clap::{Args, ValueEnum};
use serde_json::json;
use sfvault::{NewRecord, RecordName};

use super::{
    context::Context, credential::SecretSource, failure::Failure, record_view::RecordJson,
};

#[derive(Debug, Args)]
pub(crate) struct Add {
    /// The new record's name
    #[arg(value_parser = RecordName::parse)]
    name: RecordName,

    /// The Salesforce user name
    #[arg(long)]
    username: String,

    #[command(flatten)]
    login: LoginHost,

    /// How to log in
    #[arg(long, value_enum, default_value_t = FlowName::SoapLogin)]
    flow: FlowName,

    #[command(flatten)]
    source: SecretSource,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct LoginHost {
    /// Log in at https://login.salesforce.com
    #[arg(long)]
    production: bool,

    /// Log in at https://test.salesforce.com
    #[arg(long)]
    sandbox: bool,

    /// Log in at this URL, best the org's My Domain: https://MYDOMAIN.my.salesforce.com
    #[arg(long, value_name = "URL")]
    login_url: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FlowName {
    /// SOAP login() with password and security token
    SoapLogin,
}

impl Add {
    pub(crate) async fn run(self, context: &Context) -> Result<(), Failure> {
        let output = context.output;
        let credential = match self.flow {
            FlowName::SoapLogin => self.source.all(&self.name, output).await?,
        };
        let client = context.admin().await?;
        let new = NewRecord {
            name: self.name.clone(),
            username: self.username,
            login_url: self.login.url(),
            consumer_key: String::new(),
            audience: String::new(),
            credential,
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
    fn url(self) -> String {
        match self.login_url {
            Some(url) => url,
            None if self.sandbox => "https://test.salesforce.com".to_owned(),
            None => "https://login.salesforce.com".to_owned(),
        }
    }
}
