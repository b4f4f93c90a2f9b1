//! The commands that both programs tell people to run, read out of the sources and the README.

use std::{collections::BTreeSet, fs, path::Path};

use clap::{Parser as _, error::ErrorKind};

use super::{Cli, Command};

/// What is between backticks and begins with `sfvault`, with something in the place of what is filled in.
fn commands(text: &str) -> BTreeSet<String> {
    let text = joined(text);
    let quoted = text.split('`').skip(1);
    let ours = quoted.filter(|quoted| quoted.starts_with("sfvault ") && !quoted.contains('\n'));
    ours.map(filled).collect()
}

/// Literals that go on in the next line, in one.
fn joined(text: &str) -> String {
    let mut parts = text.split("\\\n");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.trim_start())
}

fn filled(command: &str) -> String {
    let command = command.replace("{flow}{settings}", "soap-login");
    let mut text = String::new();
    for part in command.split('{') {
        match part.split_once('}') {
            Some((_, rest)) => text = text + "prod" + rest,
            None => text += part,
        }
    }
    text.replace("--pid PID", "--pid 1")
        .replace("--flow FLOW", "--flow soap-login")
}

/// What is wrong with the command; nothing if all is well. A command's name alone is no more than its name.
fn complaint(command: &str) -> Option<String> {
    let words = command.split_whitespace();
    let is_name = words.clone().count() == 2;
    match Cli::try_parse_from(words) {
        Ok(Cli {
            command: Command::Migrate(migrate),
            ..
        }) => migrate.check().err().map(|failure| format!("{failure:?}")),
        Ok(_) => None,
        Err(error) => {
            let kind = error.kind();
            let is_asked = matches!(kind, ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            let is_only_named = is_name && kind == ErrorKind::MissingRequiredArgument;
            (!is_asked && !is_only_named).then(|| error.to_string())
        }
    }
}

fn read(path: &Path, texts: &mut Vec<String>) {
    for entry in fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        // Tests may hold commands that are wrong.
        if path.is_dir() && !path.ends_with("tests") {
            read(&path, texts);
        } else if path.extension().is_some_and(|end| end == "rs") && !path.ends_with("printed.rs") {
            let text = fs::read_to_string(path).unwrap();
            let code = text
                .split("#[cfg(test)]\nmod tests")
                .next()
                .unwrap_or_default();
            texts.push(code.to_owned());
        }
    }
}

#[test]
fn every_command_that_is_printed_can_be_run() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut texts = Vec::new();
    read(&root.join("client/src"), &mut texts);
    read(&root.join("daemon/src"), &mut texts);
    let found: BTreeSet<String> = texts.iter().flat_map(|text| commands(text)).collect();
    for known in ["sfvault unlock", "sfvault check prod --release"] {
        assert!(found.contains(known), "{found:?}");
    }
    let wrong: Vec<_> = found
        .iter()
        .filter_map(|command| Some(format!("{command}: {}", complaint(command)?)))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_command_of_the_readme_can_be_run() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let text = joined(&fs::read_to_string(readme).unwrap());
    let shell = text
        .split("```")
        .filter_map(|block| block.strip_prefix("sh\n"));
    let lines = shell.flat_map(str::lines).map(str::trim_start);
    let commands = lines.filter_map(|line| {
        let command = line.starts_with("sfvault ").then_some(line)?;
        command.split(" #").next()
    });
    let mut count = 0;
    for command in commands {
        assert_eq!(complaint(command), None, "{command}");
        count += 1;
    }
    assert!(count > 20, "{count}");
}

#[test]
fn a_command_that_lacks_something_is_found() {
    for wrong in [
        "sfvault migrate prod --login-url https://x",
        "sfvault migrate prod --flow client-credentials",
        "sfvault add prod",
        "sfvault frobnicate",
    ] {
        assert!(complaint(wrong).is_some(), "{wrong}");
    }
    let literal =
        "say `sfvault migrate {name} --flow \\\n   soap-login`, or `x`, `sfvault show {0}`";
    let expected = [
        "sfvault migrate prod --flow soap-login",
        "sfvault show prod",
    ];
    assert_eq!(commands(literal), expected.map(str::to_owned).into());
}
