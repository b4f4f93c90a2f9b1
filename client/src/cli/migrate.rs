//! `sfvault migrate`: another way to log in under the same name.

use clap::{ArgGroup, Args};
use serde::Serialize;
use serde_json::json;
use sfvault::{LoginFacts, Migrated, Migration, NewRecord, RecordName};

use super::{
    context::Context,
    credential::SecretSource,
    failure::Failure,
    flow::{FlowName, FlowSettings},
    login_host::LoginHost,
    output::Output,
    record_view::{self, RecordJson},
    spinner,
};

#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("step").required(true).args(["flow", "back", "forget_old"]),
    group = ArgGroup::new("host").multiple(true).args(LoginHost::OPTIONS).requires("flow").conflicts_with_all(OTHER_STEPS),
)]
pub(crate) struct Migrate {
    /// The record's name
    #[arg(value_parser = RecordName::parse)]
    name: RecordName,

    /// How to log in from now on
    #[arg(long, value_enum)]
    flow: Option<FlowName>,

    #[command(flatten)]
    login: LoginHost,

    #[command(flatten)]
    settings: FlowSettings,

    /// Log in the new way and compare, and change nothing
    #[arg(long, requires = "flow", conflicts_with_all = OTHER_STEPS)]
    dry_run: bool,

    /// The new login must lead to this user, if it is another than the present one: its id of 15 or 18 characters
    #[arg(long, value_name = "005…", value_parser = user_id, requires = "flow", conflicts_with_all = OTHER_STEPS)]
    expect_user: Option<String>,

    /// The new login must lead to this org, if it is another than the present one: its id of 15 or 18 characters
    #[arg(long, value_name = "00D…", value_parser = super::want::org_id, requires = "flow", conflicts_with_all = OTHER_STEPS)]
    expect_org: Option<String>,

    #[command(flatten)]
    source: SecretSource,

    /// Return to the login that the last migration kept; the present one is kept in its place
    #[arg(long)]
    back: bool,

    /// With `--back`: do not log in with the kept login first
    #[arg(long, requires = "back", conflicts_with_all = ["flow", "forget_old"])]
    no_check: bool,

    /// Wipe the login that the last migration kept
    #[arg(long)]
    forget_old: bool,
}

const OTHER_STEPS: [&str; 2] = ["back", "forget_old"];

impl Migrate {
    pub(crate) async fn run(self, context: &Context) -> Result<(), Failure> {
        self.check()?;
        match self.flow {
            Some(flow) => self.forward(flow, context).await,
            None if self.back => self.back(context).await,
            None => self.forget(context).await,
        }
    }

    /// What the definition of the options can't say.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        match self.flow {
            Some(FlowName::RefreshToken) if self.dry_run => Err(Failure::usage(
                "a refresh token may be spent by one use, so it can't be rehearsed only",
                "leave `--dry-run` out; `--back` returns to the old login",
            )),
            Some(flow) => {
                self.settings.check(flow)?;
                self.source.check(flow)
            }
            None if self.source.is_given() || self.settings.is_given() => Err(Failure::usage(
                "`--back` and `--forget-old` take neither secrets nor settings",
                "a new login is given with `--flow`",
            )),
            None => Ok(()),
        }
    }

    async fn forward(self, flow: FlowName, context: &Context) -> Result<(), Failure> {
        let output = context.output;
        let name = self.name;
        let client = context.admin().await?;
        let record = client
            .describe(&name)
            .await
            .map_err(|error| Failure::call(error, &name))?;
        let known = Some(record.username.as_str()).filter(|username| !username.is_empty());
        let settings = self.settings.of_flow(flow, known)?;
        let environment = self.login.environment();
        // By default where the record logs in now.
        let login_url = self.login.url().unwrap_or(record.login_url);
        let credential = self.source.all(flow, &name, output).await?;
        let migration = Migration {
            to: NewRecord {
                name: name.clone(),
                username: settings.username,
                login_url,
                consumer_key: settings.consumer_key,
                audience: settings.audience,
                credential,
                environment,
                remind_after: None,
            },
            dry_run: self.dry_run,
            expect_user: self.expect_user,
            expect_org: self.expect_org,
        };
        let migrated = spinner::watch_change(
            output,
            "trying the new login",
            &name,
            client.migrate(migration),
        )
        .await
        .map_err(|error| Failure::trial(error, &name, "then `sfvault migrate` again".to_owned()))?;
        tell(&migrated, self.dry_run, &name, output)
    }

    async fn back(self, context: &Context) -> Result<(), Failure> {
        let (output, name) = (context.output, self.name);
        let client = context.admin().await?;
        let work = client.restore_login(&name, !self.no_check);
        let record = spinner::watch_change(output, "trying the kept login", &name, work)
            .await
            .map_err(|error| {
                Failure::trial(error, &name, "then `sfvault migrate` again".to_owned())
            })?;
        output.done(&format!(
            "`{name}` logs in by `{}` again; the login that it left is kept",
            record_view::flow(record.flow)
        ));
        if output.is_json() {
            output.json(&json!({ "record": RecordJson::from(&record), "changed": true }))?;
        }
        Ok(())
    }

    async fn forget(self, context: &Context) -> Result<(), Failure> {
        let (output, name) = (context.output, self.name);
        let client = context.admin().await?;
        let (record, changed) = client
            .forget_old_login(&name)
            .await
            .map_err(|error| Failure::call(error, &name))?;
        output.done(&if changed {
            format!("the old login of `{name}` is wiped")
        } else {
            format!("`{name}` keeps no old login")
        });
        if output.is_json() {
            output.json(&json!({ "record": RecordJson::from(&record), "changed": changed }))?;
        }
        Ok(())
    }
}

