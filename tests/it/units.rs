//! The systemd units, read as text and tried as far as that goes without systemd; `packaging/try-systemd` has the rest.

use std::{
    fs,
    os::unix::{
        fs::{MetadataExt as _, PermissionsExt as _},
        net::UnixListener,
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;
use sfvault_tests::installation::Installation;
use tempfile::TempDir;

use crate::{activation::activated, scene::ended};

/// The assignments of a unit, in order: `Section.Key` and value.
struct Unit {
    path: PathBuf,
    lines: Vec<(String, String)>,
}

impl Unit {
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        let mut section = "";
        let mut lines = Vec::new();
        for line in text.lines().filter(|line| !line.is_empty()) {
            if line.starts_with('#') {
                continue;
            }
            if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
                section = name;
                continue;
            }
            let (key, value) = line
                .split_once('=')
                .unwrap_or_else(|| panic!("{path:?}: {line}"));
            lines.push((format!("{section}.{key}"), value.to_owned()));
        }
        Self {
            path: path.to_owned(),
            lines,
        }
    }

    fn all(&self, key: &str) -> impl Iterator<Item = &str> {
        let of = self.lines.iter().filter(move |(name, _)| name == key);
        of.map(|(_, value)| value.as_str())
    }

    /// What is assigned once.
    #[track_caller]
    fn one(&self, key: &str) -> &str {
        let found: Vec<_> = self.all(key).collect();
        assert_eq!(found.len(), 1, "{key} in {:?}: {found:?}", self.path);
        found[0]
    }

    #[track_caller]
    fn words(&self, key: &str) -> Vec<&str> {
        self.one(key).split_whitespace().collect()
    }

    /// An octal mode.
    #[track_caller]
    fn mode(&self, key: &str) -> u32 {
        u32::from_str_radix(self.one(key), 8).unwrap()
    }

    #[track_caller]
    fn seconds(&self, key: &str) -> u64 {
        self.one(key).trim_end_matches('s').parse().unwrap()
    }
}

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn unit(of: &str, name: &str) -> Unit {
    Unit::read(&workspace().join("packaging/systemd").join(of).join(name))
}

const OF: [&str; 2] = ["system", "user"];

#[test]
fn services_leave_the_daemon_what_it_needs() {
    for of in OF {
        let service = unit(of, "sfvaultd.service");
        // It reads of its peers what the host knows of them, logs in over the network, and is not the owner of its
        // configuration. It tells when it is ready, and nothing afterwards.
        for (key, _) in &service.lines {
            for never in [
                "ConfigurationDirectory",
                "DynamicUser",
                "IPAddressDeny",
                "PrivateNetwork",
                "PrivatePIDs",
                "PrivateUsers",
                "ProcSubset",
                "ProtectProc",
                "RootDirectory",
                "WatchdogSec",
            ] {
                assert_ne!(key, &format!("Service.{never}"), "{of}");
            }
        }
        let calls = service.words("Service.SystemCallFilter");
        for call in [
            "@system-service",
            "landlock_add_rule",
            "landlock_create_ruleset",
            "landlock_restrict_self",
            "seccomp",
        ] {
            assert!(calls.contains(&call), "{of}: {call}");
        }
        for (key, value) in [
            ("Type", "notify"),
            ("ExecStart", "/usr/bin/sfvaultd"),
            ("Restart", "on-failure"),
            // 3 is for what another start may mend.
            ("RestartPreventExitStatus", "1 2 4"),
            ("SystemCallErrorNumber", "EPERM"),
            ("RestrictAddressFamilies", "AF_UNIX AF_INET AF_INET6"),
            ("NoNewPrivileges", "yes"),
            ("LimitCORE", "0"),
            ("UMask", "0077"),
        ] {
            assert_eq!(service.one(&format!("Service.{key}")), value, "{of}: {key}");
        }
        // 5 s for calls and 70 s for logins are the daemon's own.
        assert!(service.seconds("Service.TimeoutStopSec") > 75, "{of}");
        // Crashes alone must not reach the limit, which takes the sockets down for good. Each may count twice: as a
        // restart, and for a client that waits.
        let restarts = service.seconds("Unit.StartLimitIntervalSec")
            / service.seconds("Service.RestartSec").max(1);
        let burst = service.one("Unit.StartLimitBurst").parse::<u64>().unwrap();
        assert!(2 * restarts < burst, "{of}");
    }
}

