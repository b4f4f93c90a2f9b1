//! The one integration test binary.

mod clients;
mod crowd;
mod fuzz;
mod main_job;
mod restart;
mod scene;
mod simulator;
