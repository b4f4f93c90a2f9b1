//! A job runs in a loop while its record moves from SOAP `login()` to client credentials, and on past Summer '27.

use std::{
    env, io,
    process::{Command, Output},
    sync::Arc,
    time::Duration,
};

use serde_json::Value;
use tokio::{
    sync::{Mutex, watch},
    task::JoinHandle,
};

use super::{
    script::{run, text},
    steps::{Steps, expect},
};
use crate::{
    binaries::Binaries,
    installation::Installation,
    simulator::{
        CONSUMER_KEY, CONSUMER_SECRET, Flow, Options, Org, PASSWORD, SECURITY_TOKEN, Simulator,
        USERNAME, control::midnight,
    },
};

/// The exit status for "a human must act".
const HUMAN: i32 = 6;
/// After Summer '27, as far as it is announced.
const AFTER_SUMMER_27: &str = "2027-06-02";

/// Shows everything.
///
/// # Errors
/// The first thing that is not as it should be.
pub async fn show() -> io::Result<()> {
    println!(
        "One job, one record, two ways to log in, on a simulated Salesforce. Nothing leaves this machine.\n"
    );
    let mut demo = Demo::start().await?;
    let job = Job::start(&demo)?;
    job.runs(2).await?;
    demo.steps.done(
        "a job runs in a loop: `sfvault exec prod --wait 1m -- job`; it logs in by SOAP login()",
    )?;
    demo.rehearse(&job).await?;
    demo.migrate(&job).await?;
    demo.summer_comes(&job).await?;
    demo.a_new_login_is_made(&job).await?;
    demo.there_is_no_way_back(&job).await?;
    let runs = job.end().await?;
    demo.end(runs)
}

struct Demo {
    simulator: Simulator,
    sfvault: Installation,
    steps: Steps,
}

impl Demo {
    async fn start() -> io::Result<Self> {
        let mut steps = Steps::new();
        Binaries::build()?;
        steps.done("the real `sfvaultd` and `sfvault` are built")?;
        let simulator = Simulator::start(Options {
            org: Org {
                // So that a session outlives the months that are skipped.
                session_timeout: Duration::from_secs(400 * 86_400),
                ..Org::default()
            },
            ..Options::default()
        })
        .await;
        let mut sfvault = Installation::new(&simulator)?;
        for (name, secret) in [
            ("passphrase", "correct horse battery staple"),
            ("password", PASSWORD),
            ("token", SECURITY_TOKEN),
            ("consumer-secret", CONSUMER_SECRET),
        ] {
            sfvault.secret_file(name, secret)?;
        }
        sfvault.start()?;
        let mut demo = Self {
            simulator,
            sfvault,
            steps,
        };
        let passphrase = demo.path("passphrase");
        demo.succeed(&["init", "--passphrase-file", &passphrase])
            .await?;
        let login_url = demo.simulator.login_url();
        for name in ["prod", "left-behind"] {
            let (password, token) = (demo.path("password"), demo.path("token"));
            let record = ["add", name, "--username", USERNAME, "--login-url"];
            let secrets = ["--password-file", &password, "--token-file", &token];
            demo.succeed(&[&record[..], &[&login_url], &secrets].concat())
                .await?;
        }
        demo.steps
            .done("a vault with `prod` and `left-behind`, which log in by password and token")?;
        Ok(demo)
    }

    async fn rehearse(&mut self, job: &Job) -> io::Result<()> {
        let rehearsed = self.migrated(&["--dry-run"]).await?;
        for key in ["org_id", "user_id", "username"] {
            let (before, after) = (&rehearsed["before"][key], &rehearsed["after"][key]);
            expect(before == after, || format!("{key}: {before}, {after}"))?;
        }
        expect(rehearsed["after"]["proven"] == true, || {
            "the new login was not proved".to_owned()
        })?;
        expect(self.flow().await? == "soap-login", || {
            "the rehearsal changed the record".to_owned()
        })?;
        job.runs(1).await?;
        self.steps.done(
            "`sfvault migrate prod --flow client-credentials … --dry-run`: same org, same user, nothing changed",
        )
    }

