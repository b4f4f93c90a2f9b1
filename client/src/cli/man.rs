//! `sfvault man`: the manual pages, made of the help texts.

use std::{fs, io, path::PathBuf};

use clap::{Args, Command};
use clap_mangen::Man;

use super::{context::Context, failure::Failure};

#[derive(Debug, Args)]
pub(crate) struct ManPages {
    /// Write the pages of all commands into this directory, which is made if need be
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl ManPages {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let pages = pages()
            .map_err(|error| Failure::local(format!("can't make the manual pages: {error}")))?;
        let Some(dir) = self.dir else {
            let (_, main) = pages.into_iter().next().unwrap_or_default();
            return context.output.data(&main);
        };
        let write = || {
            fs::create_dir_all(&dir)?;
            pages
                .iter()
                .try_for_each(|(name, page)| fs::write(dir.join(format!("{name}.1")), page))
        };
        write().map_err(|error| {
            Failure::local(format!(
                "can't write manual pages to `{}`: {error}",
                dir.display()
            ))
        })
    }
}

/// Name and text of every page, the main one first.
fn pages() -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut main = super::definition().disable_help_subcommand(true);
    main.build();
    let mut pages = vec![("sfvault".to_owned(), page(&main)?)];
    for command in main
        .get_subcommands()
        .filter(|command| !command.is_hide_set())
    {
        let name = format!("sfvault-{}", command.get_name());
        for inner in command.get_subcommands() {
            let name = format!("{name}-{}", inner.get_name());
            let inner = inner.clone().display_name(&name);
            pages.push((name, page(&inner)?));
        }
        let command = command.clone().display_name(&name);
        pages.push((name, page(&command)?));
    }
    Ok(pages)
}

fn page(command: &Command) -> io::Result<Vec<u8>> {
    let man = Man::new(command.clone())
        .manual("sfvault")
        .source(concat!("sfvault ", env!("CARGO_PKG_VERSION")));
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    if let Some(more) = command.get_after_long_help() {
        page.extend_from_slice(sections(&more.to_string()).as_bytes());
    }
    // Old formatters read pages as Latin-1.
    Ok(String::from_utf8_lossy(&page)
        .replace('…', "...")
        .into_bytes())
}

/// The end of a long help as sections: a line that ends with a colon and is not indented is a heading.
fn sections(help: &str) -> String {
    let mut roff = String::new();
    for line in help.lines() {
        match line.strip_suffix(':') {
            Some(heading) if !line.starts_with(' ') => {
                let heading = heading.to_uppercase();
                roff.push_str(&format!(".fi\n.SH \"{heading}\"\n.nf\n"));
            }
            _ => {
                // The zero-width `\&` keeps a dot or quote at the start from being a request.
                let line = line.strip_prefix("  ").unwrap_or(line);
                let line = line.replace('\\', "\\e").replace('-', "\\-");
                roff.push_str("\\&");
                roff.push_str(&line);
                roff.push('\n');
            }
        }
    }
    roff.push_str(".fi\n");
    roff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_with_an_example() {
        let pages = pages().unwrap();
        let names: Vec<&str> = pages.iter().map(|(name, _)| name.as_str()).collect();
        let commands: usize = super::super::definition()
            .get_subcommands()
            .map(|command| 1 + command.get_subcommands().count())
            .sum();
        assert_eq!(names.len(), 1 + commands, "{names:?}");
        for (name, page) in &pages {
            let page = String::from_utf8(page.clone()).unwrap();
            assert!(page.contains("EXAMPLE") && page.is_ascii(), "{name}");
            assert!(name != "sfvault" || page.contains("EXIT STATUS"), "{page}");
        }
    }

    #[test]
    fn no_line_of_help_becomes_a_request_of_roff() {
        assert_eq!(
            sections("Example:\n  .so /etc/passwd\n  'x\n  a\\b-c"),
            ".fi\n.SH \"EXAMPLE\"\n.nf\n\\&.so /etc/passwd\n\\&'x\n\\&a\\eb\\-c\n.fi\n"
        );
    }
}
