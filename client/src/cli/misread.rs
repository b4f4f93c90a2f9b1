//! Arguments that make no sense, and those that ask for help.

use std::ffi::OsString;

use clap::error::ErrorKind;

use super::{exit::Exit, failure::Failure, finish, output::Output};

/// Says what is wrong with the arguments, or shows the help that they ask for.
pub(crate) fn explain(error: &clap::Error, arguments: &[OsString]) -> Exit {
    // What follows `--` belongs to the command that `exec` runs.
    let own: Vec<&str> = arguments
        .iter()
        .map_while(|word| word.to_str())
        .take_while(|word| *word != "--")
        .collect();
    let output = Output::new(own.contains(&"--json"), own.contains(&"--no-color"));
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    ) {
        let help = error.render().to_string();
        return finish(
            output.data(format!("{}\n", help.trim_end()).as_bytes()),
            output,
        );
    }
    finish(Err(failure(error, &own)), output)
}

fn failure(error: &clap::Error, own: &[&str]) -> Failure {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return Failure::usage("no command is given", "`sfvault --help` shows the commands");
    }
    if own.iter().any(|word| gives_secret(word)) {
        return Failure::usage(
            "secrets are not taken from the command line, where every user of the host can read them",
            "use a file, stdin or the prompt; change a secret that was given so",
        );
    }
    let text = error.render().to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    // Advice and usage follow after an empty line.
    let message = text.split("\n\n").next().unwrap_or_default();
    let words: Vec<&str> = message.split_whitespace().collect();
    let help = "the command's `--help` says what it takes";
    let hint = match suggestion(text) {
        Some(suggestion) => format!("{suggestion}; {help}"),
        None => help.to_owned(),
    };
    Failure::usage(words.join(" "), hint)
}

/// What of the advice names a word that was perhaps meant, such as `a similar subcommand exists: 'login'`.
fn suggestion(text: &str) -> Option<&str> {
    let lines = text.lines().map(str::trim);
    let mut tips = lines.filter_map(|line| line.strip_prefix("tip: "));
    tips.find(|tip| tip.contains("similar"))
}

/// Whether the word is an option with which other programs take a secret.
fn gives_secret(word: &str) -> bool {
    let option = word.split_once('=').map_or(word, |(option, _)| option);
    matches!(
        option,
        "--password"
            | "--token"
            | "--security-token"
            | "--passphrase"
            | "--secret"
            | "--client-secret"
            | "--consumer-secret"
            | "--private-key"
            | "--refresh-token"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn misread(words: &[&str]) -> Failure {
        let error = super::super::definition()
            .try_get_matches_from(words)
            .unwrap_err();
        failure(&error, words)
    }

    #[test]
    fn a_secret_among_the_arguments_is_refused_and_not_repeated() {
        for words in [
            &["sfvault", "add", "prod", "--password", "canary"][..],
            &["sfvault", "set", "prod", "--token=canary"],
            &["sfvault", "unlock", "--passphrase=canary"],
        ] {
            let failure = misread(words);
            let message = failure.message().unwrap();
            assert!(message.starts_with("secrets are not taken"), "{message}");
            assert!(!failure.hint().unwrap().contains("canary"));
        }
    }

    #[test]
    fn a_word_that_was_perhaps_meant_is_named() {
        for (words, meant) in [
            (&["sfvault", "lgo"][..], "'login'"),
            (&["sfvault", "get", "x", "--min-tl", "1h"], "'--min-ttl'"),
            (&["sfvault", "get", "x", "--format", "jsn"], "'json'"),
        ] {
            let hint = misread(words).hint().unwrap();
            assert!(hint.contains(meant) && hint.contains("--help"), "{hint}");
        }
        assert!(
            !misread(&["sfvault", "xyzzy"])
                .hint()
                .unwrap()
                .contains("similar")
        );
    }

    #[test]
    fn what_is_wrong_is_said_in_one_line() {
        for (words, said) in [
            (&["sfvault"][..], "no command is given"),
            (
                &["sfvault", "frobnicate"],
                "unrecognized subcommand 'frobnicate'",
            ),
            (
                &[
                    "sfvault",
                    "add",
                    "prod",
                    "--username",
                    "u",
                    "--sandbox",
                    "--production",
                ],
                "cannot be used with",
            ),
            (
                &["sfvault", "add", "prod", "--username", "u"],
                "--login-url <URL>",
            ),
            (&["sfvault", "get", "../x"], "a record name has 1 to 64 of"),
            (
                &["sfvault", "get", "x", "--min-ttl", "1y"],
                "use numbers with",
            ),
            (
                &["sfvault", "get", "x", "--refused-generation", "0"],
                "--refused-generation",
            ),
            (&["sfvault", "get", "x", "--expect-org", "00D"], "15 or 18"),
            (&["sfvault", "exec", "x"], "<CMD>"),
            (
                &["sfvault", "exec", "x", "true"],
                "unexpected argument 'true'",
            ),
            (
                &[
                    "sfvault",
                    "add",
                    "x",
                    "--username",
                    "u",
                    "--sandbox",
                    "--stdin",
                    "--no-token",
                ],
                "--stdin",
            ),
            (
                &[
                    "sfvault",
                    "add",
                    "x",
                    "--username",
                    "u",
                    "--sandbox",
                    "--flow",
                    "oauth",
                ],
                "soap-login",
            ),
        ] {
            let failure = misread(words);
            let message = failure.message().unwrap();
            assert!(message.contains(said), "{message}");
            assert!(
                !message.contains('\n') && failure.exit().code() == 2,
                "{message}"
            );
        }
    }
}
