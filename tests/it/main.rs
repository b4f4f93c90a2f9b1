//! The one integration test binary.

mod answers;
mod cases;
mod clients;
mod crowd;
mod fuzz;
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
