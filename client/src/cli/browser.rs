//! Opens a page in the browser of whoever sits at this machine.

use std::{
    env,
    process::{Command, Stdio},
};

/// Asks the desktop to open it; false if there is none, or nothing that could be asked. What becomes of it nobody knows.
pub(crate) fn open(url: &str) -> bool {
    let set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    // A list of commands, as `xdg-open` reads it; `%s` in one stands for the page.
    let chosen = env::var("BROWSER").unwrap_or_default();
    let chosen = chosen.split(':').find(|command| !command.trim().is_empty());
    let desktop = set("DISPLAY") || set("WAYLAND_DISPLAY") || cfg!(target_os = "macos");
    let opener = if cfg!(target_os = "macos") {
        "open"
    } else {
        "xdg-open"
    };
    match chosen {
        Some(command) => ask(command, url),
        None => desktop && ask(opener, url),
    }
}

fn ask(command: &str, url: &str) -> bool {
    let mut words = command.split_whitespace();
    let Some(program) = words.next() else {
        return false;
    };
    let mut asked = Command::new(program);
    let mut placed = false;
    for word in words {
        placed |= word.contains("%s");
        asked.arg(word.replace("%s", url));
    }
    if !placed {
        asked.arg(url);
    }
    asked
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .is_ok()
}
