//! seccomp: system calls that a daemon which keeps credentials never makes, and an intruder would like to.
//!
//! A list of what is refused, not of what is allowed: libraries change the calls they make with each release, name
//! services load modules of the operator's choice, and a login at night must not fail over a new call for an old deed.
//! A refused call fails with EPERM; the process is not killed, for the same reason.

use std::collections::BTreeMap;

use libc as c;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen::Dword, SeccompCmpOp,
    SeccompCondition, SeccompFilter, SeccompRule, TargetArch, apply_filter_all_threads,
};

use super::{Protection, State};

pub(super) const NAME: &str = "system-calls";

pub(super) fn confine() -> Protection {
    let Ok(arch) = TargetArch::try_from(std::env::consts::ARCH) else {
        let reason = format!("there is no filter for {}", std::env::consts::ARCH);
        return Protection::new(NAME, State::NotAvailable, reason);
    };
    let failed = |error: &dyn std::fmt::Display| {
        let reason = format!("the filter of system calls could not be set: {error}");
        Protection::new(NAME, State::Failed, reason)
    };
    let filters = match program(arch).and_then(|program| Ok([program, unknown(arch)?])) {
        Ok(filters) => filters,
        Err(error) => return failed(&error),
    };
    // Of two filters that refuse, the later one names the error; these have no call in common.
    match filters
        .iter()
        .try_for_each(|filter| apply_filter_all_threads(filter))
    {
        Ok(()) => Protection::new(
            NAME,
            State::On,
            "programs, tracing, kernel modules, mounts, other users and the like are refused",
        ),
        // ENOSYS: a kernel without it. EINVAL: one that was built without filters.
        Err(seccompiler::Error::Seccomp(error))
            if [Some(c::ENOSYS), Some(c::EINVAL)].contains(&error.raw_os_error()) =>
        {
            let reason = "this kernel, or the container, has no filters of system calls";
            Protection::new(NAME, State::NotAvailable, reason)
        }
        Err(error) => failed(&error),
    }
}

/// Refused whatever their arguments are.
const NEVER: &[c::c_long] = &[
    // Other programs.
    c::SYS_execve,
    c::SYS_execveat,
    // Other processes: their memory, descriptors and traces.
    c::SYS_kcmp,
    c::SYS_pidfd_getfd,
    c::SYS_process_madvise,
    c::SYS_process_vm_readv,
    c::SYS_process_vm_writev,
    c::SYS_ptrace,
    // Ways around this filter, and the kernel's usual holes.
    c::SYS_bpf,
    c::SYS_io_uring_enter,
    c::SYS_io_uring_register,
    c::SYS_io_uring_setup,
    c::SYS_perf_event_open,
    c::SYS_userfaultfd,
    // Keys of the user and of other programs.
    c::SYS_add_key,
    c::SYS_keyctl,
    c::SYS_request_key,
    // Other users, capabilities and namespaces.
    c::SYS_capset,
    c::SYS_personality,
    c::SYS_setfsgid,
    c::SYS_setfsuid,
    c::SYS_setgid,
    c::SYS_setgroups,
    c::SYS_setns,
    c::SYS_setregid,
    c::SYS_setresgid,
    c::SYS_setresuid,
    c::SYS_setreuid,
    c::SYS_setuid,
    c::SYS_unshare,
    // What is mounted where.
    c::SYS_chroot,
    c::SYS_fsconfig,
    c::SYS_fsmount,
    c::SYS_fsopen,
    c::SYS_fspick,
    c::SYS_mount,
    c::SYS_mount_setattr,
    c::SYS_move_mount,
    c::SYS_open_tree,
    c::SYS_pivot_root,
    c::SYS_umount2,
    // Files by number, past the directories that lead to them, and watching everybody's files.
    c::SYS_fanotify_init,
    c::SYS_open_by_handle_at,
    // The machine.
    c::SYS_acct,
    c::SYS_adjtimex,
    c::SYS_clock_adjtime,
    c::SYS_clock_settime,
    c::SYS_delete_module,
    c::SYS_finit_module,
    c::SYS_init_module,
    c::SYS_kexec_file_load,
    c::SYS_kexec_load,
    c::SYS_quotactl,
    c::SYS_reboot,
    c::SYS_setdomainname,
    c::SYS_sethostname,
    c::SYS_settimeofday,
    c::SYS_swapoff,
    c::SYS_swapon,
    c::SYS_syslog,
    c::SYS_vhangup,
];

