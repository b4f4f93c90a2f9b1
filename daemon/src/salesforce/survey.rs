//! What a host tells to anybody: the list of API versions at `/services/data/`, and its clock.

use serde::Deserialize;

use super::{Survey, classify, http::Answer};
use crate::failure::{Class, Failure};

/// Where every API host lists its versions, without a login (REST API Developer Guide, "Versions").
pub(super) const PATH: &str = "/services/data/";

/// A list of all versions that there ever were has less than a hundred entries.
const MOST_VERSIONS: usize = 1000;

#[derive(Deserialize)]
struct Entry {
    version: String,
}

/// Reads the answer of a host, which has seen no secret and may be anybody.
pub(super) fn read(answer: &Answer) -> Result<Survey, Failure> {
    let entries: Option<Vec<Entry>> = (answer.status == 200)
        .then(|| serde_json::from_slice(answer.body.as_ref()).ok())
        .flatten();
    let Some(entries) = entries else {
        return Err(match answer.status {
            200 => classify::failure(
                Class::WrongHost,
                "the host lists no API versions: it is not the API host of an org",
            ),
            _ => classify::by_status(answer, "REST API"),
        });
    };
    let is_version = |version: &String| {
        let digits =
            |part: &str| (1..=4).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        version
            .split_once('.')
            .is_some_and(|(major, minor)| digits(major) && digits(minor))
    };
    let mut versions: Vec<_> = entries
        .into_iter()
        .take(MOST_VERSIONS)
        .map(|entry| entry.version)
        .filter(is_version)
        .collect();
    versions.sort_by_key(|version| {
        let (major, minor) = version.split_once('.').unwrap_or_default();
        (major.parse::<u16>().ok(), minor.parse::<u16>().ok())
    });
    Ok(Survey {
        server_time: answer.date,
        versions,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::salesforce::buffer::WipedBuffer;

    fn answer(status: u16, body: &str) -> Answer {
        let mut buffer = WipedBuffer::default();
        buffer.push(body.as_bytes());
        Answer {
            status,
            content_type: None,
            retry_after: None,
            date: None,
            redirects_to: None,
            body: buffer,
        }
    }

    #[test]
    fn versions_are_read_in_their_order() {
        let body = r#"[{"label":"Winter '27","url":"/services/data/v68.0","version":"68.0"},
            {"label":"x","url":"x","version":"9.0"},{"version":"\u001b[2J"},{"version":"64.0","new":{}}]"#;
        let survey = read(&answer(200, body)).unwrap();
        assert_eq!(survey.versions, ["9.0", "64.0", "68.0"]);
    }

    #[test]
    fn what_is_no_api_host_is_told() {
        for body in ["", "<html>", "{}", "[1]", r#"{"version":"64.0"}"#] {
            let failure = read(&answer(200, body)).unwrap_err();
            assert_eq!(failure.class, Class::WrongHost, "{body}");
        }
        for (status, class) in [
            (404, Class::WrongHost),
            (302, Class::WrongHost),
            (503, Class::Unavailable),
        ] {
            assert_eq!(read(&answer(status, "")).unwrap_err().class, class);
        }
    }
}
