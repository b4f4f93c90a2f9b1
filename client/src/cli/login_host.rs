//! Where a record logs in, as the command line says it.

use clap::Args;
use sfvault::Environment;

/// For `add`, `migrate` and `login`, each of which says which of the options go together.
#[derive(Debug, Args)]
pub(crate) struct LoginHost {
    /// Log in at https://login.salesforce.com
    #[arg(long, conflicts_with = "sandbox")]
    production: bool,

    /// Log in at https://test.salesforce.com
    #[arg(long)]
    sandbox: bool,

    /// Log in at this URL, best the org's My Domain: https://MYDOMAIN.my.salesforce.com
    #[arg(long, value_name = "URL")]
    login_url: Option<String>,
}

impl LoginHost {
    /// The options, for a command's groups.
    pub(crate) const OPTIONS: [&str; 3] = ["production", "sandbox", "login_url"];

    /// Whether a host of its own is named, rather than one that all orgs share.
    pub(crate) fn is_named(&self) -> bool {
        self.login_url.is_some()
    }

    /// What the host is said to be.
    pub(crate) fn environment(&self) -> Option<Environment> {
        match (self.sandbox, self.production) {
            (true, _) => Some(Environment::Sandbox),
            (false, true) => Some(Environment::Production),
            (false, false) => None,
        }
    }

    /// The URL; `None` if nothing was said.
    pub(crate) fn url(self) -> Option<String> {
        let environment = self.environment();
        self.login_url.or_else(|| {
            let host = match environment? {
                Environment::Sandbox => "test",
                Environment::Production => "login",
            };
            Some(format!("https://{host}.salesforce.com"))
        })
    }
}
