//! `sfvault`, the command line of the credential vault for Salesforce.

mod cli;

use std::alloc::System;

use zeroizing_alloc::ZeroAlloc;

/// Wipes what is freed: a secret on its way to the daemon passes through messages and buffers that nothing else wipes.
#[global_allocator]
static HEAP: ZeroAlloc<System> = ZeroAlloc(System);

fn main() -> std::process::ExitCode {
    cli::main()
}
