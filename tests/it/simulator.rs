//! The simulator is as rude as the real thing: each rule by what a client sees of it.

pub(crate) mod client;
mod control;
mod login;
mod noise;
mod oauth;
mod policy;
mod proxy;
mod rest;
mod retirement;
mod session;
mod unexpected;