    async fn migrate(&mut self, job: &Job) -> io::Result<()> {
        let before = self.session().await?;
        self.migrated(&[]).await?;
        let after = self.session().await?;
        expect(self.flow().await? == "client-credentials", || {
            "the record has not moved".to_owned()
        })?;
        expect(
            after["generation"].as_u64() > before["generation"].as_u64()
                && after["session_id"] != before["session_id"],
            || "jobs have the old session".to_owned(),
        )?;
        job.runs(2).await?;
        self.steps.done(
            "`sfvault migrate prod …`: the record moved, the job goes on with a session of the new login",
        )
    }

    async fn summer_comes(&mut self, job: &Job) -> io::Result<()> {
        let day = midnight(AFTER_SUMMER_27).ok_or_else(|| io::Error::other("no such day"))?;
        self.simulator.clock().set(day);
        let checked = run(self.sfvault.sfvault(["check", "left-behind", "--json"])).await?;
        let error: Value = serde_json::from_slice(&checked.stderr)?;
        expect(
            checked.status.code() == Some(HUMAN) && error["error"]["reason"] == "API_VERSION",
            || format!("`left-behind` got: {} {error}", checked.status),
        )?;
        job.runs(2).await?;
        self.steps.done(&format!(
            "it is {AFTER_SUMMER_27}: SOAP login() is gone, `left-behind` is out, the job of `prod` runs"
        ))
    }

    async fn a_new_login_is_made(&mut self, job: &Job) -> io::Result<()> {
        let before = self.logins(Flow::ClientCredentials);
        let between_runs = job.running.lock().await;
        self.succeed(&["logout", "prod", "--yes"]).await?;
        drop(between_runs);
        job.runs(2).await?;
        let made = self.logins(Flow::ClientCredentials) - before;
        expect(made == 1, || format!("{made} logins were made"))?;
        self.steps.done(
            "`sfvault logout prod` ended the session between two runs: the job logged in by client credentials",
        )
    }

    async fn there_is_no_way_back(&mut self, job: &Job) -> io::Result<()> {
        let back = run(self.sfvault.sfvault(["migrate", "prod", "--back"])).await?;
        expect(back.status.code() == Some(HUMAN), || {
            format!("the way back ended with {}", back.status)
        })?;
        expect(self.flow().await? == "client-credentials", || {
            "the record went back".to_owned()
        })?;
        job.runs(1).await?;
        self.succeed(&["migrate", "prod", "--forget-old"]).await?;
        job.runs(1).await?;
        self.steps.done(
            "`--back` tried the old login, which fails now, and changed nothing; `--forget-old` wiped it",
        )
    }

    fn end(mut self, runs: usize) -> io::Result<()> {
        let (soap, app) = (
            self.logins(Flow::SoapLogin),
            self.logins(Flow::ClientCredentials),
        );
        expect(self.sfvault.stop()?.success(), || {
            "sfvaultd did not end well".to_owned()
        })?;
        self.simulator.finish().map_err(io::Error::other)?;
        println!(
            "\nThe job ran {runs} times and never failed nor changed; Salesforce counted {soap} logins by SOAP and {app} by \
             client credentials."
        );
        Ok(())
    }

