//! The one integration test binary.

mod crowd;
mod main_job;
mod nobody;
mod raw;
mod restart;
mod scene;
mod simulator;
mod sockets;
mod start;
