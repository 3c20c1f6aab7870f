//! The command line: what can be said, and who does it.

mod admin;
mod agent;
mod clock;
mod config;
mod credentials;
mod delivery;
mod doctor;
mod egress;
mod exit;
mod files;
mod key;
mod operator;
mod output;
mod plugin;
mod poll;
mod status;
mod task;
mod task_log;
mod task_show;
mod transcript;
mod trouble;
mod watch;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use crate::config::{CliConfig, Config, Flags, load};
use crate::findings::Findings;
use crate::{compiler, preflight, serve};

pub(crate) use exit::{Exit, NotFound};
pub(crate) use output::{Output, quoted};

/// A durable task host for AI agents: A2A on the outside, sandboxed WebAssembly workers on the inside.
#[derive(Debug, Parser)]
#[command(name = "taskyard", version, after_help = exit::HELP)]
pub(crate) struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// The configuration file [default: ./taskyard.toml if it exists]
    #[arg(long, global = true, env = "TASKYARD_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// The folder of the host's data [default: data]
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Believe hosts whose certificates these authorities signed, besides those of the system (PEM)
    #[arg(long, global = true, env = "TASKYARD_CA", value_name = "FILE")]
    ca: Option<PathBuf>,
    /// A certificate and its private key, for hosts that ask for one (PEM)
    #[arg(long, global = true, env = "TASKYARD_IDENTITY", value_name = "FILE")]
    identity: Option<PathBuf>,
    /// Print JSON: one document, or one line per event
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the host
    Serve(ServeArgs),
    /// Load, list and unload plugins, and say what they may request
    Plugin(plugin::PluginArgs),
    /// Send work to an agent and follow it, with any A2A server; look after tasks that stand still
    Task(task::TaskArgs),
    /// Make, list and revoke API keys of clients
    Key(key::KeyArgs),
    /// List the webhooks that are in trouble, and try them again
    Delivery(delivery::DeliveryArgs),
    /// Say that the system's clock is right after it was set
    Clock(clock::ClockArgs),
    /// Show what the host is doing, and which webhooks are in trouble
    Status(admin::AdminArgs),
    /// Look at all of a stopped host's data folder, name what is wrong, and mend it
    Doctor(doctor::DoctorArgs),
    /// Print the effective configuration as TOML, without secrets; `check` says what is wrong with it
    Config(config::ConfigArgs),
    /// Compile one component; the host does this by itself
    #[command(hide = true)]
    CompileComponent(compiler::CompileArgs),
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// What `serve` takes. Everything else is in the configuration.
#[derive(Debug, Args)]
struct ServeArgs {
    /// Where clients connect [default: 127.0.0.1:7420]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Where operators connect [default: 127.0.0.1:7421]
    #[arg(long, value_name = "ADDRESS")]
    admin_listen: Option<String>,
    /// What clients call this host, if not by the address that they connect to
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// Let anybody who can connect use the agents
    #[arg(long)]
    allow_anonymous: bool,
    /// Which log lines are written: a level, or a filter such as info,taskyard_engine=debug
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
    /// Load these components first, unless they are deployed already
    #[arg(long, num_args = 1.., value_name = "FILE")]
    load: Vec<PathBuf>,
    /// Go on with a damaged data folder, without what cannot be read of it
    #[arg(long)]
    accept_data_loss: bool,
    /// Only check the configuration, and say what would become of the format of the data folder
    #[arg(long, conflicts_with = "accept_data_loss")]
    dry_run: bool,
}

/// Does what the command line says.
pub(crate) fn run(cli: Cli) -> ExitCode {
    // Everything that speaks TLS uses this; the only other caller is a library that checks first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match dispatch(cli) {
        Ok(exit) => exit.into(),
        Err(error) => exit::report(&error).into(),
    }
}

fn dispatch(cli: Cli) -> anyhow::Result<Exit> {
    let Cli { global, command } = cli;
    let output = Output::new(global.json);
    match command {
        Command::Serve(args) => {
            let mut findings = Findings::default();
            preflight::check_components(&args.load, &mut findings);
            let config = configuration(&global, &args, &mut findings)?;
            if args.dry_run {
                return block_on(async { config::dry_run(&config, findings, output) });
            }
            findings.into_result()?;
            block_on(serve::serve(config, &args.load, args.accept_data_loss))
        }
        Command::Plugin(args) => block_on(plugin::run(args, local(&global)?, output)),
        Command::Task(args) => block_on(task::run(args, &local(&global)?, output)),
        Command::Key(args) => block_on(key::run(args, local(&global)?, output)),
        Command::Delivery(args) => block_on(delivery::run(args, local(&global)?, output)),
        Command::Clock(args) => block_on(clock::run(args, local(&global)?, output)),
        Command::Status(args) => block_on(status::run(args, local(&global)?, output)),
        Command::Doctor(args) => doctor::run(&args, &local(&global)?, output),
        Command::Config(args) => block_on(async {
            let read = |findings: &mut Findings| read(&global, Flags::default(), findings);
            config::run(&args, read, output)
        }),
        Command::CompileComponent(args) => compiler::run(&args),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "taskyard", &mut script);
            output.text(&String::from_utf8(script)?)?;
            Ok(Exit::Ok)
        }
    }
}

/// What letting go of everything may take once the work is done.
const LAST_MOMENT: Duration = Duration::from_secs(2);

fn block_on(work: impl Future<Output = anyhow::Result<Exit>>) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let done = runtime.block_on(work);
    // The threads of a database must be gone before the process ends, or it aborts: whoever still has it lets go
    // now. What hangs ends with the process.
    runtime.shutdown_timeout(LAST_MOMENT);
    done
}

/// The configuration on this machine: where a client finds the host, too.
fn local(global: &Global) -> anyhow::Result<Config> {
    let mut findings = Findings::default();
    let config = read(global, Flags::default(), &mut findings)?;
    findings.into_result()?;
    Ok(config)
}

fn configuration(
    global: &Global,
    args: &ServeArgs,
    findings: &mut Findings,
) -> anyhow::Result<Config> {
    read(
        global,
        Flags {
            listen: args.listen.clone(),
            admin_listen: args.admin_listen.clone(),
            public_url: args.public_url.clone(),
            allow_anonymous: args.allow_anonymous.then_some(true),
            log: args.log.clone(),
            ..Flags::default()
        },
        findings,
    )
}

fn read(global: &Global, flags: Flags, findings: &mut Findings) -> anyhow::Result<Config> {
    // A variable that is not text cannot be one of ours.
    let variables: Vec<_> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let data_dir = global.data_dir.clone();
    let cli = CliConfig {
        ca: global.ca.clone(),
        identity: global.identity.clone(),
    };
    load(
        global.config.as_deref(),
        &variables,
        &Flags {
            data_dir,
            cli,
            ..flags
        },
        findings,
    )
}
