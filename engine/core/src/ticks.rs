//! The ticks of a schedule as events: each counts once, or is recorded as missed.
//!
//! Which ticks there were between two moments depends on those moments alone, and each is called by its time. So whoever writes them
//! down may be stopped anywhere, may have a clock that is set forth and back, and may have company: no tick counts twice.

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};

use crate::cloud_event::{CloudEvent, Status};
use crate::event_source::{Missed, Schedule};
use crate::limits;
use crate::policy::time_zone;
use crate::value::{Map, Value};

/// The `type` of a tick.
const TICK: &str = "runbook.schedule.tick";
/// The `type` of an event that tells of ticks at which nobody was there.
const MISSED: &str = "runbook.schedule.missed";

/// When a schedule ticks. A time that a change of the clocks leaves out comes at its end, where the hour is fixed, and not at all, where
/// it is one of many (`*`, `*/15`); a time that comes twice counts the first time, or, of many, both times.
#[derive(Clone, Debug)]
pub struct Timetable {
    cron: Cron,
    zone: TimeZone,
}

impl Timetable {
    /// `cron` is minute, hour, day of month, month and day of week, or a word such as `@daily`; `zone` a name of the IANA database. The
    /// error is part of a sentence.
    pub fn of(cron: &str, zone: &str) -> Result<Timetable, String> {
        if cron.len() > limits::CRON_BYTES {
            return Err(format!("it is longer than {} characters", limits::CRON_BYTES));
        }
        let zone = time_zone(zone).ok_or_else(|| format!("`{zone}` is not a time zone"))?;
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let cron = parser.parse(cron).map_err(|why| why.to_string())?;
        let timetable = Timetable { cron, zone };
        // The search ends with the year 5000. All dates and weekdays meet within forty years.
        match timetable.next(jiff::civil::date(4900, 1, 1).to_zoned(TimeZone::UTC).map_err(|why| why.to_string())?.timestamp()) {
            Some(_) => Ok(timetable),
            None => Err("there is no such day".to_owned()),
        }
    }

    /// The first tick behind a moment.
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let next = self.cron.find_next_occurrence(&self.local(after), false).ok()?.timestamp();
        // A moment between two seconds belongs to the second before it.
        (next > after).then_some(next)
    }

    /// The last tick before a moment.
    fn last(&self, before: Timestamp) -> Option<Timestamp> {
        self.cron
            .find_previous_occurrence(&self.local(before), false)
            .ok()
            .map(|last| last.timestamp())
            .filter(|last| *last < before)
    }

    fn local(&self, at: Timestamp) -> Zoned {
        at.to_zoned(self.zone.clone())
    }

    /// The ticks behind `after` and before `until`.
    fn between(&self, after: Timestamp, until: Timestamp) -> impl Iterator<Item = Timestamp> {
        std::iter::successors(self.next(after), |tick| self.next(*tick)).take_while(move |tick| *tick < until)
    }
}

impl Schedule {
    /// The moment behind which a tick still counts.
    pub fn still_in_time(&self, now: Timestamp) -> Option<Timestamp> {
        jiff::SignedDuration::try_from(self.late).ok().and_then(|late| now.checked_sub(late).ok())
    }

    /// What is to be written down of the ticks behind `seen`, up to `now`; nothing where there were none. `source` is its name in the
    /// workspace.
    pub fn ticks(&self, timetable: &Timetable, source: &str, seen: Timestamp, now: Timestamp) -> Vec<CloudEvent> {
        let in_time = self.still_in_time(now).unwrap_or(Timestamp::MIN);
        let count = usize::try_from(limits::TICKS_COUNTED).unwrap_or(usize::MAX);
        let mut missed: Vec<Timestamp> = timetable.between(seen, in_time).take(count).collect();
        // Of more than are counted, the last one is what matters.
        let more = missed.len() == count;
        if more && let Some(last) = timetable.last(in_time) {
            missed.push(last);
        }
        // Those at both ends count.
        let moment = jiff::SignedDuration::from_nanos(1);
        let after = seen.max(in_time.checked_sub(moment).unwrap_or(Timestamp::MIN));
        let until = now.checked_add(moment).unwrap_or(Timestamp::MAX);
        let fresh: Vec<Timestamp> = timetable.between(after, until).take(count).collect();
        let belated = match self.missed {
            Missed::Once if fresh.is_empty() => missed.pop(),
            _ => None,
        };
        let told = |kind: &str, id: String, at: Timestamp, data: Map| CloudEvent {
            id,
            source: format!("/{source}"),
            kind: kind.to_owned(),
            subject: None,
            time: Some(at),
            data: Value::Map(data),
            extensions: Map::new(),
            key: source.to_owned(),
            status: Status::Once,
        };
        let of_missed = missed.first().zip(missed.last()).map(|(first, last)| {
            let data = Map::from([
                ("from".to_owned(), Value::Time(*first)),
                ("to".to_owned(), Value::Time(*last)),
                ("ticks".to_owned(), Value::Int(i64::try_from(missed.len()).unwrap_or(i64::MAX))),
                ("more".to_owned(), Value::Bool(more)),
            ]);
            told(MISSED, format!("missed/{first}/{last}"), *last, data)
        });
        let ticks = belated.into_iter().chain(fresh).map(|tick| {
            let data = Map::from([
                ("local".to_owned(), Value::text(timetable.local(tick).datetime().to_string())),
                ("zone".to_owned(), Value::text(&self.zone)),
                ("late".to_owned(), Value::Bool(Some(tick) == belated)),
            ]);
            told(TICK, tick.to_string(), tick, data)
        });
        of_missed.into_iter().chain(ticks).collect()
    }
}

/// Of how many ticks an event tells that nobody was there, at least; `None` for any other event.
pub fn missed(event: &CloudEvent) -> Option<u64> {
    let ticks =
        || event.data.get("ticks").and_then(|ticks| if let Value::Int(ticks) = ticks { u64::try_from(*ticks).ok() } else { None });
    (event.kind == MISSED).then(|| ticks().unwrap_or(1))
}

#[cfg(test)]
mod tests;
