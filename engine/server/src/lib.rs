//! `runbook serve`: takes events in over HTTP, starts the runs that they are meant to start, and looks after runs that nobody drives.
//!
//! ```text
//!  sender ─► door ─► intake (events.db) ─► dispatching ─► lives ─► driver
//!             202 once durable              one process    queue by impact
//! ```
//!
//! What is decided is decided by the engine: by a source what a request holds, by the judge what follows from an event, by the machine
//! what a run does next. Here stands only what a process that does not end needs beside them: bounds, queues, and the way to stop.
//! Nothing is printed; what happens is told through `tracing`.

mod api;
mod bell;
pub mod client;
mod dispatching;
mod door;
mod fetch;
mod growth;
mod health;
mod hosts;
mod inlets;
mod lives;
mod metrics;
mod pages;
mod peer;
mod places;
mod problem;
mod serving;
mod stalled;
mod streams;
mod tls;
mod traces;
mod web;

use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::Url;
use runbook_core::diagnostic::Diagnostic;
use runbook_core::{RunId, StepPath};
use runbook_engine::access::Access;
use runbook_engine::catalogue::{Catalogue, CatalogueError};
use runbook_engine::certificate::CertificateFiles;
use runbook_engine::clock::{Clock, SystemClock};
use runbook_engine::event::Certificates;
use runbook_engine::intake::Intake;
use runbook_engine::journal::{Commits, JournalError, Owner, SharedJournal, Store};
use runbook_engine::log::{LogError, Logs};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use bell::Bell;
use growth::Growth;
use health::Health;
use hosts::Hosts;
use metrics::Metrics;
use peer::Proxies;
use serving::Serving;
use tls::Tls;
use traces::Traces;

/// What a server is told.
#[derive(Clone, Debug)]
pub struct Config {
    pub listen: SocketAddr,
    /// Without it connections are in the clear.
    pub tls: Option<CertificateFiles>,
    /// Proxies that stand before the server: nobody else is let in, and what they say of whom they serve is believed.
    pub proxies: Vec<IpAddr>,
    /// By which names people call the server.
    pub hosts: Vec<String>,
    /// The address of a collector of OpenTelemetry that is told of each run that ends.
    pub collector: Option<String>,
    /// The folder of the records.
    pub state: PathBuf,
    /// The folder of the procedures.
    pub catalogue: PathBuf,
    /// That of the user's settings, where the identity for age is.
    pub settings: PathBuf,
    /// On whose behalf the server works, as other processes see it.
    pub person: String,
    /// Where secrets are looked for, and what their providers get.
    pub environment: Vec<(OsString, OsString)>,
}

/// Why a server does not start, or stopped by itself.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error(
        "{0} can be reached by other machines, and what they send could be read on the way; give --tls-certificate and --tls-key, or the \
         --proxy with TLS that stands before it"
    )]
    NotSecured(SocketAddr),
    #[error(
        "{0} can be reached by other machines, and nobody has a token or an account yet; make one with `runbook token create --for PERSON`, \
         or `runbook account add PERSON`"
    )]
    NoCredential(SocketAddr),
    #[error("{collector} is no address of a collector: {why}; give it as `http://127.0.0.1:4318`")]
    Collector { collector: String, why: String },
    #[error("the certificate cannot be used: {0}")]
    Tls(String),
    #[error("cannot listen on {address}: {why}")]
    Listen { address: SocketAddr, why: std::io::Error },
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// Procedures that events start have these errors.
    #[error("a playbook is not valid")]
    NotValid { catalogue: Box<Catalogue>, errors: Vec<Diagnostic> },
    #[error("{0}")]
    Source(String),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Logs(#[from] LogError),
}

/// A run in whose midst the server stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    pub run: RunId,
    /// What was under way: nobody knows how it ended.
    pub steps: Vec<StepPath>,
}

/// What every part of the server shares.
struct App {
    config: Config,
    journal: SharedJournal,
    intake: Arc<Intake>,
    logs: Logs,
    clock: Arc<dyn Clock>,
    tls: Option<Tls>,
    proxies: Proxies,
    hosts: Hosts,
    /// Who may come, and what they did.
    access: Access,
    certificates: Certificates,
    serving: Serving,
    health: Health,
    metrics: Metrics,
    /// Rings when events came in.
    arrived: Bell,
    /// Tells which records have grown.
    growth: Arc<Growth>,
    /// Requests to the API that were begun: they are done to their end, whoever has gone.
    calls: TaskTracker,
    /// Stop taking anything up.
    stop: CancellationToken,
    trouble: Mutex<Option<JournalError>>,
}

impl App {
    /// An owner for one part of the server: two parts never take a run from each other.
    fn owner(&self) -> Owner {
        Owner::this_process(self.config.person.clone())
    }

    /// Whether browsers see TLS: our own, or that of a proxy.
    fn is_secure(&self) -> bool {
        self.tls.is_some() || !self.config.proxies.is_empty()
    }

    /// What the cookie of a session is called. A name that begins so is only ever set for this host alone, over TLS.
    fn cookie(&self) -> &'static str {
        if self.is_secure() { "__Host-runbook" } else { "runbook" }
    }

    /// Whether a store has stopped for good: what it holds is known only once it is opened again, so the server ends.
    fn is_fatal(&self, error: &JournalError) -> bool {
        let is_fatal = matches!(error, JournalError::Stopped(_) | JournalError::ReadOnly { .. });
        if is_fatal {
            self.trouble.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| error.clone());
            self.stop.cancel();
        }
        is_fatal
    }
}