#[test]
fn sockets_and_services_name_each_other() {
    let sockets = ["sfvault.socket", "sfvault-admin.socket"];
    for of in OF {
        let service = unit(of, "sfvaultd.service");
        assert_eq!(service.words("Unit.Requires"), sockets, "{of}");
        assert!(service.words("Unit.After").starts_with(&sockets), "{of}");
        assert_eq!(service.words("Install.Also"), sockets, "{of}");
        for socket in sockets {
            let socket = unit(of, socket);
            assert_eq!(socket.one("Socket.Service"), "sfvaultd.service", "{of}");
            assert_eq!(socket.one("Install.WantedBy"), "sockets.target", "{of}");
        }
        let unlock = unit(of, "sfvault-unlock.service");
        for key in ["Unit.Requires", "Unit.After"] {
            assert_eq!(unlock.one(key), "sfvaultd.service", "{of}");
        }
        // Whenever the daemon starts anew it is locked.
        let wanted = unlock.words("Install.WantedBy");
        assert!(wanted.contains(&"sfvaultd.service"), "{of}");
        for key in ["Unit.StartLimitIntervalSec", "Unit.StartLimitBurst"] {
            assert_eq!(unlock.one(key), service.one(key), "{of}: {key}");
        }
    }
}

#[test]
fn the_system_s_runtime_directory_is_the_daemon_s_and_outlives_it() {
    let service = unit("system", "sfvaultd.service");
    let user = service.one("Service.User");
    assert_eq!(service.one("Service.RuntimeDirectoryPreserve"), "yes");
    assert_eq!(service.one("Service.RuntimeDirectory"), "sfvault");
    let mode = service.mode("Service.RuntimeDirectoryMode");
    for socket in ["sfvault.socket", "sfvault-admin.socket"] {
        let socket = unit("system", socket);
        assert_eq!(socket.one("Socket.SocketUser"), user);
        assert_eq!(socket.mode("Socket.DirectoryMode"), mode);
    }
    let text = |name: &str| {
        fs::read_to_string(workspace().join("packaging/systemd/system").join(name)).unwrap()
    };
    let made = text("tmpfiles.conf");
    assert!(
        made.contains(&format!("\nd /run/sfvault {mode:04o} {user} {user}\n")),
        "{made}"
    );
    // The daemon reads it, and nobody but root says what is in it.
    assert!(made.contains("\nd /etc/sfvault 0755 root root\n"), "{made}");
    assert!(text("sysusers.conf").contains(&format!("\nu {user} - ")));
}

/// Sockets as systemd binds them by these units are the ones that the daemon asks for, and as open as it wants them.
#[tokio::test]
async fn sockets_of_the_units_are_taken_and_found_good() {
    for of in OF {
        let mut sfvault = Installation::without_config().unwrap();
        let units = ["sfvault.socket", "sfvault-admin.socket"].map(|name| unit(of, name));
        let passed = [&units[0], &units[1]].map(|unit| {
            let listen = Path::new(unit.one("Socket.ListenStream"));
            let directory = if of == "user" {
                "%t/sfvault"
            } else {
                "/run/sfvault"
            };
            assert_eq!(listen.parent(), Some(Path::new(directory)));
            let directory = fs::Permissions::from_mode(unit.mode("Socket.DirectoryMode"));
            fs::set_permissions(sfvault.path("run"), directory).unwrap();
            let path = sfvault.path("run").join(listen.file_name().unwrap());
            let listener = UnixListener::bind(&path).unwrap();
            let mode = fs::Permissions::from_mode(unit.mode("Socket.SocketMode"));
            fs::set_permissions(&path, mode).unwrap();
            listener.into()
        });
        let names: Vec<_> = units
            .iter()
            .map(|unit| unit.one("Socket.FileDescriptorName"))
            .collect();
        let mut daemon = activated(&sfvault, &names.join(":"), passed);
        daemon.env("SFVAULT_MODE", of);
        sfvault.start_as(daemon).unwrap();
        let mut doctor = sfvault.sfvault(["doctor", "--offline", "--all", "--json"]);
        let report = ended(doctor.env("SFVAULT_MODE", of).output().unwrap());
        let report: Value = serde_json::from_str(&report.stdout).unwrap();
        let sockets: Vec<_> = report["findings"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|finding| finding["check"] == "socket")
            .map(|finding| (finding["subject"].as_str(), finding["grade"].as_str()))
            .collect();
        let good = ["run/sfvault.sock", "run/admin.sock"].map(|name| sfvault.path(name));
        let good = good
            .each_ref()
            .map(|path| (path.to_str(), Some("good")))
            .to_vec();
        assert_eq!(sockets, good, "{of}: {report}");
        assert!(sfvault.stop().unwrap().success());
    }
}

