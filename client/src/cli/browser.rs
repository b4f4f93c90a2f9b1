//! Opens a page in the browser of whoever sits at this machine.

use std::{
    env,
    os::unix::process::CommandExt as _,
    process::{Command, Stdio},
};

/// Asks the desktop to open it; false if there is none, or nothing that could be asked. What becomes of it nobody knows.
/// Every user of the host can see the URL in the browser's arguments.
pub(crate) fn open(url: &str) -> bool {
    let set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    let wanted = env::var("BROWSER").unwrap_or_default();
    let desktop = set("DISPLAY") || set("WAYLAND_DISPLAY") || cfg!(target_os = "macos");
    commands(&wanted, desktop).any(|command| ask(&words(command, url)))
}

/// `$BROWSER` is a list with colons, as `xdg-open` reads it: the first that can be started is it.
fn commands(wanted: &str, desktop: bool) -> impl Iterator<Item = &str> {
    let named = |command: &&str| !command.trim().is_empty();
    let opener = match cfg!(target_os = "macos") {
        true => "open",
        false => "xdg-open",
    };
    let wanted = wanted.split(':').filter(named);
    let any = wanted.clone().next().is_some();
    wanted.chain((desktop && !any).then_some(opener))
}

/// `%s` in a command stands for the page; else the page comes last. No shell reads it.
fn words(command: &str, url: &str) -> Vec<String> {
    let placed = command.contains("%s");
    let words = command.split_whitespace();
    let last = (!placed).then(|| url.to_owned());
    words
        .map(|word| word.replace("%s", url))
        .chain(last)
        .collect()
}

fn ask(words: &[String]) -> bool {
    let Some((program, arguments)) = words.split_first() else {
        return false;
    };
    // It ends on its own time, not by a Ctrl-C at our prompt; what it says would stand amid that.
    Command::new(program)
        .process_group(0)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_browser_is_the_wanted_one_else_the_desktop_s() {
        let of = |list, desktop| commands(list, desktop).collect::<Vec<_>>();
        assert_eq!(of("w3m:lynx", true), ["w3m", "lynx"]);
        assert_eq!(of(": :lynx -x:", false), ["lynx -x"]);
        assert_eq!(of("", false), [""; 0]);
        assert_eq!(of(" ", true).len(), 1);
    }

    #[test]
    fn the_page_is_one_word_where_the_command_says_else_the_last() {
        for (command, asked) in [
            ("firefox", &["firefox", "https://x/?a b"][..]),
            (
                "x --new-tab %s -q",
                &["x", "--new-tab", "https://x/?a b", "-q"],
            ),
            ("x --url=%s", &["x", "--url=https://x/?a b"]),
        ] {
            assert_eq!(words(command, "https://x/?a b"), asked);
        }
    }
}
