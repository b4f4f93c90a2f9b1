//! Simulator, harness and demo.
