//! The one integration test binary.

mod cases;
mod crowd;
mod inside;
mod main_job;
mod restart;
mod scene;
mod simulator;
