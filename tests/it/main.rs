//! The one integration test binary.

mod answers;
mod cases;
mod crowd;
mod idle;
mod inside;
mod leaks;
mod lockout;
mod main_job;
mod refusals;
mod restart;
mod scene;
mod simulator;
mod upstream;
