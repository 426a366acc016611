//! The catalogue that is served: its sources, and what its triggers start. It follows the files: once they have stopped changing, they
//! are read again, and a catalogue with faults leaves the last good one where it is.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use runbook_core::diagnostic::Diagnostic;
use runbook_core::event_source::{EventSource, SourceKind};
use runbook_core::limits;
use runbook_core::plan::SecretSource;
use runbook_engine::catalogue::Catalogue;
use runbook_engine::dispatch::Served;
use runbook_engine::event::Source;
use runbook_engine::oidc::Provider;
use runbook_engine::secret::SecretStore;

use crate::health::Topic;
use crate::streams::Stream;
use crate::{App, Config};

/// What one catalogue offers.
pub struct Offer {
    /// To which somebody sends.
    sources: HashMap<String, Arc<Source>>,
    unposted: BTreeMap<String, EventSource>,
    /// From which we fetch.
    streams: Vec<Arc<Stream>>,
    /// Where people log in.
    oidc: Option<Arc<Provider>>,
    served: Served,
    catalogue: Arc<Catalogue>,
}

pub enum Faults {
    NotValid(Vec<Diagnostic>),
    /// A source cannot be opened: why.
    Source(String),
}

impl Faults {
    /// The first of them, for a log.
    fn told(&self) -> String {
        match self {
            Faults::Source(why) => why.clone(),
            Faults::NotValid(errors) => match errors.as_slice() {
                [] => "a procedure is not valid".to_owned(),
                [first, rest @ ..] => {
                    let more = if rest.is_empty() { String::new() } else { format!(", and {} more", rest.len()) };
                    format!("{}: {}{more}; `runbook check` shows all", first.source, first.message)
                }
            },
        }
    }
}

impl Offer {
    pub fn of(catalogue: &Catalogue, config: &Config) -> Result<Offer, Faults> {
        let (served, errors) = Served::of(catalogue);
        let of_workspace =
            |file: &&runbook_engine::catalogue::File| &*file.source.name == runbook_engine::catalogue::WORKSPACE_FILE;
        let is_error = |found: &&Diagnostic| found.severity == runbook_core::diagnostic::Severity::Error;
        let found = catalogue.files().iter().filter(of_workspace).flat_map(|file| &file.found).filter(is_error);
        let mut all: Vec<Diagnostic> = found.cloned().collect();
        all.extend(errors.into_iter().filter(|error| !all.contains(error)).collect::<Vec<_>>());
        if !all.is_empty() {
            return Err(Faults::NotValid(all));
        }
        // Of a secret that was changed since, the new value counts.
        let secrets = SecretStore::new(catalogue.root(), &config.settings, config.environment.iter().cloned());
        let (mut sources, mut unposted, mut streams) = (HashMap::new(), BTreeMap::new(), Vec::new());
        for (name, declared) in catalogue.workspace().into_iter().flat_map(|workspace| &workspace.sources) {
            match &declared.kind {
                SourceKind::Webhook(_) => {}
                SourceKind::Schedule(_) | SourceKind::Folder(_) => {
                    unposted.insert(name.clone(), declared.clone());
                    continue;
                }
                SourceKind::Nats(nats) => {
                    let stream = Stream::open(name, nats, |id| {
                        let place = declared.secrets.get(id).ok_or_else(|| "it is not declared".to_owned())?;
                        secrets.get(place).map_err(|error| error.to_string())
                    });
                    streams.push(Arc::new(stream.map_err(Faults::Source)?));
                    continue;
                }
            }
            let opened = Source::open(name, declared, |place| secrets.get(place).map_err(|error| error.to_string()));
            sources.insert(name.clone(), Arc::new(opened.map_err(Faults::Source)?));
        }
        let oidc = catalogue.workspace().and_then(|workspace| workspace.oidc.as_ref());
        let secret = |place: &SecretSource| secrets.get(place).map_err(|error| error.to_string());
        let oidc = oidc.map(|oidc| Provider::open(oidc, secret)).transpose().map_err(Faults::Source)?.map(Arc::new);
        Ok(Offer { sources, unposted, streams, oidc, served, catalogue: Arc::new(catalogue.clone()) })
    }
}

/// What is served at a moment.
pub struct Now {
    pub version: u64,
    pub served: Served,
    /// Sources to which nobody posts.
    pub unposted: BTreeMap<String, EventSource>,
}

pub struct Serving {
    /// With how often it was changed.
    now: RwLock<(u64, Offer)>,
}

impl Serving {
    pub fn new(offer: Offer) -> Serving {
        Serving { now: RwLock::new((0, offer)) }
    }

    pub fn source(&self, name: &str) -> Option<Arc<Source>> {
        self.now.read().unwrap_or_else(PoisonError::into_inner).1.sources.get(name).cloned()
    }

    pub fn streams(&self) -> Vec<Arc<Stream>> {
        self.now.read().unwrap_or_else(PoisonError::into_inner).1.streams.clone()
    }

    pub fn oidc(&self) -> Option<Arc<Provider>> {
        self.now.read().unwrap_or_else(PoisonError::into_inner).1.oidc.clone()
    }

    pub fn catalogue(&self) -> Arc<Catalogue> {
        self.now.read().unwrap_or_else(PoisonError::into_inner).1.catalogue.clone()
    }

    /// With the number of its version, what triggers start, and the sources to which nobody posts.
    pub fn served(&self) -> Now {
        let now = self.now.read().unwrap_or_else(PoisonError::into_inner);
        Now { version: now.0, served: now.1.served.clone(), unposted: now.1.unposted.clone() }
    }

    /// Changes whenever another catalogue is served.
    pub fn version(&self) -> u64 {
        self.now.read().unwrap_or_else(PoisonError::into_inner).0
    }

    fn renew(&self, offer: Offer) {
        let mut now = self.now.write().unwrap_or_else(PoisonError::into_inner);
        *now = (now.0 + 1, offer);
    }
}

/// Looks at the files until the server stops.
pub async fn reload(app: Arc<App>, mut catalogue: Catalogue) {
    // Those of the last reading, and those of the last look where they differ.
    let mut read = catalogue.stamps();
    let mut seen = None;
    loop {
        tokio::select! {
            () = app.stop.cancelled() => return,
            () = tokio::time::sleep(limits::RELOAD_LOOK) => {}
        }
        let stamps = tokio::task::block_in_place(|| catalogue.stamps());
        if stamps == read {
            seen = None;
            continue;
        }
        // Somebody may be in the midst of writing several files.
        if seen.as_ref() != Some(&stamps) {
            seen = Some(stamps);
            continue;
        }
        let renewed = tokio::task::block_in_place(|| catalogue.clone().renewed());
        read = stamps;
        let offer = match renewed {
            Ok(renewed) => {
                (catalogue, seen) = (renewed, None);
                tokio::task::block_in_place(|| Offer::of(&catalogue, &app.config)).map_err(|faults| faults.told())
            }
            Err(error) => Err(error.to_string()),
        };
        match offer {
            Ok(offer) => {
                tracing::info!(digest = offer.served.digest().short(), "the catalogue was read again");
                app.serving.renew(offer);
                app.health.well(Topic::Catalogue);
                app.arrived.ring();
            }
            Err(why) => {
                let why = format!("the catalogue has changed, and the last good one is served: {why}");
                app.health.trouble(Topic::Catalogue, why);
            }
        }
    }
}
