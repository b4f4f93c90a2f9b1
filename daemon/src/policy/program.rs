//! Whether a file can stand in a rule: only if nobody else can put another program in its place.

use std::{fs, os::unix::fs::MetadataExt as _, path::Path};

use crate::{
    paths::{check_way, own_uid},
    witness::Sight,
};

/// Looks at the file of a rule once, when the rule is made.
///
/// # Errors
/// If there is no such program, it is a script, it has another real path, or somebody besides root and the daemon's user
/// could replace it.
pub fn check_program(exe: &Path, sight: &Sight) -> Result<(), String> {
    let shown = exe.display();
    let wrong = |error: &dyn std::fmt::Display| format!("`{shown}`: {error}");
    let real = fs::canonicalize(exe).map_err(|error| wrong(&error))?;
    if real != exe {
        return Err(format!(
            "`{shown}` is a link; give the file that it leads to, `{}`",
            real.display()
        ));
    }
    let meta = fs::metadata(exe).map_err(|error| wrong(&error))?;
    if !meta.is_file() || meta.mode() & 0o111 == 0 {
        return Err(format!("`{shown}` is no program"));
    }
    if (meta.uid() != 0 && meta.uid() != own_uid()) || meta.mode() & 0o022 != 0 {
        return Err(format!(
            "`{shown}` can be changed by others than root and the daemon's user, so it proves nothing"
        ));
    }
    if let Some(directory) = exe.parent() {
        check_way(directory).map_err(|error| error.to_string())?;
    }
    if sight.is_script(exe).map_err(|why| wrong(&why))? {
        return Err(format!(
            "`{shown}` is a script: its process runs the interpreter, which is no identity; take the unit of the job"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    /// T12
    #[test]
    fn a_file_that_others_could_replace_and_a_script_are_no_program() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let make = |name: &str, text: &str, mode| {
            fs::write(path(name), text).unwrap();
            fs::set_permissions(path(name), fs::Permissions::from_mode(mode)).unwrap();
        };
        make("good", "\x7fELF", 0o755);
        make("open", "\x7fELF", 0o775);
        make("data", "\x7fELF", 0o644);
        make("script", "#!/bin/sh\n", 0o755);
        symlink(path("good"), path("link")).unwrap();
        fs::create_dir(path("wide")).unwrap();
        make("wide/good", "\x7fELF", 0o755);
        fs::set_permissions(path("wide"), fs::Permissions::from_mode(0o777)).unwrap();
        assert_eq!(check_program(&path("good"), &Sight::Own), Ok(()));
        for (name, problem) in [
            ("open", "proves nothing"),
            ("data", "no program"),
            ("script", "is a script"),
            ("link", "is a link"),
            ("wide/good", "others can write to it"),
            ("none", "No such file"),
        ] {
            let refused = check_program(&path(name), &Sight::Own).unwrap_err();
            assert!(refused.contains(problem), "{name}: {refused}");
        }
    }
}
