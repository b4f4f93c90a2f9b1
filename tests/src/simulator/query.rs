//! SOQL, as far as `SELECT fields FROM Account [LIMIT n]` goes, over five rows and in pages.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::id;

/// Why a query has no result: Salesforce's error code and message.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct QueryError {
    pub(super) code: &'static str,
    pub(super) message: String,
}

/// The results that are not read to their end.
#[derive(Debug, Default)]
pub(super) struct Cursors {
    open: VecDeque<Cursor>,
    made: u64,
}

#[derive(Debug)]
struct Cursor {
    id: String,
    user: String,
    rows: Vec<Value>,
}

/// Who asks, and how.
pub(super) struct Reader<'a> {
    pub(super) user: &'a str,
    /// Such as `v64.0`.
    pub(super) version: &'a str,
    pub(super) batch_size: usize,
}

impl Cursors {
    /// The first page of a query.
    pub(super) fn run(&mut self, soql: &str, reader: &Reader<'_>) -> Result<Value, QueryError> {
        let select = Select::parse(soql)?;
        let rows: Vec<_> = ACCOUNTS
            .iter()
            .take(select.limit)
            .map(|account| select.row(account, reader.version))
            .collect();
        self.made += 1;
        let id = id::eighteen(&format!("01gxx{:010}", self.made));
        let cursor = Cursor {
            id,
            user: reader.user.to_owned(),
            rows,
        };
        let page = cursor.page(0, reader);
        // SOAP API Developer Guide, query(): ten cursors a user, and the oldest goes first.
        let mine = self.open.iter().filter(|c| c.user == reader.user).count();
        if mine >= 10
            && let Some(oldest) = self.open.iter().position(|c| c.user == reader.user)
        {
            self.open.remove(oldest);
        }
        self.open.push_back(cursor);
        Ok(page)
    }

    /// A later page.
    pub(super) fn more(&self, locator: &str, reader: &Reader<'_>) -> Result<Value, QueryError> {
        locator
            .rsplit_once('-')
            .and_then(|(id, start)| Some((id, start.parse::<usize>().ok()?)))
            .and_then(|(id, start)| {
                let mut open = self.open.iter();
                let cursor = open.find(|c| c.id == id && c.user == reader.user)?;
                (start < cursor.rows.len()).then(|| cursor.page(start, reader))
            })
            .ok_or_else(|| QueryError {
                code: "INVALID_QUERY_LOCATOR",
                message: "invalid query locator".to_owned(),
            })
    }
}

impl Cursor {
    fn page(&self, start: usize, reader: &Reader<'_>) -> Value {
        let end = start
            .saturating_add(reader.batch_size.max(1))
            .min(self.rows.len());
        let mut page = json!({
            "totalSize": self.rows.len(),
            "done": end == self.rows.len(),
            "records": self.rows.get(start..end),
        });
        if end < self.rows.len() {
            let (version, id) = (reader.version, &self.id);
            page["nextRecordsUrl"] = json!(format!("/services/data/{version}/query/{id}-{end}"));
        }
        page
    }
}

struct Select {
    fields: Vec<&'static str>,
    limit: usize,
}

