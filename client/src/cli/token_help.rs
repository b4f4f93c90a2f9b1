//! The life of a security token, for people who need a new one. Hints name the help of `set`, which ends with this.

use sfvault::RecordStatus;

use super::{browser, failure::Failure, flow::FlowName, output::Output, secret_kind::SecretKind};

/// Where a security token is reset, and what to know of it ("Reset Your Security Token", Salesforce Help; that profiles
/// with login IP ranges have no token: article 000182450).
pub(crate) const TEXT: &str = "
Security tokens:
  The record's own user makes a new one under
    Lightning  the avatar, Settings > My Personal Information > Reset My Security Token
    Classic    My Settings > Personal > Reset My Security Token,
               or Setup > Personal Setup > My Personal Information > Reset My Security Token
  --open opens that page. Every change or reset of the password makes a new token, too.
  The old token ends at once, for all who log in with it.

  Each user has a token of its own in each environment: production, each sandbox, Developer
  Edition. After the refresh of a sandbox its users need new tokens.

  The token comes by mail to the user's address and is shown nowhere. If no mail comes, look into
  the spam folder, check the address under Settings > My Personal Information, and allow some
  minutes. Where the menu has no Reset My Security Token, the user's profile has Login IP Ranges:
  from inside them the login needs no token, say --no-token. An API-only user can't open the
  page: an administrator must give it a profile with a user interface for that moment.
";

/// Says all that to whoever is at the terminal, and opens the page where the record's user resets the token.
///
/// # Errors
/// If the record's flow has no security token, or its login URL is none.
pub(crate) fn show(record: &RecordStatus, flow: FlowName, output: Output) -> Result<(), Failure> {
    if !flow.secrets().contains(&SecretKind::SecurityToken) {
        return Err(Failure::usage(
            format!("the flow `{}` has no security token to reset", flow.name()),
            "leave `--open` out",
        ));
    }
    let page = page(&record.login_url)?;
    TEXT.trim().lines().for_each(|line| output.done(line));
    output.done(&page);
    if !browser::open(&page) {
        output.done("open it in a browser: none could be started here");
    }
    Ok(())
}

/// The page of the org that the login URL leads to. At a host that all orgs share, the page comes after the login.
fn page(login_url: &str) -> Result<String, Failure> {
    let host = login_url.strip_prefix("https://").unwrap_or_default();
    let is_host = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':');
    if host.is_empty() || !host.bytes().all(is_host) {
        return Err(Failure::local(
            "the record's login URL is not `https://` and a host",
        ));
    }
    let shared = host.starts_with("login.") || host.starts_with("test.");
    Ok(if shared {
        format!(
            "https://{host}/?startURL=%2Flightning%2Fsettings%2Fpersonal%2FResetApiToken%2Fhome"
        )
    } else {
        format!("https://{host}/lightning/settings/personal/ResetApiToken/home")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_of_the_record_s_own_host() {
        for (login, page_of) in [
            (
                "https://acme--uat.sandbox.my.salesforce.com",
                "https://acme--uat.sandbox.my.salesforce.com/lightning/",
            ),
            (
                "https://login.salesforce.com",
                "https://login.salesforce.com/?startURL=",
            ),
            (
                "https://test.salesforce.com",
                "https://test.salesforce.com/?startURL=",
            ),
            (
                "https://localhost:8443",
                "https://localhost:8443/lightning/",
            ),
        ] {
            assert!(page(login).unwrap().starts_with(page_of), "{login}");
        }
    }

    #[test]
    fn a_login_url_that_is_none_opens_nothing() {
        for url in [
            "",
            "https://",
            "http://login.salesforce.com",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "https://login.salesforce.com/x",
            "https://u:p@login.salesforce.com",
            "https://login.salesforce.com\" --new-window",
            "https://x\u{1b}[2J",
            "-https://login.salesforce.com",
        ] {
            assert!(page(url).is_err(), "{url:?}");
        }
    }

    #[test]
    fn the_text_fits_a_terminal() {
        let long = TEXT.lines().find(|line| line.chars().count() > 100);
        assert_eq!(long, None);
    }
}
