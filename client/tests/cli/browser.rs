//! The browser that `set --open` starts.

use std::os::unix::fs::PermissionsExt as _;

use crate::fake::Fake;

#[test]
fn the_reset_page_is_opened_in_the_wanted_browser_and_told() {
    let fake = Fake::start();
    let seen = fake.dir().join("seen");
    let made = std::process::Command::new("mkfifo").arg(&seen).status();
    assert!(made.unwrap().success());
    let browser = fake.file(
        "browser",
        &format!(
            "#!/bin/sh\ncut -d ' ' -f 1,5 /proc/$$/stat > {0}.group\nprintf %s \"$*\" > {0}\n",
            seen.display()
        ),
    );
    std::fs::set_permissions(&browser, std::fs::Permissions::from_mode(0o700)).unwrap();
    let token = fake.file("tok", "canary");
    let set = [
        "set",
        "prod",
        "--open",
        "--token-file",
        token.to_str().unwrap(),
    ];
    let page = "https://login.salesforce.com/?startURL=%2Flightning%2Fsettings%2Fpersonal%2FResetApiToken%2Fhome";

    let none = fake.run(&set);
    assert!(none.status == 0 && none.stderr.contains(page), "{none:?}");
    assert!(none.stderr.contains("none could be started"), "{none:?}");
    assert!(none.stderr.contains("Reset My Security Token"), "{none:?}");

    let missing = fake
        .command(&set)
        .env("BROWSER", "/no/such/browser")
        .output()
        .unwrap();
    let missing = crate::fake::Ran::of(missing);
    assert!(
        missing.status == 0 && missing.stderr.contains("none could be started"),
        "{missing:?}"
    );

    let opened = fake
        .command(&set)
        .env(
            "BROWSER",
            format!("/no/such/browser:{} %s", browser.display()),
        )
        .output()
        .unwrap();
    assert!(opened.status.success());
    // The browser goes on after `sfvault`; opening the pipe waits for it.
    assert_eq!(std::fs::read_to_string(&seen).unwrap(), page);
    // A Ctrl-C at the prompt is for the prompt: the browser leads a group of its own.
    let group = std::fs::read_to_string(fake.dir().join("seen.group")).unwrap();
    let (pid, group) = group.trim().split_once(' ').unwrap();
    assert_eq!(pid, group);

    let ran = fake.run(&["set", "flow.client-credentials", "--open"]);
    assert!(
        ran.status == 2 && ran.stderr.contains("no security token to reset"),
        "{ran:?}"
    );
}
