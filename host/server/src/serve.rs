//! The composition root: makes the parts of the host, joins them, and lets them run.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use metrics_exporter_prometheus::PrometheusHandle;
use rustix::fs::Mode;
use rustix::process::umask;
use taskyard_api::{Admin, Api, Memory, Token, admin_router, public_router};
use taskyard_broker::{Broker, Sources};
use taskyard_clock::{Clock, IdSource};
use taskyard_delegate::Delegate;
use taskyard_engine::Engine;
use taskyard_notify::{Issuer, Notifier};
use taskyard_outbound::Outbound;
use taskyard_signing::Keyring;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::addresses::Addresses;
use crate::cli::{Exit, Output};
use crate::clock_watch::ClockWatch;
use crate::compiler::ProcessCompiler;
use crate::config::{Config, Secret, is_local};
use crate::connection::Manner;
use crate::descriptors::Budget;
use crate::documents::Documents;
use crate::findings::Findings;
use crate::listen::{Bound, Door};
use crate::places::Room;
use crate::preflight::{self, Ready};
use crate::shutdown::{Loops, Stops, stop};
use crate::signals::Signals;
use crate::tls::{Audience, Tls, Watch};
use crate::{admin_token, clock_watch, hello, memory, preload, telemetry};

/// What stopping may take besides the delay and the grace time.
const ORDERLY_END: Duration = Duration::from_secs(15);

/// Runs the host until it is told to stop.
///
/// # Errors
/// For the operator: why it cannot start, or what broke while it ran.
pub(crate) async fn serve(
    config: Config,
    load: &[PathBuf],
    accept_data_loss: bool,
) -> anyhow::Result<Exit> {
    telemetry::logs::start(&config)?;
    let signals = Signals::listen(patience(&config))?;
    let figures = telemetry::figures::start()?;
    warn_of(&config);
    let clock = clock_watch::resume(&config.data_dir, config.clock);
    // Before anything in the folder is changed: what cannot start must not upgrade it either.
    let ready = prepare(&config, &clock)?;
    // Whatever the folder's mode, what is in it is for nobody else: the database makes files, too.
    umask(Mode::RWXG | Mode::RWXO);
    make_private(&config.data_dir)
        .with_context(|| format!("cannot make the data folder {}", config.data_dir.display()))?;
    let mut running = tokio::select! {
        () = signals.told() => return Ok(Exit::Ok),
        started = start(config, load, accept_data_loss, figures, (clock, ready)) => started?,
    };
    let failed = tokio::select! {
        () = signals.told() => None,
        part = running.loops.failed() => Some(part),
    };
    signals.stopping();
    if failed.is_none() {
        running.linger().await;
    }
    running.stop().await;
    match failed {
        None => Ok(Exit::Ok),
        Some(part) => {
            error!(part, "a part of the host failed");
            Ok(Exit::Error)
        }
    }
}

/// How long the host may take to stop.
fn patience(config: &Config) -> Duration {
    let delay = Duration::from_secs(config.shutdown_delay_seconds);
    let grace = Duration::from_secs(config.shutdown_grace_seconds);
    delay.saturating_add(grace).saturating_add(ORDERLY_END)
}

async fn start(
    config: Config,
    load: &[PathBuf],
    accept_data_loss: bool,
    figures: PrometheusHandle,
    (clock, ready): (Clock, Ready),
) -> anyhow::Result<Running> {
    let host = Host::new(config, clock, ready, accept_data_loss)?;
    preload::load(&host.broker, load).await?;
    preload::configure(&host.broker, &host.config.agents).await?;
    host.start(figures).await
}

/// Takes what the host needs of its machine.
fn prepare(config: &Config, clock: &Clock) -> anyhow::Result<Ready> {
    let mut findings = Findings::default();
    let ready = preflight::prepare(config, clock, &mut findings);
    for warning in &findings.warnings {
        warn!("{warning}");
    }
    findings.into_result()?;
    ready.context("cannot take what the host needs of its machine")
}

