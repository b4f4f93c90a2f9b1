//! The one integration test binary.

mod crowd;
mod grpc;
mod hardening;
mod layers;
mod main_job;
mod memory;
mod restart;
mod scene;
mod secrecy;
mod simulator;
