//! `sfvault rotate`: new secrets for a record, proved before they replace the old.

use clap::Args;
use serde_json::json;
use sfvault::{
    AdminClient, CredentialChange, GeneratedPassword, RecordName, RecordStatus, Rotated, Rotation,
    RotationResult, SecurityToken,
};

use super::{
    context::Context, credential::SecretSource, failure::Failure, flow::FlowName, input,
    output::Output, prompt, record_view::RecordJson, spinner, token_help,
};

#[derive(Debug, Args)]
pub(crate) struct Rotate {
    /// The record's name
    #[arg(value_parser = RecordName::parse)]
    name: RecordName,

    /// Generate a password, set it at Salesforce, and await the security token that Salesforce mails
    #[arg(long, conflicts_with_all = SECRETS)]
    generate: bool,

    /// A generated password did not reach Salesforce: prove that the old secrets work, and drop it
    #[arg(long, conflicts_with_all = SECRETS, conflicts_with = "generate")]
    keep_old: bool,

    /// Show the generated password that awaits its security token, on the terminal only
    #[arg(long, conflicts_with_all = SECRETS, conflicts_with_all = ["generate", "keep_old"])]
    reveal_pending: bool,

    /// Open the page where the record's user resets the security token, and say what to know of it
    #[arg(long)]
    open: bool,

    #[command(flatten)]
    source: SecretSource,
}

const SECRETS: [&str; 8] = [
    "password_file",
    "token_file",
    "no_token",
    "consumer_secret_file",
    "no_consumer_secret",
    "private_key_file",
    "refresh_token_file",
    "stdin",
];

impl Rotate {
    pub(crate) async fn run(self, context: &Context) -> Result<(), Failure> {
        let (output, name) = (context.output, &self.name);
        let client = context.admin().await?;
        if self.reveal_pending {
            return reveal(&client, name, output).await;
        }
        let record = client
            .describe(name)
            .await
            .map_err(|error| Failure::call(error, name))?;
        let flow = FlowName::of(record.flow).ok_or_else(|| {
            Failure::usage(
                format!("`{name}` has a flow that this sfvault does not know"),
                "install the version of sfvaultd that `sfvault status` tells",
            )
        })?;
        if self.open {
            token_help::show(&record, flow, output)?;
        }
        let awaits_token = record.generated_password.is_some();
        let rotation = if self.generate {
            Rotation::Generate
        } else if self.keep_old {
            Rotation::KeepOld
        } else if awaits_token && !self.source.is_given() {
            Rotation::To(ask_for_token(&record).await?)
        } else {
            Rotation::To(self.source.changed(flow, name, output).await?)
        };
        let rotated = rotate(&client, name, rotation, output).await?;
        let awaits_token = rotated.result == RotationResult::TokenAwaited;
        tell(&rotated, name, output)?;
        if awaits_token && prompt::is_possible() && !output.is_json() {
            let token = ask_for_token(&rotated.record).await?;
            let rotated = rotate(&client, name, Rotation::To(token), output).await?;
            return tell(&rotated, name, output);
        }
        Ok(())
    }
}

async fn rotate(
    client: &AdminClient,
    name: &RecordName,
    rotation: Rotation,
    output: Output,
) -> Result<Rotated, Failure> {
    spinner::watch_change(
        output,
        "asking Salesforce",
        name,
        client.rotate(name, rotation),
    )
    .await
    .map_err(|error| Failure::trial(error, name, format!("then `sfvault rotate {name}`")))
}

/// The one thing that a generated password lacks.
async fn ask_for_token(record: &RecordStatus) -> Result<CredentialChange, Failure> {
    let question = format!(
        "the security token that Salesforce mailed to `{}`",
        record.username
    );
    let instead = "use `--token-file`, `--no-token` or `--stdin`";
    let typed = prompt::secret(&question, instead).await?;
    if typed.is_empty() {
        return Err(Failure::usage(
            "the security token is empty",
            "the password stays kept; say `--no-token` if none is needed",
        ));
    }
    Ok(CredentialChange {
        security_token: Some(SecurityToken::new(input::text(typed, "security token")?)),
        ..CredentialChange::default()
    })
}

fn tell(rotated: &Rotated, name: &RecordName, output: Output) -> Result<(), Failure> {
    output.done(&match rotated.result {
        RotationResult::Replaced => format!("`{name}` logs in with the new secrets"),
        RotationResult::Same => {
            format!("`{name}` holds these secrets already; nothing was sent")
        }
        RotationResult::TokenAwaited => format!(
            "the password of `{name}` is changed, and both passwords are kept; Salesforce mails a security token to \
             the user: `sfvault rotate {name}` takes it. Until then jobs have the present session, and no login is made"
        ),
        RotationResult::KeptOld => {
            format!("the old secrets of `{name}` work and stay; the generated password is wiped")
        }
        RotationResult::Unrecognised => format!("`sfvault show {name}` tells what became of it"),
    });
    if output.is_json() {
        let result = match rotated.result {
            RotationResult::Replaced => "replaced",
            RotationResult::Same => "same",
            RotationResult::TokenAwaited => "token-awaited",
            RotationResult::KeptOld => "kept-old",
            RotationResult::Unrecognised => "unrecognised",
        };
        return output.json(&json!({
            "record": RecordJson::from(&rotated.record),
            "result": result,
            "warnings": rotated.warnings,
        }));
    }
    let warnings = rotated.warnings.iter();
    warnings.for_each(|warning| output.warning(warning));
    Ok(())
}

async fn reveal(client: &AdminClient, name: &RecordName, output: Output) -> Result<(), Failure> {
    let question = format!("show the generated password of `{name}` on this terminal?");
    if !prompt::confirm(&question, "it is shown to people at a terminal only").await? {
        return Err(Failure::local("nothing was shown"));
    }
    let (password, state) = client
        .reveal_generated_password(name)
        .await
        .map_err(|error| Failure::call(error, name))?;
    // EXPOSE: the person at the terminal, who asked for it and said yes.
    prompt::show(password.expose())?;
    output.done(match state {
        Some(GeneratedPassword::InForce) => "it is in force; its security token is awaited",
        Some(GeneratedPassword::Unknown) | None => "whether it is in force is not known",
    });
    Ok(())
}