/// How data is stored.
pub(crate) fn storage_config(
    config: &Config,
    max_open_files: Option<u32>,
    accept_data_loss: bool,
) -> taskyard_storage::Config {
    taskyard_storage::Config {
        folder: config.data_dir.clone(),
        sync: config.sync,
        max_open_files,
        accept_data_loss,
    }
}

fn warn_of(config: &Config) {
    if !config.sync {
        warn!("sync = false: a power failure takes back what clients were told");
    }
    warn_of_plaintext(config);
    if config.allow_anonymous && !config.is_guarded() {
        warn!(listen = %config.listen, "allow_anonymous = true: everybody who can connect may use the agents");
    }
}

// Not an error: a proxy with TLS may be in front, and only its operator knows.
fn warn_of_plaintext(config: &Config) {
    let tls = config.tls.as_ref();
    if tls.is_none() && !is_local(config.listen) && config.is_guarded() {
        warn!(listen = %config.listen, "credentials of clients travel unprotected, unless a proxy with TLS is in front: set [tls]");
    }
    if tls.is_none_or(|tls| !tls.admin) && !is_local(config.admin_listen) {
        warn!(admin_listen = %config.admin_listen, "the admin token travels unprotected, unless a proxy with TLS is in front: set [tls] and tls.admin");
    }
}

/// Makes a folder that nobody else can look into: it holds clients' credentials. One that exists keeps
/// its mode, which its operator may have meant.
fn make_private(folder: &Path) -> std::io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// The parts of the host, before anything runs.
struct Host {
    config: Config,
    files: Budget,
    certificate: Option<Watch>,
    /// For clients, for operators.
    bound: (Bound, Bound),
    token: Secret,
    clock: Clock,
    ids: IdSource,
    keys: Keyring,
    broker: Broker,
    engine: Engine,
    notifier: Notifier,
    delegate: Delegate,
}

impl Host {
    fn new(
        config: Config,
        clock: Clock,
        ready: Ready,
        accept_data_loss: bool,
    ) -> anyhow::Result<Self> {
        let Ready {
            files,
            certificate,
            secrets,
            listen,
            admin_listen,
        } = ready;
        let config = within(config, files);
        let ids = IdSource::system();
        let sources = Sources {
            clock: clock.clone(),
            ids: ids.clone(),
        };
        let max_open_files = u32::try_from(files.store).ok();
        let storage = storage_config(&config, max_open_files, accept_data_loss);
        let broker = Broker::open(&storage, broker_config(&config), sources)?;
        // Only now is it certain that no other host uses the folder. One that was killed may have left
        // where it was.
        Addresses::remove(&config.data_dir);
        let token = admin_token::ensure(&config, &ids)?;
        let keys = Keyring::open(&config.signing, &config.data_dir, &ids)?;
        let outbound = Outbound::new(&config.egress, secrets, clock.clone())?;
        let engine = Engine::new(
            &engine_config(&config),
            Arc::new(ProcessCompiler::new(&config.engine)),
            broker.clone(),
            outbound.clone(),
            clock.clone(),
            ids.clone(),
        )?;
        broker.set_inspector(engine.inspector());
        broker.set_prober(engine.prober());
        let notifier = Notifier::new(&config.notify, broker.clone(), clock.clone(), ids.clone())?;
        broker.set_webhook_policy(Arc::new(notifier.guard()));
        let delegate = Delegate::new(broker.clone(), outbound, clock.clone(), ids.clone());
        Ok(Self {
            config,
            files,
            certificate,
            bound: (listen, admin_listen),
            token,
            clock,
            ids,
            keys,
            broker,
            engine,
            notifier,
            delegate,
        })
    }