#[cfg(target_arch = "x86_64")]
const NEVER_HERE: &[c::c_long] = &[c::SYS_ioperm, c::SYS_iopl, c::SYS_modify_ldt];
#[cfg(not(target_arch = "x86_64"))]
const NEVER_HERE: &[c::c_long] = &[];

/// The x32 ABI, where the kernel has it, is a second set of numbers for the same calls: this bit, and new numbers for a
/// few (`arch/x86/entry/syscalls/syscall_64.tbl`): execve, ptrace, kexec_load, process_vm_readv and _writev, execveat.
#[cfg(target_arch = "x86_64")]
const X32: (i64, &[i64]) = (0x4000_0000, &[520, 521, 528, 539, 540, 545]);

/// Unix sockets, IP, and netlink, through which the resolver learns which addresses there are.
const FAMILIES: [c::c_int; 4] = [c::AF_UNIX, c::AF_INET, c::AF_INET6, c::AF_NETLINK];

/// Of `clone`. That of time is not among them: there its bit is one of the signal that tells of the end.
const NAMESPACES: [c::c_int; 7] = [
    c::CLONE_NEWCGROUP,
    c::CLONE_NEWIPC,
    c::CLONE_NEWNET,
    c::CLONE_NEWNS,
    c::CLONE_NEWPID,
    c::CLONE_NEWUSER,
    c::CLONE_NEWUTS,
];

fn program(arch: TargetArch) -> Result<BpfProgram, BackendError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = NEVER
        .iter()
        .chain(NEVER_HERE)
        .map(|call| (*call, Vec::new()))
        .collect();
    let written_and_run = SeccompCmpOp::MaskedEq(bits(c::PROT_WRITE | c::PROT_EXEC));
    let written_and_run = || argument(2, written_and_run.clone(), c::PROT_WRITE | c::PROT_EXEC);
    for call in [c::SYS_mmap, c::SYS_mprotect, c::SYS_pkey_mprotect] {
        rules.insert(call, vec![SeccompRule::new(vec![written_and_run()?])?]);
    }
    // Keystrokes for the terminal from which it was started.
    let request = |request| SeccompRule::new(vec![argument(1, SeccompCmpOp::Eq, request)?]);
    let requests = [c::c_int::from(0x5412_u16), c::c_int::from(0x541c_u16)];
    let requests: Result<_, _> = requests.into_iter().map(request).collect();
    rules.insert(c::SYS_ioctl, requests?);
    // Dumpable it shall not become again.
    let dumpable = vec![
        argument(0, SeccompCmpOp::Eq, c::PR_SET_DUMPABLE)?,
        argument(1, SeccompCmpOp::Ne, 0)?,
    ];
    rules.insert(c::SYS_prctl, vec![SeccompRule::new(dumpable)?]);
    let other_families: Result<_, _> = FAMILIES
        .into_iter()
        .map(|family| argument(0, SeccompCmpOp::Ne, family))
        .collect();
    // As `unshare`, which is refused whole.
    let with = |flag: c::c_int| {
        SeccompRule::new(vec![argument(0, SeccompCmpOp::MaskedEq(bits(flag)), flag)?])
    };
    let namespaces: Result<_, _> = NAMESPACES.into_iter().map(with).collect();
    rules.insert(c::SYS_clone, namespaces?);
    rules.insert(c::SYS_socket, vec![SeccompRule::new(other_families?)?]);
    #[cfg(target_arch = "x86_64")]
    {
        let (bit, renumbered) = X32;
        let twice: Vec<_> = rules
            .iter()
            .map(|(call, rules)| (call | bit, rules.clone()))
            .collect();
        rules.extend(twice);
        rules.extend(renumbered.iter().map(|call| (call | bit, Vec::new())));
    }
    filter(rules, c::EPERM, arch)
}

/// Its flags are in memory, where no filter sees them. To libc such a kernel is too old for it, so it makes its threads by
/// `clone`.
fn unknown(arch: TargetArch) -> Result<BpfProgram, BackendError> {
    let call = c::SYS_clone3;
    #[cfg(target_arch = "x86_64")]
    let calls = [call, call | X32.0];
    #[cfg(not(target_arch = "x86_64"))]
    let calls = [call];
    filter(calls.map(|call| (call, Vec::new())).into(), c::ENOSYS, arch)
}

