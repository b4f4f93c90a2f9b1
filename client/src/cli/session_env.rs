//! A session as variables of an environment.

use sfvault::Session;

/// The variables that `exec` sets and `get --format env` writes. `SF_ACCESS_TOKEN` with `SF_INSTANCE_URL`
/// or `SF_ORG_INSTANCE_URL` is what Salesforce's own command line tools read.
pub(crate) fn variables(session: &Session) -> [(&'static str, &str); 6] {
    // EXPOSE: the environment of the job, or the reader of stdout, as the caller asked.
    let session_id = session.session_id.expose();
    [
        ("SF_ACCESS_TOKEN", session_id),
        ("SF_SESSION_ID", session_id),
        ("SF_INSTANCE_URL", &session.instance_url),
        ("SF_ORG_INSTANCE_URL", &session.instance_url),
        ("SF_ORG_ID", &session.org_id),
        ("SF_API_VERSION", &session.api_version),
    ]
}
