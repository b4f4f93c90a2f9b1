//! The program `sfvault` against a daemon that says what a test wants.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking, also in its helpers, and says what it skips"
)]

mod admin;
mod audit;
mod autostart;
mod connect;
mod exec;
mod fake;
mod flows;
mod get;
mod prompt;
mod skipped;
