#![doc = include_str!("../README.md")]

pub mod accept;
pub mod api;
pub mod audit;
pub mod clock;
pub mod config;
pub mod daemon;
pub mod descriptors;
pub mod error;
pub mod failure;
#[doc(hidden)]
pub mod fuzz;
pub mod harden;
pub mod host;
pub mod ledger;
pub mod listen;
pub mod locked;
pub mod paths;
pub mod record;
pub mod salesforce;
pub mod seats;
pub mod secret;
pub mod session;
pub mod store;
pub mod systemd;
pub mod vault;
pub mod watch;
