//! The vault over a disk that fails, lies and loses power, and a Salesforce that counts.

mod answers;
mod changes;
mod crash;
mod dice;
mod doubt;
mod holding;
mod listing;
mod model;
mod news;
mod org;
mod passphrase;
mod rotation;
mod simulation;
mod token_keeper;
mod user;
mod world;
