//! The program `sfvault` against a daemon that says what a test wants.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, also in its helpers"
)]

mod admin;
mod audit;
mod autostart;
mod browser;
mod connect;
mod due;
mod exec;
mod fake;
mod flows;
mod follow;
mod get;
mod input;
mod patience;
mod prompt;
mod secrets;
mod skipped;
