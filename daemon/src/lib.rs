//! sfvaultd
pub mod clock;
pub mod error;
pub mod failure;
pub mod host;
pub mod ledger;
pub mod record;
pub mod salesforce;
pub mod secret;
pub mod store;
