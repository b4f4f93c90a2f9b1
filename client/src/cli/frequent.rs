//! The commands that jobs start all day, parsed without the others: to define all of them takes longer than to get a
//! session that the daemon has.

use std::ffi::OsString;

use clap::{Args, Parser};

use super::{Cli, Command, Options, exec::Exec, get::Get};

/// One command, without the flags that print texts.
#[derive(Debug, Parser)]
#[command(disable_help_flag = true, disable_version_flag = true)]
struct Alone<C: Args> {
    #[command(flatten)]
    command: C,

    #[command(flatten)]
    options: Options,
}

/// The command line, if it is one of these and nothing is wrong with it; whatever else it is, the whole definition
/// says.
pub(super) fn parse(arguments: &[OsString]) -> Option<Cli> {
    // The command's name stands where clap expects that of the program.
    let (_, line) = arguments.split_first()?;
    let (command, options) = match line.first()?.to_str()? {
        "get" => {
            let Alone::<Get> { command, options } = Alone::try_parse_from(line).ok()?;
            (Command::Get(command), options)
        }
        "exec" => {
            let Alone::<Exec> { command, options } = Alone::try_parse_from(line).ok()?;
            (Command::Exec(command), options)
        }
        _ => return None,
    };
    Some(Cli { command, options })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both definitions are made of the same parts; this holds that they stay so.
    #[test]
    fn the_short_way_reads_what_the_long_way_reads() {
        for line in [
            "get prod",
            "get prod --json",
            "get --format env prod --min-ttl 30m --no-color",
            "get prod --refused-generation 7 --expect-org 00Dxx0000001gPL --wait 10m --no-autostart",
            "get prod --expect-sandbox",
            "exec prod -- sh -c true",
            "exec prod --expect-production -- true",
            "exec --min-ttl 1h prod --no-autostart -- env --json",
        ] {
            let arguments: Vec<OsString> = ["sfvault"]
                .into_iter()
                .chain(line.split(' '))
                .map(Into::into)
                .collect();
            let short = parse(&arguments).unwrap();
            let long = Cli::try_parse_from(&arguments).unwrap();
            assert_eq!(format!("{short:?}"), format!("{long:?}"), "{line}");
        }
    }

    #[test]
    fn what_is_wrong_or_asks_for_help_goes_the_long_way() {
        for line in [
            "get",
            "get --help",
            "get prod --format x",
            "exec prod",
            "get prod --expect-sandbox --expect-production",
            "list",
            "--json get prod",
            "-V",
        ] {
            let arguments: Vec<OsString> = ["sfvault"]
                .into_iter()
                .chain(line.split(' '))
                .map(Into::into)
                .collect();
            assert!(parse(&arguments).is_none(), "{line}");
        }
    }
}
