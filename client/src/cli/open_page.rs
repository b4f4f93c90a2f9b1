//! A page in the browser of whoever is at the terminal.

use std::{
    env,
    ffi::{OsStr, OsString},
    process::{Command, Stdio},
};

use super::output::Output;

/// Says the URL, and opens it where there is a browser: the first of `$BROWSER`, else `xdg-open` where there is a
/// desktop. The URL is seen by every user of the host: it must hold no secret.
pub(crate) fn open(url: &str, output: Output) {
    output.done(url);
    let set = |name| env::var_os(name).filter(|value| !value.is_empty());
    let desktop = set("DISPLAY").or_else(|| set("WAYLAND_DISPLAY")).is_some();
    let Some(browser) = browser(set("BROWSER").as_deref(), desktop) else {
        output.done("open it in a browser: there is none here");
        return;
    };
    // It ends on its own time; what it says would stand amid a prompt.
    let started = Command::new(&browser)
        .arg(url)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    if let Err(error) = started {
        output.warning(&format!(
            "can't run the browser `{}`: {error}; open the page yourself",
            browser.display()
        ));
    }
}

/// `$BROWSER` is a list with colons. An entry with arguments of its own (`%s`) is no program's name; no shell reads it.
fn browser(wanted: Option<&OsStr>, desktop: bool) -> Option<OsString> {
    let wanted = wanted.and_then(|list| {
        let list = list.to_str()?;
        list.split(':')
            .find(|entry| !entry.is_empty() && !entry.contains([' ', '%']))
    });
    match wanted {
        Some(program) => Some(program.into()),
        None => desktop.then(|| "xdg-open".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_browser_is_the_wanted_one_else_the_desktop_s() {
        let wanted = |list: &str, desktop| browser(Some(OsStr::new(list)), desktop);
        assert_eq!(wanted("w3m:lynx", false), Some("w3m".into()));
        assert_eq!(
            wanted(":firefox --new-tab %s:lynx", true),
            Some("lynx".into())
        );
        assert_eq!(wanted("sh -c %s", false), None);
        assert_eq!(wanted("sh -c %s", true), Some("xdg-open".into()));
        assert_eq!(browser(None, true), Some("xdg-open".into()));
        assert_eq!(browser(None, false), None);
    }
}