impl Select {
    fn parse(soql: &str) -> Result<Self, QueryError> {
        let malformed = || QueryError {
            code: "MALFORMED_QUERY",
            message: "unexpected token".to_owned(),
        };
        let spaced = soql.replace(',', " , ");
        let words: Vec<&str> = spaced.split_whitespace().collect();
        let is = |place: usize, word: &str| {
            words
                .get(place)
                .is_some_and(|w| w.eq_ignore_ascii_case(word))
        };
        let from = (0..words.len()).find(|place| is(*place, "FROM"));
        let (true, Some(from)) = (is(0, "SELECT"), from) else {
            return Err(malformed());
        };
        let limit = match words.get(from + 2..) {
            Some([]) => usize::MAX,
            Some([word, number]) if word.eq_ignore_ascii_case("LIMIT") => {
                number.parse().map_err(|_| malformed())?
            }
            Some(_) | None => return Err(malformed()),
        };
        if !is(from + 1, "Account") {
            return Err(QueryError {
                code: "INVALID_TYPE",
                message: format!("sObject type '{}' is not supported.", words[from + 1]),
            });
        }
        let names: Vec<&str> = words[1..from].to_vec();
        let mut fields = Vec::new();
        for pair in names.chunks(2) {
            let [name, rest @ ..] = pair else { continue };
            if !matches!(rest, [] | [","]) {
                return Err(malformed());
            }
            let known = FIELDS.iter().find(|field| field.eq_ignore_ascii_case(name));
            fields.push(*known.ok_or_else(|| QueryError {
                code: "INVALID_FIELD",
                message: format!("No such column '{name}' on entity 'Account'."),
            })?);
        }
        if fields.is_empty() || names.last() == Some(&",") {
            return Err(malformed());
        }
        Ok(Self { fields, limit })
    }

    fn row(&self, account: &[&str; 3], version: &str) -> Value {
        let id = id::eighteen(account[0]);
        let url = format!("/services/data/{version}/sobjects/Account/{id}");
        let mut row = json!({ "attributes": { "type": "Account", "url": url } });
        for field in &self.fields {
            row[*field] = match *field {
                "Id" => json!(id),
                "Name" => json!(account[1]),
                _ if account[2].is_empty() => Value::Null,
                _ => json!(account[2]),
            };
        }
        row
    }
}

const FIELDS: [&str; 3] = ["Id", "Name", "Industry"];

const ACCOUNTS: [[&str; 3]; 5] = [
    ["001xx000003DGb0", "Ærø Færgefart A/S", "Transportation"],
    ["001xx000003DGb1", "Burlington \"Textiles\" & Co", "Apparel"],
    ["001xx000003DGb2", "株式会社サンプル", "Electronics"],
    ["001xx000003DGb3", "<Dickenson> plc", ""],
    [
        "001xx000003DGb4",
        "Zoë's Café\u{2028}und mehr",
        "Food & Beverage",
    ],
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_queries_have_the_code_that_salesforce_gives_them() {
        for (soql, code) in [
            ("", "MALFORMED_QUERY"),
            ("SELECT", "MALFORMED_QUERY"),
            ("SELECT FROM Account", "MALFORMED_QUERY"),
            ("SELECT Id FROM", "MALFORMED_QUERY"),
            ("SELECT Id, FROM Account", "MALFORMED_QUERY"),
            ("SELECT Id Name FROM Account", "MALFORMED_QUERY"),
            ("SELECT Id FROM Account LIMIT x", "MALFORMED_QUERY"),
            ("SELECT Id FROM Account WHERE x = 1", "MALFORMED_QUERY"),
            ("SELECT Id FROM Nothing", "INVALID_TYPE"),
            ("SELECT Nothing FROM Account", "INVALID_FIELD"),
        ] {
            let error = Select::parse(soql).map(|_| ()).unwrap_err();
            assert_eq!(error.code, code, "{soql}");
        }
        let select = Select::parse("select Id,name from account limit 2").unwrap();
        assert_eq!((select.fields, select.limit), (vec!["Id", "Name"], 2));
    }

    #[test]
    fn the_eleventh_cursor_of_a_user_closes_the_first() {
        let mut cursors = Cursors::default();
        let reader = Reader {
            user: "a",
            version: "v64.0",
            batch_size: 2,
        };
        let locator = |page: &Value| {
            let url = page["nextRecordsUrl"].as_str().unwrap();
            url.rsplit('/').next().unwrap().to_owned()
        };
        let soql = "SELECT Id FROM Account";
        let first = locator(&cursors.run(soql, &reader).unwrap());
        for _ in 0..9 {
            cursors.run(soql, &reader).unwrap();
        }
        assert!(cursors.more(&first, &reader).is_ok());
        cursors.run(soql, &reader).unwrap();
        assert_eq!(
            cursors.more(&first, &reader).unwrap_err().code,
            "INVALID_QUERY_LOCATOR"
        );
    }
}
