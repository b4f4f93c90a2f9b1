//! The simulator's OAuth side, each rule by what a client sees of it.

mod browser;
mod client;
mod client_credentials;
mod jwt_bearer;
mod jwt_tokens;
mod noise;
mod password;
mod refresh;
mod tokens;
mod unexpected;
