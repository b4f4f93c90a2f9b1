//! Programs that are no identity, because what they do is decided by whoever starts them.

use std::path::Path;

/// Without digits, dots and hyphens at the end: `python3.12` is `python`.
const INTERPRETERS: [&str; 46] = [
    "R", "Rscript", "ash", "awk", "bash", "bun", "busybox", "csh", "dash", "deno", "dotnet",
    "elvish", "env", "erl", "expect", "fish", "gawk", "gdb", "groovy", "guile", "irb", "java",
    "jshell", "julia", "ksh", "lua", "luajit", "mawk", "mksh", "mono", "node", "nodejs", "nu",
    "perl", "php", "php-cli", "pwsh", "pypy", "python", "rbash", "ruby", "sh", "tclsh", "tcsh",
    "uv", "zsh",
];

/// Why the program proves nothing, if it does not.
pub(super) fn program(exe: &Path) -> Option<&'static str> {
    let name = exe.file_name()?.to_str()?;
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | '-'));
    if INTERPRETERS.contains(&stem) || INTERPRETERS.contains(&name) {
        return Some(
            "it runs whatever it is told to; take the unit of the job, or a user of its own",
        );
    }
    if name.starts_with("ld-") || name.starts_with("ld.so") || name.starts_with("qemu-") {
        return Some("it runs other programs under its own name");
    }
    if name == "sfvault" {
        return Some(
            "`sfvault` hands on what it gets to whoever started it; take the unit of the job, or a user of its own",
        );
    }
    None
}
