//! A rotation that is kept in a calendar: a file of iCalendar (RFC 5545), each event of which says who is on call.
//!
//! Read are events with their beginning, end, repetition by days and weeks, exceptions, single times that were moved, and who: an attendee by
//! their mail, else the summary, which is the name of a person. What would change who is on call and is not understood is a fault; time zones
//! come from the database compiled into the program, and all else in the file is passed over.

use std::collections::BTreeMap;

use jiff::civil::{Date, DateTime, Time};

use crate::diagnostic::{Code, Diagnostic, Diagnostics, Source, Span};
use crate::limits;
use crate::policy::{Entry, People, Repeats, Rotation, Turns, Unit, at_wall_clock, time_zone};

/// The entries of a calendar, and what is wrong with it. Times without a zone are of `zone`.
pub(super) fn read(source: &Source, people: &People, zone: &str) -> (Vec<Entry>, Diagnostics) {
    let mut reading = Reading { source, people, zone, found: Diagnostics::default() };
    let entries = reading.entries().unwrap_or_default();
    (entries, reading.found)
}

/// One line of content, unfolded.
struct Line {
    name: String,
    parameters: Vec<(String, String)>,
    value: String,
    span: Span,
}

impl Line {
    fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

struct Reading<'r> {
    source: &'r Source,
    people: &'r People,
    zone: &'r str,
    found: Diagnostics,
}

/// A time of the wall clock of a zone, and whether it is a whole day.
struct Local {
    at: DateTime,
    zone: String,
    is_day: bool,
}

impl Local {
    /// The same moment by the wall clock of another zone.
    fn within(&self, zone: &str) -> Option<DateTime> {
        if self.zone == zone || self.is_day {
            return Some(self.at);
        }
        let instant = at_wall_clock(self.at, &time_zone(&self.zone)?)?;
        Some(time_zone(zone)?.to_datetime(instant))
    }
}

