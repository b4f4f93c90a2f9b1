//! The job of the demo: reads the Account rows of an org with the session in its environment, and nothing else.

use std::{env, io, path::PathBuf};

use crate::https;

/// Prints the names of the accounts, one a line.
///
/// # Errors
/// If a variable is missing or Salesforce refuses.
pub async fn run() -> io::Result<()> {
    let variable =
        |name| env::var(name).map_err(|_| io::Error::other(format!("{name} is not set")));
    let version = variable("SF_API_VERSION")?;
    let instance = variable("SF_INSTANCE_URL")?;
    let ca_file = PathBuf::from(variable("SFVAULT_DEMO_CA_FILE")?);
    let mut path = format!("/services/data/v{version}/query?q=SELECT+Id,Name+FROM+Account");
    loop {
        let (status, body) = https::get(
            &format!("{instance}{path}"),
            &variable("SF_ACCESS_TOKEN")?,
            &ca_file,
        )
        .await?;
        if !status.is_success() {
            return Err(io::Error::other(format!(
                "Salesforce answered {status}: {body}"
            )));
        }
        let page: serde_json::Value = serde_json::from_str(&body)?;
        for row in page["records"].as_array().into_iter().flatten() {
            println!("{}", row["Name"].as_str().unwrap_or_default());
        }
        match page["nextRecordsUrl"].as_str() {
            Some(next) => next.clone_into(&mut path),
            None => return Ok(()),
        }
    }
}
