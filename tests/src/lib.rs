//! Simulator, harness and demo.

pub mod clock;
