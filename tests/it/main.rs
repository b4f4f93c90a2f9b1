//! The one integration test binary.

mod crowd;
mod main_job;
mod restart;
mod scene;
mod simulator;
