//! What the fuzzer runs, as plain functions: `cargo test` runs them over the kept corpus.
//!
//! Each takes any octets and panics if something that must hold does not.

mod authority;

pub use self::authority::authority;
