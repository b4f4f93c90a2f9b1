//! The commands that jobs start all day, read without clap: to define their options takes longer than to get a session
//! that the daemon has.
//!
//! What is read here is read as clap reads it. Whatever is wrong, asks for help or is written in a way that is rare, is
//! clap's: it alone explains.

use std::ffi::OsString;

use super::{
    Cli, Command, Options,
    exec::Exec,
    get::Get,
    words::{Doubtful, Words},
};

/// The command line, if it is one of these and nothing about it is in doubt.
pub(super) fn parse(arguments: &[OsString]) -> Result<Cli, Doubtful> {
    let [_, name, line @ ..] = arguments else {
        return Err(Doubtful);
    };
    if name == "get" {
        let mut words = Words::new(line)?;
        let options = Options::read(&mut words);
        let command = Command::Get(Get::read(words)?);
        Ok(Cli { command, options })
    } else if name == "exec" {
        // What follows is the job's own, and its words may be anything.
        let mut parts = line.splitn(2, |word| word == "--");
        let mut words = Words::new(parts.next().unwrap_or_default())?;
        let job = parts.next().filter(|job| !job.is_empty()).ok_or(Doubtful)?;
        let options = Options::read(&mut words);
        let command = Command::Exec(Exec::read(words, job)?);
        Ok(Cli { command, options })
    } else {
        Err(Doubtful)
    }
}

#[cfg(test)]
mod tests {
    use clap::FromArgMatches as _;

    use super::*;

    fn arguments<'a>(words: impl IntoIterator<Item = &'a str>) -> Vec<OsString> {
        let words = words.into_iter().map(Into::into);
        [OsString::from("sfvault")]
            .into_iter()
            .chain(words)
            .collect()
    }

    /// What each way reads; none if it is no good.
    fn both_ways(
        arguments: &[OsString],
        definition: &mut clap::Command,
    ) -> (Option<String>, Option<String>) {
        let short = parse(arguments).ok();
        let long = definition
            .try_get_matches_from_mut(arguments)
            .and_then(|matches| Cli::from_arg_matches(&matches))
            .ok();
        (
            short.map(|cli| format!("{cli:?}")),
            long.map(|cli| format!("{cli:?}")),
        )
    }

    #[test]
    fn what_jobs_write_goes_the_short_way_to_what_the_long_way_reads() {
        let mut definition = super::super::definition();
        for line in [
            "get prod",
            "get prod --json",
            "get --format env prod --min-ttl 30m --no-color",
            "get prod --refused-generation 7 --expect-org 00Dxx0000001gPL --wait 10m --no-autostart",
            "get prod --expect-sandbox",
            "get --format=header --wait=1h prod",
            "get prod --follow",
            "exec prod --refresh-file /run/user/1000/prod.json -- true",
            "exec prod -- sh -c true",
            "exec prod --expect-production -- true",
            "exec --min-ttl 1h prod --no-autostart -- env --json",
        ] {
            let (short, long) = both_ways(&arguments(line.split(' ')), &mut definition);
            assert!(short.is_some(), "{line}");
            assert_eq!(short, long, "{line}");
        }
    }

    /// All lines of four words after the command's name, and all shorter ones.
    #[test]
    fn no_line_means_one_thing_to_the_short_way_and_another_to_the_long_way() {
        const WORDS: [&str; 19] = [
            "prod",
            "help",
            "7",
            "30m",
            "json",
            "",
            "-",
            "--",
            "-1",
            "-h",
            "--help",
            "--json",
            "--jso",
            "--no-color=1",
            "--format",
            "--format=url",
            "--min-ttl",
            "--min-ttl=",
            "--refused-generation",
        ];
        let mut definition = super::super::definition();
        let mut read = 0;
        let mut lines = vec![vec!["get"], vec!["exec"]];
        for _ in 0..4 {
            lines = lines
                .iter()
                .flat_map(|line| WORDS.iter().map(|&word| [&line[..], &[word]].concat()))
                .collect();
            for line in &lines {
                let arguments = arguments(line.iter().copied());
                // What the short way leaves alone can't go wrong in it.
                if parse(&arguments).is_ok() {
                    let (short, long) = both_ways(&arguments, &mut definition);
                    assert_eq!(short, long, "{line:?}");
                    read += 1;
                }
            }
        }
        assert!(read > 1_000, "{read}");
    }

    #[test]
    fn every_option_can_go_the_short_way() {
        let mut definition = super::super::definition();
        definition.build();
        for name in ["get", "exec"] {
            let command = definition.find_subcommand(name).unwrap().clone();
            let options = command.get_arguments().filter_map(clap::Arg::get_long);
            for option in options.filter(|option| *option != "help") {
                let values = ["", "=30m", "=7", "=json", "=00Dxx0000001gPL"];
                let taken = values.iter().any(|value| {
                    let option = format!("--{option}{value}");
                    let line = [name, "prod", &option, "--", "true"];
                    let line = &line[..if name == "get" { 3 } else { 5 }];
                    parse(&arguments(line.iter().copied())).is_ok()
                });
                assert!(taken, "{name} --{option}");
            }
        }
    }

    #[test]
    fn what_is_wrong_or_asks_for_help_goes_the_long_way() {
        for line in [
            "get",
            "get --help",
            "get prod --format x",
            "get prod --json --json",
            "get prod --min-ttl --json 30m",
            "get prod uat",
            "exec prod",
            "get prod --expect-sandbox --expect-production",
            "exec prod --",
            "list",
            "--json get prod",
            "-V",
        ] {
            assert!(parse(&arguments(line.split(' '))).is_err(), "{line}");
        }
    }
}