fn filter(
    rules: BTreeMap<i64, Vec<SeccompRule>>,
    error: c::c_int,
    arch: TargetArch,
) -> Result<BpfProgram, BackendError> {
    let refused = SeccompAction::Errno(error.unsigned_abs());
    SeccompFilter::new(rules, SeccompAction::Allow, refused, arch)?.try_into()
}

/// All these arguments are of 32 bits to the kernel.
fn argument(
    index: u8,
    operator: SeccompCmpOp,
    value: c::c_int,
) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(index, Dword, operator, bits(value))
}

fn bits(value: c::c_int) -> u64 {
    u64::from(value.cast_unsigned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the filter says of a call, as the kernel would run it: of seccomp's instructions, those that are used.
    fn verdict(arch: TargetArch, call: i64, arguments: [u64; 6]) -> u32 {
        run(&program(arch).unwrap(), arch, call, arguments)
    }

    fn run(program: &BpfProgram, arch: TargetArch, call: i64, arguments: [u64; 6]) -> u32 {
        const LOAD_WORD: u16 = 0x20;
        const AND: u16 = 0x54;
        const JUMP: u16 = 0x05;
        const JUMP_EQUAL: u16 = 0x15;
        const JUMP_GREATER: u16 = 0x25;
        const JUMP_NOT_LESS: u16 = 0x35;
        const RETURN: u16 = 0x06;
        let number = match arch {
            TargetArch::x86_64 => 0xc000_003e_u32,
            TargetArch::aarch64 => 0xc000_00b7,
            TargetArch::riscv64 => 0xc000_00f3,
        };
        // struct seccomp_data: call, architecture, instruction pointer, arguments.
        let mut data = vec![u32::try_from(call).unwrap(), number, 0, 0];
        for argument in arguments {
            data.extend([argument as u32, (argument >> 32) as u32]);
        }
        let (mut at, mut accumulator) = (0, 0_u32);
        loop {
            let step = &program[at];
            let mut jump = |holds: bool| at += usize::from(if holds { step.jt } else { step.jf });
            match step.code {
                LOAD_WORD => accumulator = data[step.k as usize / 4],
                AND => accumulator &= step.k,
                JUMP => at += step.k as usize,
                JUMP_EQUAL => jump(accumulator == step.k),
                JUMP_GREATER => jump(accumulator > step.k),
                JUMP_NOT_LESS => jump(accumulator >= step.k),
                RETURN => return step.k,
                code => panic!("instruction {code:#x}"),
            }
            at += 1;
        }
    }

    const ALLOWED: u32 = 0x7fff_0000;
    const REFUSED: u32 = 0x0005_0000 | c::EPERM as u32;
    const HERE: TargetArch = if cfg!(target_arch = "x86_64") {
        TargetArch::x86_64
    } else {
        TargetArch::aarch64
    };

    #[test]
    fn each_call_of_the_list_is_refused_whatever_its_arguments() {
        for call in NEVER.iter().chain(NEVER_HERE) {
            for arguments in [[0; 6], [u64::MAX; 6]] {
                assert_eq!(verdict(HERE, *call, arguments), REFUSED, "{call}");
            }
        }
    }

    /// T28
    #[test]
    #[cfg(target_arch = "x86_64")]
    fn no_call_comes_back_under_a_number_of_x32() {
        for call in NEVER.iter().chain(NEVER_HERE).chain(X32.1) {
            assert_eq!(verdict(HERE, call | X32.0, [0; 6]), REFUSED, "{call}");
        }
        assert_eq!(verdict(HERE, c::SYS_socket | X32.0, [17; 6]), REFUSED);
    }

    #[test]
    fn what_daemons_and_libraries_do_is_allowed() {
        let calls = [
            c::SYS_read,
            c::SYS_openat,
            c::SYS_clone,
            c::SYS_futex,
            c::SYS_getrandom,
            c::SYS_mlock,
            c::SYS_munlock,
            c::SYS_prlimit64,
            c::SYS_renameat2,
            c::SYS_fdatasync,
            c::SYS_inotify_add_watch,
            c::SYS_connect,
            c::SYS_accept4,
            c::SYS_sendmmsg,
            c::SYS_rseq,
            c::SYS_madvise,
            c::SYS_statx,
            c::SYS_tgkill,
            c::SYS_rt_sigaction,
            c::SYS_epoll_pwait,
            c::SYS_memfd_create,
            1000,
        ];
        for call in calls {
            assert_eq!(verdict(HERE, call, [0; 6]), ALLOWED, "{call}");
            let unknown = run(&unknown(HERE).unwrap(), HERE, call, [0; 6]);
            assert_eq!(unknown, ALLOWED, "{call}");
        }
    }

    /// T28
    #[test]
    fn threads_are_made_and_namespaces_are_not() {
        let clone = |flags: c::c_int| verdict(HERE, c::SYS_clone, [bits(flags), 0, 0, 0, 0, 0]);
        // As glibc and musl make threads, and as fork makes a process.
        let thread = c::CLONE_VM
            | c::CLONE_FS
            | c::CLONE_FILES
            | c::CLONE_SIGHAND
            | c::CLONE_THREAD
            | c::CLONE_SYSVSEM
            | c::CLONE_SETTLS
            | c::CLONE_PARENT_SETTID
            | c::CLONE_CHILD_CLEARTID;
        let process = c::CLONE_CHILD_SETTID | c::CLONE_CHILD_CLEARTID | c::SIGCHLD;
        for flags in [thread, thread | c::CLONE_DETACHED, process] {
            assert_eq!(clone(flags), ALLOWED);
            for namespace in NAMESPACES {
                assert_eq!(clone(flags | namespace), REFUSED, "{namespace:#x}");
            }
        }
        let old_kernel = 0x0005_0000 | c::ENOSYS as u32;
        let unknown = unknown(HERE).unwrap();
        assert_eq!(run(&unknown, HERE, c::SYS_clone3, [0; 6]), old_kernel);
    }

    #[test]
    fn some_arguments_only_are_refused() {
        let first = |value: c::c_int| [bits(value), 0, 0, 0, 0, 0];
        let second = |one: c::c_int, two: u64| [bits(one), two, 0, 0, 0, 0];
        let third = |value: c::c_int| [0, 0, bits(value), 0, 0, 0];
        for family in FAMILIES {
            assert_eq!(verdict(HERE, c::SYS_socket, first(family)), ALLOWED);
        }
        for family in [c::AF_PACKET, c::AF_VSOCK, c::AF_ALG, c::AF_BLUETOOTH, -1] {
            assert_eq!(verdict(HERE, c::SYS_socket, first(family)), REFUSED);
        }
        for call in [c::SYS_mmap, c::SYS_mprotect, c::SYS_pkey_mprotect] {
            let (write, run) = (c::PROT_READ | c::PROT_WRITE, c::PROT_READ | c::PROT_EXEC);
            assert_eq!(verdict(HERE, call, third(write)), ALLOWED);
            // A library that a name service loads.
            assert_eq!(verdict(HERE, call, third(run)), ALLOWED);
            assert_eq!(verdict(HERE, call, third(write | run)), REFUSED);
        }
        // FIONREAD; TIOCSTI, also with bits that the kernel does not look at.
        assert_eq!(verdict(HERE, c::SYS_ioctl, second(0, 0x541b)), ALLOWED);
        assert_eq!(verdict(HERE, c::SYS_ioctl, second(0, 0x5412)), REFUSED);
        assert_eq!(
            verdict(HERE, c::SYS_ioctl, second(0, 1 << 32 | 0x5412)),
            REFUSED
        );
        let prctl = |value| verdict(HERE, c::SYS_prctl, second(c::PR_SET_DUMPABLE, value));
        assert_eq!((prctl(0), prctl(1)), (ALLOWED, REFUSED));
        let set_name = second(c::PR_SET_NAME, 1);
        assert_eq!(verdict(HERE, c::SYS_prctl, set_name), ALLOWED);
    }

    #[test]
    fn the_filter_fits_into_the_kernel_on_every_architecture() {
        for arch in [TargetArch::x86_64, TargetArch::aarch64] {
            let length = program(arch).unwrap().len();
            assert!((100..4096).contains(&length), "{length}");
        }
    }
}