    /// `sfvault migrate prod` to the app of the simulator.
    async fn migrated(&self, more: &[&str]) -> io::Result<Value> {
        let (url, secret) = (self.simulator.instance_url(), self.path("consumer-secret"));
        let base = [
            "migrate",
            "prod",
            "--json",
            "--flow",
            "client-credentials",
            "--login-url",
            &url,
            "--consumer-key",
            CONSUMER_KEY,
            "--consumer-secret-file",
            &secret,
        ];
        let output = self.succeed(&[&base[..], more].concat()).await?;
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    async fn flow(&self) -> io::Result<String> {
        let output = self.succeed(&["show", "prod", "--json"]).await?;
        let shown: Value = serde_json::from_slice(&output.stdout)?;
        Ok(shown["flow"].as_str().unwrap_or_default().to_owned())
    }

    async fn session(&self) -> io::Result<Value> {
        let output = self.succeed(&["get", "prod", "--format", "json"]).await?;
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// How often the user logged in so.
    fn logins(&self, flow: Flow) -> u64 {
        let counts = self.simulator.logins_by_flow(USERNAME);
        counts.get(&flow).map_or(0, |count| count.total)
    }

    /// Runs `sfvault`, which must succeed.
    async fn succeed(&self, arguments: &[&str]) -> io::Result<Output> {
        let output = run(self.sfvault.sfvault(arguments)).await?;
        expect(output.status.success(), || {
            format!(
                "`sfvault {}` ended with {}: {}",
                arguments.join(" "),
                output.status,
                text(&output.stderr)
            )
        })?;
        Ok(output)
    }

    fn path(&self, name: &str) -> String {
        self.sfvault.path(name).display().to_string()
    }
}

/// The job in its loop: always the same command.
struct Job {
    /// How often it ran well so far, or what went wrong.
    seen: watch::Receiver<Result<usize, String>>,
    stop: watch::Sender<bool>,
    /// Held while it runs.
    running: Arc<Mutex<()>>,
    task: JoinHandle<()>,
}

impl Job {
    fn start(demo: &Demo) -> io::Result<Self> {
        let own = env::current_exe()?;
        let own = own
            .to_str()
            .ok_or_else(|| io::Error::other("the path of the demo is not UTF-8"))?;
        let ca_file = demo.simulator.ca_file();
        let arguments = ["exec", "prod", "--wait", "1m", "--", own, "job"].map(str::to_owned);
        let command = demo.sfvault.sfvault(&arguments);
        let (tell, seen) = watch::channel(Ok(0));
        let (stop, stopped) = watch::channel(false);
        let running = Arc::new(Mutex::new(()));
        let begun = Arc::clone(&running);
        let task = tokio::spawn(async move {
            let mut rows = None;
            let mut runs = 0;
            while !*stopped.borrow() {
                let _running = begun.lock().await;
                let mut command = again(&command);
                command.env("SFVAULT_DEMO_CA_FILE", &ca_file);
                let said = match run(command).await {
                    Ok(output) if output.status.success() => output.stdout,
                    Ok(output) => {
                        let problem = format!("{}: {}", output.status, text(&output.stderr));
                        tell.send_modify(|seen| *seen = Err(problem));
                        return;
                    }
                    Err(error) => {
                        tell.send_modify(|seen| *seen = Err(error.to_string()));
                        return;
                    }
                };
                if *rows.get_or_insert_with(|| said.clone()) != said || said.is_empty() {
                    tell.send_modify(|seen| {
                        *seen = Err("the job read something else than before".to_owned())
                    });
                    return;
                }
                runs += 1;
                tell.send_modify(|seen| *seen = Ok(runs));
            }
        });
        Ok(Self {
            seen,
            stop,
            running,
            task,
        })
    }

    /// Waits until it has run so often from its begin to its end, from now on.
    async fn runs(&self, wanted: usize) -> io::Result<()> {
        let mut seen = self.seen.clone();
        let runs = seen.borrow_and_update().clone().map_err(failed)?;
        // The run that is under way began before.
        let wanted = runs + wanted + 1;
        let reached = seen
            .wait_for(|seen| seen.as_ref().map_or(true, |runs| *runs >= wanted))
            .await
            .map_err(|_| io::Error::other("the job's loop broke"))?;
        reached.clone().map(|_| ()).map_err(failed)
    }

    /// Ends the loop, and returns how often the job ran.
    async fn end(self) -> io::Result<usize> {
        self.stop.send_replace(true);
        self.task.await.map_err(io::Error::other)?;
        self.seen.borrow().clone().map_err(failed)
    }
}

/// The same command again.
fn again(command: &Command) -> Command {
    let mut again = Command::new(command.get_program());
    again.args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => again.env(name, value),
            None => again.env_remove(name),
        };
    }
    again
}

fn failed(problem: String) -> io::Error {
    io::Error::other(format!("the job failed: {problem}"))
}
