//! The Salesforce simulator as a program, for tests that are not in Rust and for trying things by hand.
//!
//! It prints one line of JSON when it is ready, and ends on SIGTERM, SIGINT, `POST /stop`, or with its
//! standard input. Its exit status is 1 if it met requests that no good client makes.

use std::{
    io::{self, Write as _},
    process::ExitCode,
    sync::Arc,
    time::SystemTime,
};

use clap::Parser;
use serde_json::json;
use sfvault_tests::{
    clock::ManualClock,
    simulator::{
        App, CONSUMER_KEY, CONSUMER_SECRET, Options, Org, Retirement, Simulator, Unexpected, User,
        control::{Control, midnight},
    },
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::oneshot,
};

/// A Salesforce for tests, on loopback.
#[derive(Parser)]
#[command(name = "sfvault-simulator")]
struct Arguments {
    /// Port of the control interface on 127.0.0.1; 0 is any
    #[arg(long, default_value_t = 0)]
    control_port: u16,
    /// The user who can log in
    #[arg(long, default_value = "etl@acme.example")]
    user: String,
    /// The user's password: test data, not a secret
    #[arg(long, default_value = "correct-Horse-1")]
    password: String,
    /// The user's security token: test data, not a secret
    #[arg(long, default_value = "Tq3Xb7Lw0RzKc9MvYh2NsGdE")]
    token: String,
    /// What `serverUrl` names, such as `https://acme.my.salesforce.com` for clients behind the proxy; by
    /// default the instance's own address
    #[arg(long, default_value = "")]
    instance_url: String,
    /// The consumer key of the app
    #[arg(long, default_value = CONSUMER_KEY)]
    consumer_key: String,
    /// The app's consumer secret: test data, not a secret
    #[arg(long, default_value = CONSUMER_SECRET)]
    consumer_secret: String,
    /// Where the app's browser logins may return to; may be repeated
    #[arg(long = "callback")]
    callbacks: Vec<String>,
    /// Let the app's refresh tokens rotate
    #[arg(long)]
    rotate: bool,
    /// Give the app access tokens in JWT format
    #[arg(long)]
    jwt_tokens: bool,
    /// The day at which the clock stands still, such as 2026-12-01; by default it runs with the machine's
    #[arg(long, value_parser = |day: &str| midnight(day).ok_or("no such day"))]
    date: Option<SystemTime>,
    /// End the old logins on the days that Salesforce announced
    #[arg(long)]
    retirement: bool,
    /// Rows in a page of query results
    #[arg(long, default_value_t = 2000)]
    batch_size: usize,
    /// Make the org a sandbox, whose users log in at `test.salesforce.com`
    #[arg(long)]
    sandbox: bool,
    /// End when standard input does
    #[arg(long)]
    stdin_lifetime: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(unexpected)) => complain(&unexpected),
        Err(error) => complain(&error),
    }
}

async fn run(arguments: Arguments) -> io::Result<Result<(), Unexpected>> {
    // Before anything is printed: whoever reads the line may send a signal at once.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let clock = ManualClock::running();
    if let Some(date) = arguments.date {
        clock.set(date);
    }
    let options = Options {
        clock,
        org: Org {
            sandbox: arguments.sandbox,
            instance_url: arguments.instance_url.trim_end_matches('/').to_owned(),
            batch_size: arguments.batch_size,
            retirement: match arguments.retirement {
                true => Retirement::announced(),
                false => Retirement::never(),
            },
            ..Org::default()
        },
        users: vec![User::new(
            &arguments.user,
            &arguments.password,
            &arguments.token,
        )],
        apps: vec![app(&arguments)],
        ..Options::default()
    };
    let simulator = Arc::new(Simulator::try_start(options).await?);
    let control = Control::start(simulator.clone(), arguments.control_port).await?;
    let addresses = json!({
        "login_url": simulator.login_url(),
        "instance_url": simulator.instance_url(),
        "proxy_url": simulator.proxy_url(),
        "ca_file": simulator.ca_file(),
        "control_url": control.url(),
        "username": arguments.user,
        "password": arguments.password,
        "security_token": arguments.token,
        "my_domain_url": simulator.instance_url(),
        "consumer_key": arguments.consumer_key,
        "consumer_secret": arguments.consumer_secret,
        "private_key_file": simulator.private_key_file(),
    });
    writeln!(io::stdout(), "{addresses}")?;
    let (lifeline, stdin_ends) = oneshot::channel::<()>();
    let mut lifeline = Some(lifeline);
    if arguments.stdin_lifetime {
        let lifeline = lifeline.take();
        // A thread of its own: a blocked read must not hold up the runtime's end.
        std::thread::spawn(move || {
            let read = io::copy(&mut io::stdin(), &mut io::sink());
            drop(lifeline);
            read
        });
    }
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = control.stopped() => {}
        _ = stdin_ends => {}
    }
    let unexpected = simulator.take_unexpected();
    Ok(match unexpected.is_empty() {
        true => Ok(()),
        false => Err(Unexpected(unexpected)),
    })
}

fn app(arguments: &Arguments) -> App {
    let mut app = App::new(
        &arguments.consumer_key,
        &arguments.consumer_secret,
        &arguments.user,
    );
    app.callbacks.extend(arguments.callbacks.iter().cloned());
    app.rotates = arguments.rotate;
    app.jwt_tokens = arguments.jwt_tokens;
    app
}

fn complain(error: &dyn std::error::Error) -> ExitCode {
    // Nobody is left to hear of a standard error that is closed.
    let _: io::Result<()> = writeln!(io::stderr(), "error: {error}");
    ExitCode::FAILURE
}
