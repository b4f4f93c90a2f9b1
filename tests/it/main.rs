//! The one integration test binary.

mod answers;
mod cases;
mod crowd;
mod grpc;
mod idle;
mod inside;
mod layers;
mod leaks;
mod lockout;
mod main_job;
mod refusals;
mod restart;
mod scene;
mod secrecy;
mod simulator;
mod upstream;
