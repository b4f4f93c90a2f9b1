//! `cargo demo`: the real programs against the bundled Salesforce simulator. See `sfvault_tests::demo`.

use std::process::ExitCode;

fn main() -> ExitCode {
    sfvault_tests::demo::main()
}