impl Reading<'_> {
    fn fault(&mut self, span: Span, message: String, help: &str) {
        self.found.push(Diagnostic::new(Code::RB0323, self.source, span, message).help(help));
    }

    fn lines(&mut self) -> Vec<Line> {
        let text = &self.source.text;
        let mut unfolded: Vec<(String, Span)> = Vec::new();
        let mut at = 0;
        for raw in text.split_inclusive('\n') {
            let line = raw.trim_end_matches(['\r', '\n']);
            let span = Span::new(at, at + line.len());
            at += raw.len();
            match (line.strip_prefix([' ', '\t']), unfolded.last_mut()) {
                (Some(more), Some((whole, _))) => whole.push_str(more),
                _ if line.trim().is_empty() => {}
                _ => unfolded.push((line.to_owned(), span)),
            }
        }
        let mut lines = Vec::new();
        for (text, span) in unfolded {
            match content(&text, span) {
                Some(line) => lines.push(line),
                None => self.fault(span, "this is not a line of a calendar".to_owned(), "write `NAME:value`, as RFC 5545 has it"),
            }
        }
        lines
    }

    fn entries(&mut self) -> Option<Vec<Entry>> {
        let lines = self.lines();
        let begins = |line: &Line| line.name == "BEGIN" && line.value.eq_ignore_ascii_case("VCALENDAR");
        if !lines.first().is_some_and(begins) {
            let span = lines.first().map_or(Span::default(), |line| line.span);
            self.fault(span, "this is not a calendar".to_owned(), "give a file of iCalendar, which begins with `BEGIN:VCALENDAR`");
            return None;
        }
        let mut inside: Vec<String> = Vec::new();
        let mut event: Vec<&Line> = Vec::new();
        let mut found: Vec<(String, Entry)> = Vec::new();
        let mut moved: Vec<(String, Local, Option<Entry>, Span)> = Vec::new();
        for line in &lines {
            match line.name.as_str() {
                "BEGIN" => {
                    inside.push(line.value.to_ascii_uppercase());
                    if inside.len() == 2 {
                        event.clear();
                    }
                }
                "END" => {
                    let ended = inside.pop();
                    if ended.as_deref() != Some(line.value.to_ascii_uppercase().as_str()) {
                        self.fault(line.span, "this ends what has not begun".to_owned(), "let each `END` follow its `BEGIN`");
                        return None;
                    }
                    if ended.as_deref() == Some("VEVENT") && inside.len() == 1 {
                        if found.len() + moved.len() >= limits::CALENDAR_EVENTS {
                            let message = format!("the calendar has more than {} events", limits::CALENDAR_EVENTS);
                            self.fault(line.span, message, "take out what is over");
                            return None;
                        }
                        self.event(&event, &mut found, &mut moved);
                    }
                }
                _ if inside.len() == 2 => event.push(line),
                _ => {}
            }
        }
        if !inside.is_empty() {
            let span = lines.last().map_or(Span::default(), |line| line.span);
            self.fault(span, format!("`{}` has no end", inside.join("`, `")), "give the whole file");
            return None;
        }
        let mut by_uid: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (place, (uid, _)) in found.iter().enumerate() {
            by_uid.entry(uid.clone()).or_default().push(place);
        }
        let mut single = Vec::new();
        for (uid, at, entry, span) in moved {
            let master = by_uid.get(&uid).and_then(|places| places.first()).and_then(|place| found.get_mut(*place));
            match master {
                Some((_, master)) if master.repeats.is_some() => {
                    let day = at.at.date().to_datetime(master.begins.time());
                    let begins = if at.is_day { Some(day) } else { at.within(&master.zone) };
                    master.except.extend(begins);
                }
                _ => self.fault(span, "no event that repeats has this `UID`".to_owned(), "give the event that this is one time of"),
            }
            single.extend(entry);
        }
        Some(found.into_iter().map(|(_, entry)| entry).chain(single).collect())
    }

    /// Adds what one event says.
    fn event(&mut self, lines: &[&Line], found: &mut Vec<(String, Entry)>, moved: &mut Vec<(String, Local, Option<Entry>, Span)>) {
        let one = |name: &str| lines.iter().copied().find(|line| line.name == name);
        let uid = one("UID").map(|line| line.value.clone()).unwrap_or_default();
        let is_cancelled = one("STATUS").is_some_and(|line| line.value.eq_ignore_ascii_case("CANCELLED"));
        let recurrence = one("RECURRENCE-ID").and_then(|line| Some((self.time(line, &line.value)?, line.span)));
        if is_cancelled {
            // One time of an event that is called off.
            if let Some((at, span)) = recurrence {
                moved.push((uid, at, None, span));
            }
            return;
        }
        let Some(entry) = self.entry(lines) else { return };
        match recurrence {
            Some((at, span)) => moved.push((uid, at, Some(entry), span)),
            None => found.push((uid, entry)),
        }
    }

    fn entry(&mut self, lines: &[&Line]) -> Option<Entry> {
        let one = |name: &str| lines.iter().copied().find(|line| line.name == name);
        let head = lines.first().map_or(Span::default(), |line| line.span);
        for name in ["RDATE", "EXRULE"] {
            if let Some(line) = one(name) {
                self.fault(line.span, format!("`{name}` is not understood"), "write an event of its own for each such time");
                return None;
            }
        }
        let Some(start) = one("DTSTART") else {
            self.fault(head, "the event does not say when it begins".to_owned(), "add `DTSTART`");
            return None;
        };
        let begins = self.time(start, &start.value)?;
        let ends = match (one("DTEND"), one("DURATION")) {
            (Some(line), _) => self.time(line, &line.value)?.within(&begins.zone)?,
            (None, Some(line)) => {
                let lasts = line.value.trim_start_matches('+').parse::<jiff::Span>().ok();
                let Some(ends) = lasts.and_then(|lasts| begins.at.checked_add(lasts).ok()) else {
                    self.fault(line.span, format!("`{}` is not a duration", shown(&line.value)), "write `P7D`, `P1W` or `PT12H`");
                    return None;
                };
                ends
            }
            (None, None) if begins.is_day => begins.at.tomorrow().ok()?,
            (None, None) => {
                self.fault(start.span, "the event does not say when it ends".to_owned(), "add `DTEND` or `DURATION`");
                return None;
            }
        };
        if ends <= begins.at {
            self.fault(start.span, "the event ends before it begins".to_owned(), "put the later time into `DTEND`");
            return None;
        }
        let rules: Vec<&Line> = lines.iter().copied().filter(|line| line.name == "RRULE").collect();
        let repeats = match rules.as_slice() {
            [] => None,
            [rule] => Some(self.repeats(rule, &begins)?),
            [_, second, ..] => {
                self.fault(second.span, "the event repeats by two rules".to_owned(), "write two events");
                return None;
            }
        };
        let mut except = Vec::new();
        for line in lines.iter().filter(|line| line.name == "EXDATE") {
            for value in line.value.split(',') {
                let at = self.time(line, value)?;
                let day = at.at.date();
                except.push(if at.is_day { day.to_datetime(begins.at.time()) } else { at.within(&begins.zone)? });
            }
        }
        let who = self.who(lines, head)?;
        Some(Entry { who, begins: begins.at, ends, zone: begins.zone, repeats, except })
    }

    /// `20260105T090000`, with `Z` or a zone of its own, or a day.
    fn time(&mut self, line: &Line, value: &str) -> Option<Local> {
        let value = value.trim();
        let (text, zone) = match (value.strip_suffix('Z'), line.parameter("TZID")) {
            (Some(text), _) => (text, "UTC"),
            (None, Some(zone)) => (value, zone),
            (None, None) => (value, self.zone),
        };
        if time_zone(zone).is_none() {
            let message = format!("`{}` is not a time zone", shown(zone));
            self.fault(line.span, message, "write a name of the IANA database, such as `Europe/Berlin`");
            return None;
        }
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        let day = |text: &str| (text.len() == 8 && digits(text)).then(|| Date::strptime("%Y%m%d", text).ok()).flatten();
        let time = |text: &str| (text.len() == 6 && digits(text)).then(|| Time::strptime("%H%M%S", text).ok()).flatten();
        let parsed = match text.split_once('T') {
            Some((date, clock)) => day(date).zip(time(clock)).map(|(date, clock)| (date.to_datetime(clock), false)),
            None => day(text).map(|date| (date.to_datetime(Time::midnight()), true)),
        };
        let Some((at, is_day)) = parsed else {
            self.fault(line.span, format!("`{}` is not a time", shown(value)), "write `20260105T090000`, or the day alone");
            return None;
        };
        Some(Local { at, zone: zone.to_owned(), is_day })
    }

    fn repeats(&mut self, line: &Line, begins: &Local) -> Option<Repeats> {
        let (mut unit, mut every, mut days, mut until, mut count) = (None, 1_u32, Vec::new(), None, None);
        let mut monday = true;
        for part in line.value.split(';') {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let number = value.parse::<u32>().ok().filter(|number| (1..=limits::CALENDAR_TIMES).contains(number));
            let understood = match (name.to_ascii_uppercase().as_str(), value.to_ascii_uppercase().as_str()) {
                ("FREQ", "DAILY") => {
                    unit = Some(Unit::Day);
                    true
                }
                ("FREQ", "WEEKLY") => {
                    unit = Some(Unit::Week);
                    true
                }
                ("INTERVAL", _) => {
                    every = number.unwrap_or(1);
                    number.is_some()
                }
                ("COUNT", _) => {
                    count = number;
                    number.is_some()
                }
                ("UNTIL", _) => {
                    let last = self.time(line, value)?;
                    let at = if last.is_day { last.at.date().to_datetime(Time::MAX) } else { last.at };
                    until = at_wall_clock(at, &time_zone(&last.zone)?);
                    until.is_some()
                }
                ("BYDAY", value) => {
                    let named = |day: &str| DAYS.iter().position(|known| *known == day);
                    let places: Vec<usize> = value.split(',').filter_map(named).collect();
                    days = places.iter().filter_map(|place| u8::try_from(place + 1).ok()).collect();
                    places.len() == value.split(',').count()
                }
                ("WKST", value) => {
                    monday = value == "MO";
                    DAYS.contains(&value)
                }
                _ => false,
            };
            if !understood {
                let message = format!("`{}` of a repetition is not understood", shown(part));
                let help = "repeat by `FREQ=DAILY` or `FREQ=WEEKLY`, with `INTERVAL`, `BYDAY`, `UNTIL` or `COUNT`";
                self.fault(line.span, message, help);
                return None;
            }
        }
        days.sort_unstable();
        days.dedup();
        let weekday = u8::try_from(begins.at.date().weekday().to_monday_one_offset()).ok()?;
        let wrong = match unit {
            None => Some("the repetition does not say by what"),
            Some(Unit::Day) if !days.is_empty() => Some("a repetition by days has no days of the week"),
            Some(Unit::Week) if !days.is_empty() && !days.contains(&weekday) => {
                Some("the event begins on a day that its repetition does not name")
            }
            Some(Unit::Week) if !monday && every > 1 && days.len() > 1 => Some("these weeks do not begin on a Monday"),
            Some(_) => None,
        };
        if let Some(wrong) = wrong {
            self.fault(line.span, wrong.to_owned(), "write it as `FREQ=WEEKLY;INTERVAL=3`");
            return None;
        }
        if unit == Some(Unit::Week) && days.is_empty() {
            days.push(weekday);
        }
        Some(Repeats { unit: unit?, every, days, until, count })
    }

    /// The person: an attendee by their mail, else the summary by name.
    fn who(&mut self, lines: &[&Line], head: Span) -> Option<String> {
        let mails: Vec<String> = lines
            .iter()
            .filter(|line| line.name == "ATTENDEE")
            .filter_map(|line| line.value.split_once(':').map(|(_, mail)| mail.to_ascii_lowercase()))
            .collect();
        let of_mail = |mail: &String| {
            let has = |known: &Option<String>| known.as_ref().is_some_and(|known| known.eq_ignore_ascii_case(mail));
            self.people.people.iter().find(|(_, person)| has(&person.mail)).map(|(name, _)| name.clone())
        };
        let mut attending: Vec<String> = mails.iter().filter_map(of_mail).collect();
        attending.sort();
        attending.dedup();
        let summary = lines.iter().find(|line| line.name == "SUMMARY");
        let named = summary.and_then(|line| {
            let text = unescaped(&line.value);
            let is_it = |name: &str, full: &Option<String>| name == text.trim() || full.as_deref() == Some(text.trim());
            self.people.people.iter().find(|(name, person)| is_it(name, &person.name)).map(|(name, _)| name.clone())
        });
        match (attending.as_slice(), named) {
            ([one], _) => Some(one.clone()),
            (_, Some(name)) => Some(name),
            ([_, second, ..], None) => {
                let message = format!("`{}` and `{second}` attend, and one person is on call", attending.first().map_or("", |a| a));
                self.fault(head, message, "name the person in `SUMMARY`");
                None
            }
            ([], None) => {
                let told = summary.map(|line| unescaped(&line.value)).unwrap_or_default();
                let span = summary.map_or(head, |line| line.span);
                let message = format!("`{}` is not a person of the workspace", shown(told.trim()));
                self.fault(span, message, "let `SUMMARY` be the name of a person, or an `ATTENDEE` have the person's mail");
                None
            }
        }
    }
}

