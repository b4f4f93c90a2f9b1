//! seccomp for the witness: the few system calls that it makes, and no others. What is refused fails with EPERM.

use std::collections::BTreeMap;

use libc as c;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen::Dword, SeccompCmpOp,
    SeccompCondition, SeccompFilter, SeccompRule, TargetArch, apply_filter,
};

/// Without a word if the kernel has none: the witness has nothing to lose but its answers.
pub(super) fn confine() {
    let filter = TargetArch::try_from(std::env::consts::ARCH)
        .ok()
        .and_then(|arch| program(arch).ok());
    if let Some(filter) = filter {
        let _ = apply_filter(&filter);
    }
}

/// Allowed whatever their arguments are.
const NEEDED: &[c::c_long] = &[
    // Questions, links, files; answers are below.
    c::SYS_read,
    c::SYS_readlinkat,
    c::SYS_statx,
    c::SYS_close,
    // Memory.
    c::SYS_brk,
    c::SYS_mremap,
    c::SYS_munmap,
    c::SYS_madvise,
    // The end.
    c::SYS_exit_group,
    c::SYS_rt_sigreturn,
    c::SYS_sigaltstack,
];

#[cfg(target_arch = "x86_64")]
const NEEDED_HERE: &[c::c_long] = &[c::SYS_readlink];
#[cfg(not(target_arch = "x86_64"))]
const NEEDED_HERE: &[c::c_long] = &[];

fn program(arch: TargetArch) -> Result<BpfProgram, BackendError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = NEEDED
        .iter()
        .chain(NEEDED_HERE)
        .map(|call| (*call, Vec::new()))
        .collect();
    // Answers go to where questions come from.
    rules.insert(
        c::SYS_write,
        only(0, SeccompCmpOp::Eq, c::STDIN_FILENO.cast_unsigned())?,
    );
    let changes = c::O_ACCMODE | c::O_CREAT | c::O_TRUNC;
    let none_of = |bits: c::c_int| SeccompCmpOp::MaskedEq(u64::from(bits.cast_unsigned()));
    rules.insert(c::SYS_openat, only(2, none_of(changes), 0)?);
    rules.insert(c::SYS_mmap, only(2, none_of(c::PROT_EXEC), 0)?);
    let refused = SeccompAction::Errno(c::EPERM.unsigned_abs());
    SeccompFilter::new(rules, refused, SeccompAction::Allow, arch)?.try_into()
}

/// All these arguments are of 32 bits to the kernel.
fn only(index: u8, operator: SeccompCmpOp, value: u32) -> Result<Vec<SeccompRule>, BackendError> {
    let condition = SeccompCondition::new(index, Dword, operator, u64::from(value))?;
    Ok(vec![SeccompRule::new(vec![condition])?])
}
