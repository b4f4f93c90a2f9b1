//! An installation with the record `prod` and a Salesforce behind it, for clients that are not in Rust.
//!
//! It prints one line of JSON when it is ready, and ends with its standard input. Its exit status is 1 if the daemon
//! did not end well or Salesforce met requests that no good client makes.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use serde_json::{Value, json};
use sfvault_tests::{
    installation::Installation,
    simulator::{Options, PASSWORD, SECURITY_TOKEN, Simulator, USERNAME},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> io::Result<()> {
    let simulator = Simulator::start(Options::default()).await;
    let mut sfvault = Installation::new(&simulator)?;
    let passphrase = sfvault.secret_file("passphrase", "correct horse")?;
    let password = sfvault.secret_file("password", PASSWORD)?;
    let token = sfvault.secret_file("token", SECURITY_TOKEN)?;
    let path = |path: &std::path::Path| path.display().to_string();
    sfvault.start()?;
    command(&sfvault, &["init", "--passphrase-file", &path(&passphrase)]).await?;
    let url = simulator.login_url();
    let record = ["add", "prod", "--username", USERNAME, "--login-url", &url];
    let password = ["--password-file", &path(&password)];
    let token = ["--token-file", &path(&token)];
    command(&sfvault, &[&record[..], &password, &token].concat()).await?;
    let session = command(&sfvault, &["get", "prod", "--format", "json"]).await?;
    let session: Value = serde_json::from_str(&session)?;
    let socket = path(&sfvault.path("run/sfvault.sock"));
    writeln!(
        io::stdout(),
        "{}",
        json!({ "socket": socket, "session": session })
    )?;
    // The simulator lives in this runtime and must not wait for the read.
    tokio::task::spawn_blocking(|| io::copy(&mut io::stdin(), &mut io::sink())).await??;
    if !sfvault.stop()?.success() {
        return Err(io::Error::other(sfvault.daemon_log()));
    }
    simulator.finish().map_err(io::Error::other)
}

/// Runs `sfvault`, which must succeed.
async fn command(sfvault: &Installation, arguments: &[&str]) -> io::Result<String> {
    let command = sfvault.sfvault(arguments);
    let output = tokio::process::Command::from(command).output().await?;
    if output.status.success() {
        String::from_utf8(output.stdout).map_err(io::Error::other)
    } else {
        Err(io::Error::other(String::from_utf8_lossy(&output.stderr)))
    }
}
