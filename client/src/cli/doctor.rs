//! `sfvault doctor`: what is wrong, or will be.

mod nearby;

use std::collections::BTreeSet;

use clap::Args;
use serde::Serialize;
use serde_json::json;
use sfvault::{AdminClient, Finding, Grade, Reason, RecordName, RecordStatus};

use super::{context::Context, exit::Exit, failure::Failure, output::Output, spinner};

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Only this record
    #[arg(value_parser = RecordName::parse)]
    name: Option<RecordName>,

    /// Also prove that each record works, with a login where there is no session
    #[arg(long)]
    login: bool,

    /// Ask no host of Salesforce anything
    #[arg(long, conflicts_with = "login")]
    offline: bool,

    /// Show also what is as it should be
    #[arg(long, short)]
    all: bool,
}

impl Doctor {
    pub(crate) async fn run(self, context: &Context) -> Result<(), Failure> {
        let mut report = Report::new(context.output, self.all);
        let outcome = self.examine(context, &mut report).await;
        report.finish(outcome)
    }

    async fn examine(&self, context: &Context, report: &mut Report) -> Result<(), Failure> {
        let client = match context.admin().await {
            Ok(client) => client,
            Err(failure) => {
                if let Ok(places) = context.places() {
                    report.add(nearby::look(&places).await)?;
                }
                return Err(failure);
            }
        };
        report.add(client.examine_daemon().await?)?;
        for (record, reach) in self.records(&client).await? {
            let examined = client.examine_record(&record, reach, self.login);
            let what = format!("examining {record}");
            match spinner::watch(context.output, &what, examined).await {
                Ok(findings) => report.add(findings)?,
                // It was removed meanwhile.
                Err(error) if error.reason() == Reason::RecordNotFound && self.name.is_none() => {}
                Err(error) => return Err(Failure::call(error, &record)),
            }
        }
        Ok(())
    }

    /// The records to examine, each with whether to go to its login host: once for each host.
    async fn records(&self, client: &AdminClient) -> Result<Vec<(RecordName, bool)>, Failure> {
        if let Some(name) = &self.name {
            return Ok(vec![(name.clone(), !self.offline)]);
        }
        let mut seen = BTreeSet::new();
        let with_reach = |record: RecordStatus| {
            let name = RecordName::parse(&record.name).ok()?;
            // What a host must offer depends on the flow.
            let first = seen.insert((record.login_url, format!("{:?}", record.flow)));
            Some((name, first && !self.offline))
        };
        let records = client.status().await?.records;
        Ok(records.into_iter().filter_map(with_reach).collect())
    }
}

/// Shows findings as they come, or all at the end as JSON.
struct Report {
    output: Output,
    all: bool,
    found: Vec<Finding>,
}

#[derive(Serialize)]
struct FindingJson<'a> {
    check: &'a str,
    subject: &'a str,
    grade: &'static str,
    text: &'a str,
    fix: Option<&'a str>,
}

impl Report {
    fn new(output: Output, all: bool) -> Self {
        Self {
            output,
            all,
            found: Vec::new(),
        }
    }

    fn add(&mut self, findings: Vec<Finding>) -> Result<(), Failure> {
        for finding in findings {
            if !self.output.is_json() && (self.all || finding.grade > Grade::Good) {
                self.output.finding(&finding)?;
            }
            self.found.push(finding);
        }
        Ok(())
    }

    /// A daemon that can't be asked is a finding like others; its failure decides the exit status.
    fn finish(mut self, outcome: Result<(), Failure>) -> Result<(), Failure> {
        let mut exit = Exit::HUMAN;
        if let Err(failure) = outcome {
            let Some(text) = failure.message().map(str::to_owned) else {
                return Err(failure);
            };
            exit = failure.exit();
            self.add(vec![Finding {
                check: "daemon".to_owned(),
                subject: "sfvaultd".to_owned(),
                grade: Grade::Problem,
                text,
                fix: failure.hint(),
            }])?;
        }
        let count = |grade| self.found.iter().filter(|f| f.grade == grade).count();
        let (problems, warnings) = (count(Grade::Problem), count(Grade::Warning));
        if self.output.is_json() {
            let findings: Vec<_> = self.found.iter().map(FindingJson::from).collect();
            self.output.json(&json!({
                "problems": problems,
                "warnings": warnings,
                "findings": findings,
            }))?;
        } else {
            let looked = self.found.len();
            self.output.done(&format!(
                "looked at {looked} things: {problems} problems, {warnings} warnings"
            ));
        }
        if problems == 0 {
            Ok(())
        } else {
            Err(Failure::ProblemsFound(exit))
        }
    }
}

impl<'a> From<&'a Finding> for FindingJson<'a> {
    fn from(finding: &'a Finding) -> Self {
        Self {
            check: &finding.check,
            subject: &finding.subject,
            grade: grade(finding.grade),
            text: &finding.text,
            fix: finding.fix.as_deref(),
        }
    }
}

/// A grade in one word, in the text and in JSON.
pub(crate) fn grade(grade: Grade) -> &'static str {
    match grade {
        Grade::Good => "good",
        Grade::Note => "note",
        Grade::Warning => "warning",
        Grade::Problem => "problem",
    }
}