/// A server that listens and does nothing else yet.
pub struct Server {
    app: Arc<App>,
    listener: TcpListener,
    address: SocketAddr,
    catalogue: Catalogue,
    /// Where traces go.
    collector: Option<Url>,
}

impl Server {
    /// Reads the catalogue, opens the records and begins to listen. To be called within a runtime.
    pub async fn open(config: Config) -> Result<Server, ServeError> {
        let is_open = !config.listen.ip().is_loopback();
        if is_open && config.tls.is_none() && config.proxies.is_empty() {
            return Err(ServeError::NotSecured(config.listen));
        }
        let collector = config.collector.as_deref().map(|collector| {
            let refused = |why| ServeError::Collector { collector: collector.to_owned(), why };
            traces::endpoint(collector).map_err(refused)
        });
        let collector = collector.transpose()?;
        let tls = config.tls.clone().map(Tls::open).transpose().map_err(ServeError::Tls)?;
        runbook_engine::action::install_provider();
        let catalogue = Catalogue::open(&config.catalogue)?;
        let offer = serving::Offer::of(&catalogue, &config).map_err(|faults| match faults {
            serving::Faults::NotValid(errors) => ServeError::NotValid { catalogue: Box::new(catalogue.clone()), errors },
            serving::Faults::Source(why) => ServeError::Source(why),
        })?;
        let store = Store::open_with(&config.state, Commits::Together)?;
        let logs = Logs::open_in(store.handle(), store.folder())?;
        let intake = Arc::new(Intake::open(&config.state, Commits::Together)?);
        let access = Access::open(&config.state, Commits::Together)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let asks_for_certificates = config.tls.as_ref().is_some_and(|files| files.client_authorities.is_some());
        let by_workspace = catalogue.workspace().is_some_and(|workspace| {
            workspace.knows_people_there() || (asks_for_certificates && !workspace.certificates.is_empty())
        });
        if is_open && !by_workspace && !access.lets_somebody_in(clock.now())? {
            return Err(ServeError::NoCredential(config.listen));
        }
        let refused = |why| ServeError::Listen { address: config.listen, why };
        let listener = TcpListener::bind(config.listen).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let is_bare = config.tls.is_none() && config.proxies.is_empty();
        let app = Arc::new(App {
            hosts: Hosts::new(&config.hosts, is_bare),
            journal: Arc::new(store),
            intake,
            access,
            logs,
            clock,
            tls,
            proxies: Proxies(config.proxies.iter().map(|proxy| proxy.to_canonical()).collect()),
            certificates: Certificates::native(),
            serving: Serving::new(offer),
            health: Health::default(),
            metrics: Metrics::default(),
            arrived: Bell::default(),
            growth: Arc::default(),
            calls: TaskTracker::new(),
            stop: CancellationToken::new(),
            trouble: Mutex::default(),
            config,
        });
        Ok(Server { app, listener, address, catalogue, collector })
    }

    /// Where it listens: with the port that the system chose, where none was named.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop`; then takes nothing up any more and lets what is under way end, at most until `at_once` or
    /// [`limits::DRAIN`](runbook_core::limits::DRAIN). Gives the runs in whose midst it stopped.
    pub async fn run(self, stop: CancellationToken, at_once: CancellationToken) -> Result<Vec<Left>, ServeError> {
        let Server { app, listener, catalogue, collector, .. } = self;
        let told = tokio::spawn({
            let app = app.clone();
            async move {
                stop.cancelled().await;
                app.stop.cancel();
            }
        });
        let (ended, has_ended) = tokio::sync::mpsc::unbounded_channel();
        let (asks, asked) = tokio::sync::mpsc::unbounded_channel();
        let web = tokio::spawn(web::serve(app.clone(), asks.clone(), listener));
        let dispatching = tokio::spawn(dispatching::dispatch(app.clone(), has_ended, asks));
        let reloading = tokio::spawn(serving::reload(app.clone(), catalogue));
        tracing::info!(catalogue = %app.config.catalogue.display(), state = %app.config.state.display(), "serving");
        let streaming = tokio::spawn(streams::take(app.clone()));
        let (traces, telling) = Traces::start(app.clone(), collector);
        let left = lives::live(app.clone(), traces, asked, ended, at_once.clone()).await;
        let until = tokio::time::Instant::now() + runbook_core::limits::LAST_ANSWERS;
        for mut part in [web, dispatching, reloading, streaming, telling] {
            // What they have not told anybody is found by the next process.
            tokio::select! {
                _ = &mut part => {}
                () = at_once.cancelled() => part.abort(),
                () = tokio::time::sleep_until(until) => part.abort(),
            }
        }
        app.calls.close();
        tokio::select! {
            () = app.calls.wait() => {}
            () = at_once.cancelled() => {}
            () = tokio::time::sleep_until(until) => {}
        }
        told.abort();
        let trouble = app.trouble.lock().unwrap_or_else(PoisonError::into_inner).take();
        match trouble {
            Some(trouble) => Err(trouble.into()),
            None => Ok(left),
        }
    }
}