#[tokio::test]
async fn the_command_of_the_unlock_units_unlocks() {
    let mut sfvault = Installation::without_config().unwrap();
    sfvault
        .configure("[vault]\nkdf_memory_mib = 8\nkdf_iterations = 1\n")
        .unwrap();
    let passphrase = sfvault.secret_file("passphrase", "correct horse").unwrap();
    let passphrase = passphrase.display().to_string();
    sfvault.start().unwrap();
    let made = ended(
        sfvault
            .run(&["init", "--passphrase-file", &passphrase])
            .unwrap(),
    );
    assert_eq!(made.status, 0, "{}", made.stderr);
    for of in OF {
        let unlock = unit(of, "sfvault-unlock.service");
        let mut words = unlock.one("Service.ExecStart").split_whitespace();
        assert_eq!(words.next(), Some("/usr/bin/sfvault"));
        let arguments: Vec<_> = words
            .map(|word| {
                if word.starts_with('%') {
                    &passphrase
                } else {
                    word
                }
            })
            .collect();
        assert!(arguments.contains(&passphrase.as_str()), "{arguments:?}");
        assert_eq!(ended(sfvault.run(&["lock"]).unwrap()).status, 0);
        let ran = ended(sfvault.run(&arguments).unwrap());
        assert_eq!(ran.status, 0, "{of}: {}", ran.stderr);
        assert!(ran.stderr.contains("unlocked"), "{of}: {}", ran.stderr);
    }
    assert!(sfvault.stop().unwrap().success());
}

/// `packaging/install` into a tree, with files in the place of the programs.
fn installed() -> TempDir {
    let base = TempDir::with_prefix("sfv-").unwrap();
    let dist = base.path().join("target/dist");
    fs::create_dir_all(&dist).unwrap();
    for program in ["sfvaultd", "sfvault"] {
        fs::write(dist.join(program), program).unwrap();
        fs::set_permissions(dist.join(program), fs::Permissions::from_mode(0o700)).unwrap();
    }
    let output = Command::new(workspace().join("packaging/install"))
        .env("CARGO_TARGET_DIR", base.path().join("target"))
        .env("DESTDIR", base.path().join("tree"))
        .env_remove("ZSH_COMPLETIONS")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let output = ended(output);
    assert_eq!(output.status, 0, "{}", output.stderr);
    base
}

#[test]
fn what_the_units_name_is_installed_beside_them() {
    let base = installed();
    let tree = base.path().join("tree");
    let there = |path: &str| tree.join(path.trim_start_matches('/'));
    for (path, mode) in [
        ("/usr/bin/sfvaultd", 0o755),
        ("/usr/bin/sfvault", 0o755),
        ("/usr/lib/sysusers.d/sfvault.conf", 0o644),
        ("/usr/lib/tmpfiles.d/sfvault.conf", 0o644),
        ("/usr/share/bash-completion/completions/sfvault", 0o644),
        ("/usr/share/man/man1/sfvault.1", 0o644),
    ] {
        let meta = fs::metadata(there(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert_eq!(meta.mode() & 0o7777, mode, "{path}");
    }
    let mut units = 0;
    for of in OF {
        for entry in fs::read_dir(there("/usr/lib/systemd").join(of)).unwrap() {
            let unit = Unit::read(&entry.unwrap().path());
            units += 1;
            for command in unit.all("Service.ExecStart") {
                let program = command.split_whitespace().next().unwrap();
                assert!(there(program).is_file(), "{:?}: {program}", unit.path);
            }
            for page in unit.words("Unit.Documentation") {
                let page = page.strip_prefix("man:").unwrap().replace("(1)", ".1");
                let page = format!("/usr/share/man/man1/{page}");
                assert!(there(&page).is_file(), "{:?}: {page}", unit.path);
            }
            let others = [
                "Unit.Requires",
                "Unit.After",
                "Socket.Service",
                "Install.Also",
            ];
            for other in others.into_iter().flat_map(|key| unit.all(key)) {
                for other in other.split(' ').filter(|name| name.starts_with("sfvault")) {
                    let other = unit.path.with_file_name(other);
                    assert!(other.is_file(), "{:?}: {other:?}", unit.path);
                }
            }
        }
    }
    let in_sources = OF.map(|of| {
        let names = fs::read_dir(workspace().join("packaging/systemd").join(of)).unwrap();
        names
            .filter(|name| {
                let name = name.as_ref().unwrap().path();
                name.extension().is_some_and(|end| end != "conf")
            })
            .count()
    });
    assert_eq!(units, in_sources.iter().sum::<usize>());
}

#[test]
fn without_programs_nothing_is_installed() {
    let base = TempDir::with_prefix("sfv-").unwrap();
    let output = Command::new(workspace().join("packaging/install"))
        .env("CARGO_TARGET_DIR", base.path().join("target"))
        .env("DESTDIR", base.path().join("tree"))
        .output()
        .unwrap();
    let output = ended(output);
    assert_eq!(output.status, 1);
    assert!(
        output.stderr.contains("packaging/build first"),
        "{}",
        output.stderr
    );
    assert!(!base.path().join("tree").exists());
}
