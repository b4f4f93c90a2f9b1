//! A kernel from before Linux 6.5, as far as it names processes: its `getsockopt` knows no `SO_PEERPIDFD`.

use std::{env, error::Error};

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch, apply_filter,
};

/// Makes the kernel such a one for this thread and what comes of it, for ever.
///
/// # Errors
/// If the filter can't be set.
pub fn forget_how_to_name_peers() -> Result<(), Box<dyn Error>> {
    let level = u64::from(libc::SOL_SOCKET.unsigned_abs());
    let option = u64::from(libc::SO_PEERPIDFD.unsigned_abs());
    // getsockopt(socket, level, option, ...)
    let asked = SeccompRule::new(vec![
        SeccompCondition::new(1, Dword, Eq, level)?,
        SeccompCondition::new(2, Dword, Eq, option)?,
    ])?;
    let filter = SeccompFilter::new(
        [(libc::SYS_getsockopt, vec![asked])].into(),
        SeccompAction::Allow,
        SeccompAction::Errno(libc::ENOPROTOOPT.unsigned_abs()),
        TargetArch::try_from(env::consts::ARCH)?,
    )?;
    Ok(apply_filter(&BpfProgram::try_from(filter)?)?)
}
