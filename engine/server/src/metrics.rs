//! What `GET /metrics` tells Prometheus. Labels are names of the catalogue and words of ours, never what a sender chose: their number is
//! bounded by what is served.

use std::fmt;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use runbook_core::trigger::Ruling;

/// In the words of the standard that Prometheus reads.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfSource {
    source: String,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfTrigger {
    procedure: String,
    trigger: String,
    decision: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfRun {
    procedure: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WithResult {
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct InState {
    state: &'static str,
}

pub struct Metrics {
    registry: Registry,
    deliveries: Family<OfSource, Counter>,
    events: Family<OfSource, Counter>,
    decisions: Family<OfTrigger, Counter>,
    ended: Family<OfRun, Counter>,
    traces: Family<WithResult, Counter>,
    runs: Family<InState, Gauge>,
    waiting: Gauge,
    oldest: Gauge<f64, AtomicU64>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

impl Default for Metrics {
    fn default() -> Metrics {
        let mut registry = Registry::with_prefix("runbook");
        let deliveries = Family::default();
        registry.register("deliveries", "Requests to sources: taken, taken before, or why not", deliveries.clone());
        let events = Family::default();
        registry.register("events", "Events that came in: new, or known by their id", events.clone());
        let decisions = Family::default();
        registry.register("decisions", "Decisions of triggers on events", decisions.clone());
        let ended = Family::default();
        registry.register("runs_ended", "Runs that ended while the server looked on", ended.clone());
        let traces = Family::default();
        registry.register("traces", "Traces of runs: sent to the collector, or dropped", traces.clone());
        let runs = Family::default();
        registry.register("runs", "Runs that the server looks after", runs.clone());
        let waiting = Gauge::default();
        registry.register("events_undecided", "Events that wait for a decision", waiting.clone());
        let oldest = Gauge::<f64, AtomicU64>::default();
        let help = "Age of the oldest event that waits for a decision";
        registry.register_with_unit("events_undecided_age", help, Unit::Seconds, oldest.clone());
        Metrics { registry, deliveries, events, decisions, ended, traces, runs, waiting, oldest }
    }
}

impl Metrics {
    /// `source` is empty where the workspace has none of the name that was asked for.
    pub fn delivery(&self, source: &str, result: &'static str) {
        self.deliveries.get_or_create(&OfSource { source: source.to_owned(), result }).inc();
    }

    pub fn events(&self, source: &str, result: &'static str, count: u64) {
        if count > 0 {
            self.events.get_or_create(&OfSource { source: source.to_owned(), result }).inc_by(count);
        }
    }

    pub fn decided(&self, ruling: &Ruling) {
        let (procedure, trigger) = (ruling.trigger.procedure.to_string(), ruling.trigger.id.clone());
        self.decisions.get_or_create(&OfTrigger { procedure, trigger, decision: ruling.decision.word() }).inc();
    }

    pub fn ended(&self, procedure: &str, outcome: &'static str) {
        self.ended.get_or_create(&OfRun { procedure: procedure.to_owned(), outcome }).inc();
    }

    pub fn trace(&self, result: &'static str) {
        self.traces.get_or_create(&WithResult { result }).inc();
    }

    pub fn runs(&self, state: &'static str, count: usize) {
        self.runs.get_or_create(&InState { state }).set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    pub fn backlog(&self, events: u64, age_seconds: f64) {
        self.waiting.set(i64::try_from(events).unwrap_or(i64::MAX));
        self.oldest.set(age_seconds);
    }

    pub fn to_text(&self) -> String {
        let mut text = String::new();
        // Only a writer that fails could fail it.
        let _ = text::encode(&mut text, &self.registry);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_count_is_told_once_under_its_names() {
        let metrics = Metrics::default();
        metrics.delivery("alerts", "taken");
        metrics.delivery("alerts", "taken");
        metrics.delivery("", "unknown_source");
        metrics.events("alerts", "new", 3);
        metrics.events("alerts", "again", 0);
        metrics.ended("fix", "succeeded");
        metrics.runs("waiting", 7);
        metrics.backlog(2, 1.5);
        let text = metrics.to_text();
        for line in [
            "runbook_deliveries_total{source=\"alerts\",result=\"taken\"} 2",
            "runbook_deliveries_total{source=\"\",result=\"unknown_source\"} 1",
            "runbook_events_total{source=\"alerts\",result=\"new\"} 3",
            "runbook_runs_ended_total{procedure=\"fix\",outcome=\"succeeded\"} 1",
            "runbook_runs{state=\"waiting\"} 7",
            "runbook_events_undecided 2",
            "runbook_events_undecided_age_seconds 1.5",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        assert!(!text.contains("result=\"again\""), "nothing is told of what never was:\n{text}");
        assert!(text.ends_with("# EOF\n"), "{text}");
    }
}
