//! The vault over a disk that fails, lies and loses power, and a Salesforce that counts.

mod crash;
mod dice;
mod doubt;
mod model;
mod org;
mod simulation;
mod world;