const DAYS: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];

/// A name, its parameters and its value. Text in quotes holds no separators.
fn content(text: &str, span: Span) -> Option<Line> {
    let (mut quoted, mut end, mut parts) = (false, None, vec![0]);
    for (at, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            ';' if !quoted => parts.push(at + 1),
            ':' if !quoted => {
                end = Some(at);
                break;
            }
            _ => {}
        }
    }
    let end = end?;
    let mut parts = parts.iter().zip(parts.iter().skip(1).map(|next| next - 1).chain([end])).map(|(from, to)| text.get(*from..to));
    let name = parts.next()??.to_ascii_uppercase();
    let right = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    if name.is_empty() || !name.bytes().all(right) {
        return None;
    }
    let mut parameters = Vec::new();
    for part in parts {
        let (name, value) = part?.split_once('=')?;
        parameters.push((name.to_ascii_uppercase(), value.trim_matches('"').to_owned()));
    }
    Some(Line { name, parameters, value: text.get(end + 1..)?.to_owned(), span })
}

fn unescaped(text: &str) -> String {
    let (mut told, mut escaped) = (String::new(), false);
    for c in text.chars() {
        match (escaped, c) {
            (false, '\\') => escaped = true,
            (true, 'n' | 'N') => {
                told.push('\n');
                escaped = false;
            }
            (_, c) => {
                told.push(c);
                escaped = false;
            }
        }
    }
    told
}

fn shown(text: &str) -> String {
    text.chars().take(60).collect::<String>().escape_debug().to_string()
}

/// The first time after its beginning at which nobody is on call, as far as two years ahead where there are not too many events; what follows the last
/// of them is none.
pub(super) fn first_gap(rotation: &Rotation) -> Option<String> {
    let Turns::Calendar { calendar } = &rotation.turns else { return None };
    let first = calendar.iter().filter_map(Entry::first).min()?;
    let end = first.checked_add(jiff::SignedDuration::from_hours(24 * 731)).ok()?;
    let mut shifts = rotation
        .shifts(first)
        .take(limits::CALENDAR_LOOKS / calendar.len().max(1))
        .take_while(|shift| shift.from.is_none_or(|from| from < end));
    let gap = shifts.find(|shift| shift.who.is_none() && shift.to.is_some())?;
    let local = |at: Option<jiff::Timestamp>| {
        let zone = time_zone(&rotation.zone)?;
        Some(zone.to_datetime(at?).strftime("%Y-%m-%d %H:%M").to_string())
    };
    Some(format!("nobody is on call from {} to {} ({})", local(gap.from)?, local(gap.to)?, rotation.zone))
}
