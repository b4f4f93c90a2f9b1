//! What the daemon's parts may know of each other, read from their sources.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A word that only these files may hold, tests excepted.
struct Rule {
    word: &'static str,
    allowed: &'static [&'static str],
}

const DAEMON: [Rule; 10] = [
    Rule {
        word: "tonic",
        allowed: &["api/"],
    },
    Rule {
        word: "prost",
        allowed: &["api/"],
    },
    Rule {
        word: "sfvault_proto",
        allowed: &["api/"],
    },
    Rule {
        word: "Status::with",
        allowed: &["api/status.rs"],
    },
    Rule {
        word: "hyper::",
        allowed: &["salesforce/http.rs"],
    },
    Rule {
        word: "redb::",
        allowed: &["store/"],
    },
    Rule {
        word: "use ring::",
        allowed: &[
            "audit/chain.rs",
            "salesforce/assertion.rs",
            "salesforce/authorize.rs",
            "salesforce/oauth/answer.rs",
            "salesforce/private_key.rs",
            "secret.rs",
            "store/seal.rs",
            "store/slots.rs",
        ],
    },
    Rule {
        word: "region::",
        allowed: &["locked.rs"],
    },
    Rule {
        word: "task::spawn(",
        allowed: &[
            "session/ending.rs",
            "session/keeper.rs",
            "session/refresh.rs",
            "session/turn.rs",
            // It waits for the end of a process, and starts nothing.
            "vault/holding.rs",
        ],
    },
    Rule {
        word: "SystemTime::now",
        allowed: &["clock.rs"],
    },
];

/// Which parts may be named by which: arrows point inward.
const INWARD: [(&str, &[&str]); 5] = [
    ("api", &["daemon.rs", "fuzz/"]),
    ("vault", &["daemon.rs", "api/", "fuzz/"]),
    ("session", &["vault/", "api/"]),
    (
        "audit",
        &[
            "config/",
            "daemon.rs",
            "api/",
            "fuzz/",
            "session/",
            "vault/",
        ],
    ),
    (
        "store",
        &[
            "audit/",
            "config/",
            "daemon.rs",
            "error.rs",
            "fuzz/",
            "vault/",
            "session/",
            "api/status.rs",
        ],
    ),
];

#[test]
fn words_of_one_layer_stay_in_it() {
    let daemon = sources("daemon/src");
    for Rule { word, allowed } in DAEMON {
        assert_only(&daemon, word, allowed);
    }
    for (module, allowed) in INWARD {
        // The same module as a path of its own and as a line of a `use crate::{…}` block.
        let (path, line) = (
            format!("crate::{module}::"),
            format!(
                "
    {module}::"
            ),
        );
        let outside: Vec<_> = daemon
            .iter()
            .filter(|(name, _)| !name.starts_with(&format!("{module}/")))
            .map(|(name, text)| (name.clone(), text.replace(&line, &path)))
            .collect();
        assert_only(&outside, &path, allowed);
    }
}

#[test]
fn the_daemon_prints_nothing_but_its_help_and_the_client_prints_in_one_file() {
    let (daemon, client) = (sources("daemon/src"), sources("client/src"));
    for word in ["println!", "print!", "eprintln!"] {
        assert_only(&daemon, word, &[]);
        assert_only(&client, word, &[]);
    }
    assert_only(&daemon, "io::stdout()", &["main.rs"]);
    assert_only(&client, "stdio::stdout()", &["cli/output.rs"]);
}

#[test]
fn the_clients_commands_know_no_wire_types() {
    for word in ["tonic", "sfvault_proto", "prost"] {
        let commands: Vec<_> = sources("client/src")
            .into_iter()
            .filter(|(name, _)| name.starts_with("cli/"))
            .collect();
        assert!(!commands.is_empty());
        assert_only(&commands, word, &[]);
    }
}

#[test]
fn the_machine_asks_no_clock_network_or_disk() {
    let daemon = sources("daemon/src");
    let files = [
        "session/machine.rs",
        "session/decision.rs",
        "session/refusals.rs",
        "session/back_off.rs",
        "ledger.rs",
    ];
    for file in files {
        assert!(daemon.iter().any(|(name, _)| name == file), "no {file}");
    }
    for (file, text) in daemon {
        if !files.contains(&file.as_str()) && !file.starts_with("session/machine/") {
            continue;
        }
        for word in ["tokio", "async", "std::fs", "crate::store", "clock"] {
            assert!(!text.contains(word), "{file} holds `{word}`");
        }
    }
}

#[track_caller]
fn assert_only(sources: &[(String, String)], word: &str, allowed: &[&str]) {
    let holders: Vec<_> = sources
        .iter()
        .filter(|(_, text)| text.contains(word))
        .map(|(name, _)| name)
        .collect();
    let strangers: Vec<_> = holders
        .iter()
        .filter(|name| !allowed.iter().any(|prefix| name.starts_with(prefix)))
        .collect();
    assert!(strangers.is_empty(), "`{word}` stands in {strangers:?}");
    // A rule about a word that nobody uses any more holds nothing.
    assert_eq!(
        holders.is_empty(),
        allowed.is_empty(),
        "nobody holds `{word}`"
    );
}

/// File names below the directory, and their code without comments and tests.
fn sources(directory: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .join(directory);
    let mut found = Vec::new();
    collect(&root, &mut found);
    assert!(found.len() > 10, "the sources have moved");
    found
        .into_iter()
        .filter(|path| {
            !path.ends_with("tests.rs")
                && !path.components().any(|part| part.as_os_str() == "tests")
        })
        .filter(|path| !path.ends_with("loopback.rs"))
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            let code = text
                .split("#[cfg(test)]\nmod tests")
                .next()
                .unwrap_or_default();
            let code: Vec<_> = code
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"))
                .collect();
            (
                path.strip_prefix(&root).unwrap().display().to_string(),
                code.join("\n"),
            )
        })
        .collect()
}

fn collect(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}