    async fn start(self, figures: PrometheusHandle) -> anyhow::Result<Running> {
        let addresses = self.addresses();
        let stops = Stops::default();
        let (for_clients, for_operators) = rooms(&self.config, self.files);
        let manner = manner(&self.config);
        let api = self.api(&stops)?;
        say_who_may_call(&api);
        let admin_api = self.admin(figures)?;
        let issuer = self.issuer(&addresses);
        let tls = self.certificate.as_ref().map(Watch::tls);
        let (public, admin) = doors(&self.config, self.bound, tls)?;
        let clock = ClockWatch::new(self.clock.clone(), self.config.clock, &self.config.data_dir);
        let grace = Duration::from_secs(self.config.shutdown_grace_seconds);
        let loops = Loops {
            engine: tokio::spawn(run_engine(self.engine, stops.clone(), grace)),
            notifier: tokio::spawn(run_notifier(self.notifier.signed_by(issuer), stops.clone())),
            delegate: tokio::spawn(run_delegate(self.delegate, stops.clone())),
            clock: tokio::spawn(clock.run(stops.doors.clone())),
            certificate: tokio::spawn(run_watch(self.certificate, stops.doors.clone())),
            doors: [
                tokio::spawn(public.serve(
                    public_router(api),
                    for_clients,
                    manner,
                    stops.doors.clone(),
                )),
                tokio::spawn(admin.serve(
                    admin_router(admin_api),
                    for_operators,
                    manner,
                    stops.doors.clone(),
                )),
            ],
        };
        addresses
            .write(&self.config.data_dir)
            .context("cannot write the addresses into the data folder")?;
        let agents = self.broker.agents();
        let program = hello::program();
        let data_dir = &self.config.data_dir;
        let greeting = hello::greeting(&program, &addresses, data_dir, agents.values());
        Output::new(false).text(&greeting)?;
        info!(listen = %addresses.listen, admin_listen = %addresses.admin_listen, "ready");
        Ok(Running {
            data_dir: self.config.data_dir,
            broker: self.broker,
            stops,
            loops,
            delay: Duration::from_secs(self.config.shutdown_delay_seconds),
            grace,
        })
    }

    fn addresses(&self) -> Addresses {
        Addresses {
            listen: self.bound.0.address(),
            admin_listen: self.bound.1.address(),
            ..Addresses::configured(&self.config)
        }
    }

    /// Who says what notifications say: the URL that agent cards begin with.
    fn issuer(&self, addresses: &Addresses) -> Issuer {
        let public = self.config.public_url.as_deref();
        let public = public.map(|url| url.trim_end_matches('/').to_owned());
        let name = public.unwrap_or_else(|| addresses.url());
        Issuer::new(self.keys.clone(), name, self.clock.clone())
    }

    fn api(&self, stops: &Stops) -> anyhow::Result<Api> {
        let api = Api::new(
            api_config(&self.config),
            self.broker.clone(),
            self.keys.clone(),
            Memory::new(memory::budget(&self.config.memory)),
            self.clock.clone(),
            self.ids.clone(),
            stops.streams.clone(),
        );
        let documents = Documents::new().context("cannot set up the HTTP client")?;
        api.set_fetcher(Arc::new(documents));
        Ok(api)
    }

    fn admin(&self, figures: PrometheusHandle) -> anyhow::Result<Admin> {
        let token = Token::try_from(self.token.reveal().to_owned()).context("admin_token")?;
        Ok(Admin::new(
            self.broker.clone(),
            token,
            Arc::new(move || figures.render()),
            self.clock.clone(),
            self.ids.clone(),
        ))
    }
}

fn say_who_may_call(api: &Api) {
    if api.is_open() {
        info!(
            "no credentials are configured: whoever can connect may call, for any tenant; `taskyard key create` makes the first key and ends that"
        );
    }
}

/// The host while it runs.
struct Running {
    data_dir: PathBuf,
    broker: Broker,
    stops: Stops,
    loops: Loops,
    delay: Duration,
    grace: Duration,
}

