//! Prometheus and Alertmanager as Debian has them: they watch one target and post its alerts.

use std::path::Path;

use rustix::process::Signal;

use super::daemon::{As, Daemon, bound_to_test};
use super::{Scratch, free_port};

/// Both, until it is dropped.
pub struct Monitoring {
    _prometheus: Daemon,
    _alertmanager: Daemon,
    _scratch: Scratch,
}

/// What is watched, and who is told.
pub struct Watched<'a> {
    pub port: u16,
    /// What its alert is called, and when it fires.
    pub alert: &'a str,
    pub when: &'a str,
    /// Labels of its alerts, beside those of Prometheus.
    pub labels: &'a [(&'a str, &'a str)],
    pub receiver: &'a str,
    pub token: &'a str,
}

impl Monitoring {
    /// Scrapes the target, and judges what it says, each second.
    pub fn start(watched: &Watched) -> Monitoring {
        let scratch = Scratch::new();
        let (prometheus, alertmanager) = (free_port(), free_port());
        let Watched { port, alert, when, labels, receiver, token } = watched;
        let write = |name: &str, text: &str| {
            let path = scratch.join(name);
            std::fs::write(&path, text).expect("a configuration");
            path
        };
        let labels: String = labels.iter().map(|(name, value)| format!("{name}: '{value}', ")).collect();
        let rules = write(
            "rules.yml",
            &format!("groups: [{{name: web, rules: [{{alert: {alert}, expr: '{when}', labels: {{{labels}}}}}]}}]\n"),
        );
        let config = write(
            "prometheus.yml",
            &format!(
                "global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
rule_files: ['{}']
alerting: {{alertmanagers: [{{static_configs: [{{targets: ['127.0.0.1:{alertmanager}']}}]}}]}}
scrape_configs: [{{job_name: web, metrics_path: /metrics, static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}]
",
                rules.display()
            ),
        );
        let routes = write(
            "alertmanager.yml",
            &format!(
                "route: {{receiver: runbook, group_by: [alertname], group_wait: 1s, group_interval: 1s, repeat_interval: 1h}}
receivers:
  - name: runbook
    webhook_configs: [{{url: '{receiver}', http_config: {{authorization: {{credentials: '{token}'}}}}}}]
"
            ),
        );
        let start = |program: &str, port: u16, data: &Path, config: &Path, more: &[&str]| {
            let mut command = bound_to_test(program, As::Us);
            command.arg(format!("--config.file={}", config.display()));
            command.arg(format!("--storage.{}={}", if more.is_empty() { "tsdb.path" } else { "path" }, data.display()));
            command.arg(format!("--web.listen-address=127.0.0.1:{port}")).args(more);
            Daemon::start(command, Signal::TERM, &scratch.join(format!("{program}.log")))
        };
        // Alone: it would look for others of its kind.
        let alone = ["--cluster.listen-address="];
        let _alertmanager = start("prometheus-alertmanager", alertmanager, &scratch.folder("alerts"), &routes, &alone);
        let _prometheus = start("prometheus", prometheus, &scratch.folder("series"), &config, &[]);
        Monitoring { _prometheus, _alertmanager, _scratch: scratch }
    }
}
