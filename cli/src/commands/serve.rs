//! `runbook serve`: the server, its log, and the signals that stop it. The first one lets what is under way end, the second does not.

use runbook_engine::certificate::CertificateFiles;
use runbook_engine::people;
use runbook_server::{Config, Left, ServeError, Server};
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::store::split;
use super::{check, config_folder};
use crate::args;
use crate::exit::{Exit, Outcome, Trouble};
use crate::settings::Settings;
use crate::ui::log::Log;
use crate::ui::words::count;
use crate::ui::{Ui, line};

pub fn run(args: &args::Serve, settings: &Settings, ui: &mut Ui) -> Outcome {
    let person = people::local_user().map_err(|why| Trouble::failed(why.to_string()))?.user;
    // Secrets will be in memory: a crash must not write them into a core file.
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    // Without more, fewer connections are held at once, and all else goes on.
    let _ = runbook_engine::process::raise_descriptors();
    let config = Config {
        listen: args.listen,
        tls: args.tls_certificate.clone().zip(args.tls_key.clone()).map(|(certificates, key)| CertificateFiles {
            certificates,
            key,
            client_authorities: args.client_ca.clone(),
        }),
        proxies: args.proxy.clone(),
        hosts: args.host.clone(),
        collector: args.traces.clone(),
        state: settings.state()?.value.clone(),
        catalogue: settings.catalogue.value.clone(),
        settings: config_folder(),
        person,
        environment: std::env::vars_os().collect(),
    };
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    let no_runtime = |why| Trouble::failed(format!("cannot start the runtime: {why}"));
    let runtime = Builder::new_multi_thread().enable_all().build().map_err(no_runtime)?;
    Log::begin(args.log, args.verbose, ui.printer.clone(), ui.colours());
    let served: Result<Vec<Left>, ServeTrouble> = runtime.block_on(async {
        let server = Server::open(config).await?;
        ui.data(&format!("listening on {scheme}://{}", server.address())).map_err(ServeTrouble::Print)?;
        let (stop, at_once) = (CancellationToken::new(), CancellationToken::new());
        listen(stop.clone(), at_once.clone()).map_err(ServeTrouble::Signals)?;
        Ok(server.run(stop, at_once).await?)
    });
    runtime.shutdown_background();
    match served {
        Ok(left) if left.is_empty() => Ok(Exit::Succeeded),
        Ok(left) => {
            tell(&left, ui);
            Ok(Exit::Unknown)
        }
        Err(trouble) => Err(trouble.told(ui)),
    }
}

/// SIGTERM and SIGINT, whichever comes: the first stops, the second at once.
fn listen(stop: CancellationToken, at_once: CancellationToken) -> std::io::Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::spawn(async move {
        for token in [stop, at_once] {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            token.cancel();
        }
    });
    Ok(())
}

/// Names the runs in whose midst it stopped.
fn tell(left: &[Left], ui: &mut Ui) {
    ui.say(&format!("{} left in the midst of a step:", count(left.len() as u64, "run was", "runs were")));
    for Left { run, steps } in left {
        let steps: Vec<&str> = steps.iter().map(|step| step.as_str()).collect();
        ui.say(&format!("  {run} {}", line(&steps.join(", "))));
    }
    if let Some(first) = left.first() {
        ui.next(&format!("runbook show {}", first.run));
    }
}

enum ServeTrouble {
    Serve(ServeError),
    Print(std::io::Error),
    Signals(std::io::Error),
}

impl From<ServeError> for ServeTrouble {
    fn from(error: ServeError) -> ServeTrouble {
        ServeTrouble::Serve(error)
    }
}

impl ServeTrouble {
    fn told(self, ui: &mut Ui) -> Trouble {
        match self {
            ServeTrouble::Print(why) => Trouble::from(why),
            ServeTrouble::Signals(why) => Trouble::failed(format!("cannot watch for signals: {why}")),
            ServeTrouble::Serve(ServeError::NotValid { catalogue, errors }) => {
                check::show_faults(&errors, &catalogue, ui);
                Trouble::not_valid("a procedure is not valid; nothing is served").next("runbook check")
            }
            ServeTrouble::Serve(ServeError::Journal(error)) => Trouble::from(error),
            ServeTrouble::Serve(ServeError::Catalogue(error)) => Trouble::from(error),
            ServeTrouble::Serve(
                error @ (ServeError::NotSecured(_) | ServeError::NoCredential(_) | ServeError::Collector { .. }),
            ) => split(Exit::NotValid, &error.to_string()),
            ServeTrouble::Serve(error @ ServeError::Tls(_)) => Trouble::not_valid(error.to_string()).next(
                "give --tls-certificate and --tls-key the PEM files of one certificate, and --client-ca those of authorities",
            ),
            ServeTrouble::Serve(ServeError::Source(why)) => {
                Trouble::not_valid(why).next("give the secret a value, then start again")
            }
            ServeTrouble::Serve(error @ ServeError::Listen { .. }) => {
                Trouble::failed(error.to_string()).next("give another port with --listen")
            }
            ServeTrouble::Serve(error @ ServeError::Logs(_)) => {
                Trouble::failed(error.to_string()).next("choose another state folder with `--state DIR`")
            }
        }
    }
}
