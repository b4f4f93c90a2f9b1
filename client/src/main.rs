//! `sfvault`, the command line of the credential vault for Salesforce.

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
