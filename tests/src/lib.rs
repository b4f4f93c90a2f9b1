//! Simulator, harness and demo.

pub mod clock;
pub mod simulator;
