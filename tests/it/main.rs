//! The one integration test binary.

mod activation;
mod autostart;
mod config;
mod crowd;
mod damage;
mod directories;
mod exclusive;
mod exec;
mod main_job;
mod nobody;
mod raw;
mod restart;
mod scene;
mod simulator;
mod sockets;
mod start;
mod storage;
