//! The command line: verbs, their help, and where each goes. One file per verb group.

mod args;
mod out;
mod context;
mod run;
mod demo;
mod check;
mod apply;
mod subscriber;
mod subscription;
mod topup;
mod topups;
mod verify;
mod records;
mod forecast;
mod simulate;
mod notices;
mod catalogue;
mod pins;
mod preview;
mod operator;
mod remote;
mod money;
mod token;
mod user;
mod keep;
mod instances;

pub use args::Cli;

use args::Verb;
use clap::{CommandFactory, Parser};
use context::{CliError, Context};
use out::Out;
use std::process::ExitCode;

/// Reads the command line, does what it says, and returns the exit code: 0 ok, 1 failed, 2 bad
/// usage or bad config. Errors go to standard error, one cause a line.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            error.print().ok();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    let out = Out::new(cli.json);
    // Exactly one TLS stack is compiled in; a second installation would only repeat it.
    rustls::crypto::ring::default_provider().install_default().ok();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            out.error(&format!("the runtime cannot start: {error}"));
            return ExitCode::from(1);
        }
    };
    match runtime.block_on(Box::pin(dispatch(&cli, &out))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(CliError::Faults(faults)) => {
            for fault in &faults {
                out.error(&fault.to_string());
            }
            ExitCode::from(2)
        }
        Err(CliError::Usage(why)) => {
            out.error(&why);
            ExitCode::from(2)
        }
        Err(CliError::Failed(error)) => {
            out.error(&format!("{error:#}"));
            ExitCode::from(1)
        }
        Err(CliError::Quiet) => ExitCode::from(1),
    }
}

async fn dispatch(cli: &Cli, out: &Out) -> Result<(), CliError> {
    let context = Context::new(&cli.config);
    let done = run_verb(cli, &context, out).await;
    // What the verb made due is done at once, wherever the daemons are.
    context.speak().await;
    done
}

async fn run_verb(cli: &Cli, context: &Context, out: &Out) -> Result<(), CliError> {
    match &cli.verb {
        Verb::Run { accept_missing_recorder } => run::run(context, *accept_missing_recorder).await,
        Verb::Demo(args) => demo::demo(args, out).await,
        Verb::Check { online } => check::check(context, *online, out).await,
        Verb::Migrate => keep::migrate(context, out).await,
        Verb::Apply(args) => apply::apply(context, args, out).await,
        Verb::Subscriber(verb) => subscriber::subscriber(context, verb, out).await,
        Verb::Subscription(verb) => subscription::subscription(context, verb, out).await,
        Verb::Poll { ids } => subscription::poll(context, ids, out).await,
        Verb::Sms(verb) => subscription::sms(context, verb, out).await,
        Verb::Tick => subscription::tick(context, out).await,
        Verb::Topup(args) => topup::topup(context, args, out).await,
        Verb::Topups(verb) => topups::topups(context, verb, out).await,
        Verb::Receipts(args) => records::receipts(context, args, out).await,
        Verb::Ledger(args) => records::ledger(context, args, out).await,
        Verb::Verify { anchor } => verify::verify(context, anchor, out).await,
        Verb::Reconcile { payers } => verify::reconcile(context, payers, out).await,
        Verb::Discrepancies(verb) => verify::discrepancies(context, verb, out).await,
        Verb::Pins(verb) => pins::pins(context, verb, out).await,
        Verb::Forecast { ids } => forecast::forecast(context, ids, out).await,
        Verb::Simulate(args) => simulate::simulate(context, args, out).await,
        Verb::Notices(verb) => notices::notices(context, verb, out).await,
        Verb::Operator(verb) => operator::operator(verb, *out),
        Verb::Provider(verb) => remote::provider(context, verb, out).await,
        Verb::Channel(verb) => remote::channel(context, verb, out).await,
        Verb::Money(verb) => money::money(context, verb, out).await,
        Verb::Token(verb) => token::token(context, verb, out).await,
        Verb::User(verb) => user::user(context, verb, out).await,
        Verb::Instances => instances::instances(context, out).await,
        Verb::Backup { file } => keep::backup(context, file, out).await,
        Verb::Export => keep::export(context, out).await,
        Verb::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "topupd", &mut script);
            out.raw(&script);
            Ok(())
        }
        Verb::Man => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Cli::command()).render(&mut page).map_err(anyhow::Error::from)?;
            out.raw(&page);
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
