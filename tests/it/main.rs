//! The one integration test binary.

mod crash;
mod crowd;
mod dice;
mod fuzz_replay;
mod grpc;
mod layers;
mod main_job;
mod restart;
mod scene;
mod secrecy;
mod simulator;