#[derive(Serialize)]
struct FactsJson<'a> {
    flow: &'static str,
    login_url: &'a str,
    consumer_key: Option<&'a str>,
    org_id: Option<&'a str>,
    user_id: Option<&'a str>,
    username: Option<&'a str>,
    instance_url: Option<&'a str>,
    timeout_seconds: Option<u64>,
    proven: bool,
}

impl<'a> From<&'a LoginFacts> for FactsJson<'a> {
    fn from(facts: &'a LoginFacts) -> Self {
        Self {
            flow: record_view::flow(facts.flow),
            login_url: &facts.login_url,
            consumer_key: facts.consumer_key.as_deref(),
            org_id: facts.org_id.as_deref(),
            user_id: facts.user_id.as_deref(),
            username: facts.username.as_deref(),
            instance_url: facts.instance_url.as_deref(),
            timeout_seconds: facts.timeout.map(|timeout| timeout.as_secs()),
            proven: facts.proven,
        }
    }
}

fn tell(
    migrated: &Migrated,
    dry_run: bool,
    name: &RecordName,
    output: Output,
) -> Result<(), Failure> {
    let (before, after) = (&migrated.before, &migrated.after);
    if output.is_json() {
        return output.json(&json!({
            "record": RecordJson::from(&migrated.record),
            "changed": !dry_run,
            "before": FactsJson::from(before),
            "after": FactsJson::from(after),
            "warnings": migrated.warnings,
        }));
    }
    output.table(&["", "NOW", "NEW", ""], rows(before, after))?;
    let warnings = migrated.warnings.iter();
    warnings.for_each(|warning| output.warning(warning));
    let flow = record_view::flow(after.flow);
    output.done(&if dry_run {
        format!("the login by `{flow}` works; nothing was changed")
    } else {
        format!(
            "`{name}` logs in by `{flow}` from now on; `sfvault migrate {name} --back` returns, \
             `sfvault migrate {name} --forget-old` wipes the old login"
        )
    });
    Ok(())
}

/// What is known of both logins, side by side.
fn rows(before: &LoginFacts, after: &LoginFacts) -> Vec<Vec<String>> {
    let timeout = |facts: &LoginFacts| facts.timeout.map(super::span::words);
    let access = |facts: &LoginFacts| match facts.proven {
        true => Some("works".to_owned()),
        false => None,
    };
    let flow = |facts: &LoginFacts| Some(record_view::flow(facts.flow).to_owned());
    [
        ("flow", flow(before), flow(after)),
        (
            "login URL",
            Some(before.login_url.clone()),
            Some(after.login_url.clone()),
        ),
        (
            "consumer key",
            before.consumer_key.clone(),
            after.consumer_key.clone(),
        ),
        ("org", before.org_id.clone(), after.org_id.clone()),
        ("user", before.user_id.clone(), after.user_id.clone()),
        ("username", before.username.clone(), after.username.clone()),
        (
            "instance URL",
            before.instance_url.clone(),
            after.instance_url.clone(),
        ),
        ("session timeout", timeout(before), timeout(after)),
        ("API call", access(before), access(after)),
    ]
    .into_iter()
    .map(|(label, before, after)| {
        let mark = match before == after {
            true => "",
            false => "differs",
        };
        let shown = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        vec![
            label.to_owned(),
            shown(before),
            shown(after),
            mark.to_owned(),
        ]
    })
    .collect()
}

fn user_id(text: &str) -> Result<String, String> {
    let fits = matches!(text.len(), 15 | 18)
        && text.starts_with("005")
        && text.bytes().all(|b| b.is_ascii_alphanumeric());
    if fits {
        Ok(text.to_owned())
    } else {
        Err("a user id starts with `005` and has 15 or 18 letters and digits".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use sfvault::Flow;

    use super::*;

    #[test]
    fn what_differs_is_marked_and_what_is_not_known_is_a_dash() {
        let before = LoginFacts {
            flow: Flow::SoapLogin,
            login_url: "https://login.salesforce.com".to_owned(),
            consumer_key: None,
            org_id: Some("00Dxx0000001gPLEAY".to_owned()),
            user_id: Some("005xx000001Sv6AAAS".to_owned()),
            username: None,
            instance_url: None,
            timeout: None,
            proven: false,
        };
        let after = LoginFacts {
            flow: Flow::ClientCredentials,
            proven: true,
            ..before.clone()
        };
        let rows = rows(&before, &after);
        let row = |label: &str| {
            let found = rows.iter().find(|row| row[0] == label);
            found.unwrap()[1..].to_vec()
        };
        assert_eq!(row("flow"), ["soap-login", "client-credentials", "differs"]);
        assert_eq!(row("API call"), ["-", "works", "differs"]);
        assert_eq!(row("username"), ["-", "-", ""]);
        assert_eq!(row("org")[2], "");
    }

    #[test]
    fn user_ids_have_15_or_18_characters() {
        assert!(user_id("005xx000001Sv6A").is_ok() && user_id("005xx000001Sv6AAAS").is_ok());
        for text in ["", "005", "00Dxx000001Sv6A", "005xx000001Sv6!"] {
            assert!(user_id(text).is_err(), "{text}");
        }
    }
}
