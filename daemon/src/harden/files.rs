//! Landlock on files: what is not named here can't be opened, made, removed or run.
//!
//! Rules hang on directories, not on files, for whoever replaces a file makes another one. Looking at a path (`stat`,
//! `readlink`) and connecting to a Unix socket are beyond Landlock.

use landlock::{
    ABI, Access as _, AccessFs, BitFlags, CompatLevel, Compatible as _, RestrictionStatus, Ruleset,
    RulesetAttr as _, RulesetCreatedAttr as _, RulesetError, make_bitflags, path_beneath_rules,
};

use super::{Protection, landlock_outcome, needs::Needs};

pub(super) const NAME: &str = "files";

/// The newest that was tried. A kernel that has more does not get more asked of it.
const TRIED: ABI = ABI::V5;

/// What the vault, the audit and the sockets need.
const CHANGE: BitFlags<AccessFs> = make_bitflags!(AccessFs::{
    ReadFile | WriteFile | Truncate | ReadDir | MakeReg | MakeDir | MakeSock | RemoveFile | Refer
});
const READ: BitFlags<AccessFs> = make_bitflags!(AccessFs::{ReadFile | ReadDir});
/// What it takes to make the runtime directory, its lock and its sockets anew where somebody removed it. No writing:
/// other programs have their files beside it.
const REMAKE: BitFlags<AccessFs> = make_bitflags!(AccessFs::{
    ReadFile | MakeDir | MakeReg | MakeSock | RemoveFile
});

pub(super) fn confine(needs: &Needs) -> Protection {
    let done = format!(
        "only `{}` and `{}` can be written, programs can't be run, and what is read is below {} directories",
        needs.data.display(),
        needs.runtime.display(),
        needs.read.len()
    );
    landlock_outcome(NAME, "5.13", done, restrict(needs))
}

fn restrict(needs: &Needs) -> Result<RestrictionStatus, RulesetError> {
    Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(TRIED))?
        .create()?
        // What is not there needs no rule.
        .add_rules(path_beneath_rules([&needs.data, &needs.runtime], CHANGE))?
        .add_rules(path_beneath_rules([&needs.remake], REMAKE))?
        .add_rules(path_beneath_rules(&needs.read, READ))?
        .restrict_self()
}
