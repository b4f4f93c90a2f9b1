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
    c::SYS_exit,
    c::SYS_exit_group,
    c::SYS_futex,
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

#[cfg(test)]
mod tests {
    use std::{env, fs::File, io, net::TcpListener, path::Path, process};

    use rustix::{
        process::{Pid, Signal, getpid, kill_process},
        thread::set_no_new_privs,
    };

    use super::*;
    use crate::witness::look;

    const IN_CHILD: &str = "SFVAULT_TRIES_CALLS";

    /// In a process of its own, which ends by a call that is allowed.
    #[test]
    fn what_answers_need_is_allowed_and_the_rest_is_refused() {
        if env::var_os(IN_CHILD).is_some() {
            set_no_new_privs(true).unwrap();
            let own = getpid();
            confine();
            process::exit(tried(own));
        }
        let name = "witness::calls::tests::what_answers_need_is_allowed_and_the_rest_is_refused";
        let ended = process::Command::new(env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env(IN_CHILD, "1")
            // The witness has one thread, whose memory grows otherwise than that of others.
            .env("MALLOC_ARENA_MAX", "1")
            .output()
            .unwrap();
        assert_eq!(ended.status.code(), Some(100), "{ended:?}");
    }

    /// 100, or the number of the first that went wrong.
    fn tried(own: Pid) -> i32 {
        let refused = |result: io::Result<()>| {
            result.is_err_and(|error| error.raw_os_error() == Some(c::EPERM))
        };
        let tries = [
            look::running(own).is_ok(),
            look::is_script(Path::new("/etc/passwd")).is_ok(),
            look::is_script(Path::new("/nonexistent")).is_err(),
            !vec![0_u8; 8 << 20].is_empty(),
            refused(File::options().write(true).open("/dev/null").map(drop)),
            refused(File::create("/tmp/sfvault-was-here").map(drop)),
            refused(std::fs::remove_file("/nonexistent")),
            refused(TcpListener::bind("127.0.0.1:0").map(drop)),
            refused(kill_process(Pid::INIT, Signal::CONT).map_err(io::Error::from)),
            refused(process::Command::new("/bin/true").status().map(drop)),
            refused(
                rustix::io::write(io::stderr(), b"x")
                    .map(drop)
                    .map_err(io::Error::from),
            ),
        ];
        let wrong = tries.iter().position(|right| !right);
        wrong.map_or(100, |number| i32::try_from(number).unwrap_or(99))
    }

    #[test]
    fn there_is_a_filter_for_every_architecture() {
        for arch in [TargetArch::x86_64, TargetArch::aarch64] {
            assert!(program(arch).unwrap().len() < 200);
        }
    }
}
