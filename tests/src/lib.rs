//! What sfvault is tested with: a Salesforce simulator, an installation of the real programs, and the demo.

pub mod binaries;
pub mod clock;
pub mod demo;
pub mod https;
pub mod installation;
pub mod memory;
pub mod old_kernel;
pub mod simulator;
