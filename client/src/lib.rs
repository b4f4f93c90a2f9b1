//! The typed client of sfvaultd.
