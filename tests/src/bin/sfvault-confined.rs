//! What a confined daemon can and can't do, tried from inside: the daemon's own code confines this process, which then
//! does what the daemon has no way to be told to do. It also can take the protections away that old kernels lack.
//!
//! `sfvault-confined try ACTION:ARGUMENT...` prints a line for each: `ok`, or the number of the error.
//! `sfvault-confined on-old-kernel PROGRAM` becomes the program.
//! `sfvault-confined trace PID` attaches to a process, as a debugger does, and lets go.

use std::{
    env, fs, io,
    net::{TcpListener, TcpStream, ToSocketAddrs as _},
    os::unix::{net::UnixListener, process::CommandExt as _},
    process::{Command, ExitCode, Stdio},
    thread,
};

use nix::{sys::ptrace, unistd::Pid};
use region::Protection;
use rustix::{
    net::{AddressFamily, SocketType, socket},
    process::{DumpableBehavior, set_dumpable_behavior},
};
use seccompiler::{SeccompAction, SeccompFilter, TargetArch, apply_filter};
use sfvaultd::{
    config::Config,
    harden::{confine, harden, needs::Needs},
    mode::Mode,
    paths::Paths,
    salesforce::environment::Environment,
};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments.as_slice() {
        ["try", actions @ ..] => try_all(actions),
        ["on-old-kernel", program] => on_old_kernel(program),
        ["trace", pid] => trace(pid),
        _ => Err("see the first lines of sfvault-confined.rs".into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

type Problem = Box<dyn std::error::Error>;

fn try_all(actions: &[&str]) -> Result<(), Problem> {
    let paths = Paths::from_environment()?;
    let config = Config::load(&paths.config_file())?;
    paths.prepare(Mode::from_environment(&paths.runtime)?)?;
    let _ = harden();
    let needs = Needs::of(&paths, &config.salesforce, &Environment::read());
    let _ = confine(config.hardening, &needs);
    for action in actions {
        let (action, argument) = action.split_once(':').unwrap_or((action, ""));
        match act(action, argument)? {
            Ok(()) => println!("ok"),
            Err(error) => println!("{}", error.raw_os_error().ok_or_else(|| error.to_string())?),
        }
    }
    Ok(())
}

fn act(action: &str, argument: &str) -> Result<io::Result<()>, Problem> {
    let region = |error| match error {
        region::Error::SystemCall(error) => error,
        other => io::Error::other(other),
    };
    Ok(match action {
        "read" => fs::read(argument).map(drop),
        "list" => fs::read_dir(argument).map(drop),
        "write" => fs::OpenOptions::new().write(true).open(argument).map(drop),
        "make" => fs::File::create_new(argument).map(drop),
        "make-dir" => fs::create_dir(argument),
        "make-socket" => UnixListener::bind(argument).map(drop),
        "remove" => fs::remove_file(argument),
        "rename" => fs::rename(argument, format!("{argument}.moved")),
        "run" => Command::new(argument)
            .stdout(Stdio::null())
            .status()
            .map(drop),
        "become" => Err(Command::new(argument).exec()),
        "resolve" => (argument, 0).to_socket_addrs().map(drop),
        "connect" => TcpStream::connect(argument).map(drop),
        "listen" => TcpListener::bind(argument).map(drop),
        "socket" => {
            let family = AddressFamily::from_raw(argument.parse()?);
            let made = socket(family, SocketType::DGRAM, None);
            made.map(drop).map_err(io::Error::from)
        }
        "thread" => thread::Builder::new()
            .spawn(|| ())
            .map(|made| drop(made.join())),
        "be-dumpable" => set_dumpable_behavior(DumpableBehavior::Dumpable).map_err(io::Error::from),
        "trace" => ptrace::attach(Pid::from_raw(argument.parse()?)).map_err(io::Error::from),
        "memory-to-run" => region::alloc(1, Protection::READ_WRITE_EXECUTE)
            .map(drop)
            .map_err(region),
        "memory" => region::alloc(1, Protection::READ_WRITE)
            .map(drop)
            .map_err(region),
        _ => return Err(format!("there is no action `{action}`").into()),
    })
}

/// A kernel from before these calls answers ENOSYS.
fn on_old_kernel(program: &str) -> Result<(), Problem> {
    let calls = [
        libc::SYS_landlock_create_ruleset,
        libc::SYS_landlock_add_rule,
        libc::SYS_landlock_restrict_self,
        libc::SYS_seccomp,
    ];
    let unknown = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    let filter = SeccompFilter::new(
        calls.map(|call| (call, Vec::new())).into(),
        SeccompAction::Allow,
        unknown,
        TargetArch::try_from(env::consts::ARCH)?,
    )?;
    apply_filter(&seccompiler::BpfProgram::try_from(filter)?)?;
    Err(Command::new(program).exec().into())
}

fn trace(pid: &str) -> Result<(), Problem> {
    let pid = Pid::from_raw(pid.parse()?);
    ptrace::attach(pid)?;
    nix::sys::wait::waitpid(pid, None)?;
    Ok(ptrace::detach(pid, None)?)
}