impl Running {
    /// Goes on as before for a while, and says that it will stop.
    async fn linger(&mut self) {
        if self.delay.is_zero() {
            return;
        }
        self.broker.announce_shutdown();
        info!(
            delay_seconds = self.delay.as_secs(),
            "told to stop: /readyz says so, and everything else goes on for now"
        );
        let _ = tokio::time::timeout(self.delay, self.loops.failed()).await;
    }

    async fn stop(self) {
        stop(&self.broker, &self.stops, self.loops, self.grace).await;
        Addresses::remove(&self.data_dir);
        // The last handle: closes the data folder.
        drop(self.broker);
        info!("stopped");
    }
}

/// Both doors, for clients and for operators, open and not yet answered.
fn doors(
    config: &Config,
    (public, admin): (Bound, Bound),
    tls: Option<Tls>,
) -> anyhow::Result<(Door, Door)> {
    let of_operators = config.tls.as_ref().is_some_and(|tls| tls.admin);
    let of_operators = tls.clone().filter(|_| of_operators);
    let (public, admin) = (public.listen()?, admin.listen()?);
    Ok((
        public.with_tls(tls, Audience::Clients),
        admin.with_tls(of_operators, Audience::Operators),
    ))
}

/// How many connections the doors take. One address gets half of them unless the operator says otherwise:
/// all that a load balancer needs, and never so many that nobody else comes in.
fn rooms(config: &Config, files: Budget) -> (Room, Room) {
    let said = config.api.max_connections_per_address;
    let said = said.map(|most| usize::try_from(most.get()).unwrap_or(usize::MAX));
    let room = |most: usize| Room {
        most,
        most_per_address: (most / 2).max(1),
    };
    let clients = room(files.clients);
    let clients = Room {
        most_per_address: said.unwrap_or(clients.most_per_address),
        ..clients
    };
    (clients, room(files.operators))
}

fn manner(config: &Config) -> Manner {
    Manner {
        idle: Duration::from_secs(config.api.idle_seconds.get()),
        write: Duration::from_secs(config.api.write_timeout_seconds.get()),
        max_streams: config.api.max_streams_per_connection.get(),
    }
}

/// The configuration with as many requests at once as there may be files for them.
fn within(mut config: Config, files: Budget) -> Config {
    let Config { egress, notify, .. } = &mut config;
    egress.max_concurrent = egress.max_concurrent.min(files.requests);
    egress.keep_idle = files.keeps_idle;
    notify.max_concurrent = notify.max_concurrent.min(files.notifications);
    notify.keep_idle = files.keeps_idle;
    config
}

async fn run_watch(certificate: Option<Watch>, stop: CancellationToken) {
    match certificate {
        Some(watch) => watch.run(stop).await,
        None => stop.cancelled().await,
    }
}

async fn run_engine(engine: Engine, stops: Stops, grace: Duration) {
    engine.run_loop(stops.engine, grace).await;
}

async fn run_notifier(notifier: Notifier, stops: Stops) {
    notifier.run(stops.notifier).await;
}

async fn run_delegate(delegate: Delegate, stops: Stops) {
    delegate.run(stops.delegate).await;
}

fn broker_config(config: &Config) -> taskyard_broker::Config {
    taskyard_broker::Config {
        limits: config.limits,
        retry: config.retry,
        task: config.task,
        disk: config.storage.disk(),
        scrub: config.storage.scrub,
        retention: config.retention,
        worker: config.worker,
        default_agent: config.default_agent.clone(),
    }
}

fn engine_config(config: &Config) -> taskyard_engine::Config {
    let mut engine = config.engine.clone();
    let folder = || config.data_dir.join("components");
    engine.cache_dir.get_or_insert_with(folder);
    engine
}

fn api_config(config: &Config) -> taskyard_api::Config {
    taskyard_api::Config {
        public_url: config.public_url.clone(),
        require_credentials: config.api.require_credentials || config.asks_for_certificates(),
        ..config.api.clone()
    }
}
