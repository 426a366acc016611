//! Windows of time: `{from, to, reason}` once, or `{days, from, to, zone, reason}` every week.

use jiff::Timestamp;

use crate::diagnostic::{Code, nearest};
use crate::document::decode::{Fields, Reading, scalar};
use crate::document::{Node, Scalar};
use crate::policy::{DAYS, Window, moment, time_zone};

/// A zone of the IANA database.
pub(super) fn zone(reading: &Reading, zone: &Scalar) -> Option<String> {
    if time_zone(&zone.value).is_some() {
        return Some(zone.value.clone());
    }
    if reading.is_full() {
        return None;
    }
    let message = format!("`{}` is not a time zone", scalar::clipped(&zone.value));
    let fault = reading.diagnostic(Code::RB0403, zone.span, message);
    let database = jiff::tz::TimeZoneDatabase::bundled();
    let names: Vec<String> = database.available().map(|name| name.as_str().to_owned()).collect();
    reading.report(match nearest(&zone.value, names.iter().map(String::as_str)) {
        Some(near) => fault.help(format!("did you mean `{near}`?")).replace(zone.span, near),
        None => fault.help("write a name of the IANA database, such as `Europe/Berlin`"),
    });
    None
}

/// `unnamed` is the reason of a window of one time that gives none.
pub(in crate::document) fn windows(fields: &mut Fields, key: &'static str, timezone: &str, unnamed: &str) -> Vec<Window> {
    let reading = fields.reading;
    let items = fields.list(key).unwrap_or_default();
    items.iter().filter_map(|node| window(reading, node, timezone, unnamed)).collect()
}

fn window(reading: &Reading, node: &Node, timezone: &str, unnamed: &str) -> Option<Window> {
    let mut fields = Fields::of(reading, node, "a window")?;
    let weekly = fields.has("days");
    let days = fields.some_texts("days");
    let (from, to) = (fields.require_text("from"), fields.require_text("to"));
    let reason = fields.text("reason").map(|text| text.value);
    let timezone = match fields.text("zone") {
        Some(text) => zone(reading, &text),
        None => Some(timezone.to_owned()),
    };
    fields.finish();
    let (from, to, timezone) = (from?, to?, timezone?);
    if weekly {
        let days = weekdays(reading, &days)?;
        let (from_minute, to_minute) = (minute(reading, &from), minute(reading, &to));
        let (from_minute, to_minute) = (from_minute?, to_minute?);
        let reason = reason.unwrap_or_else(|| "every week at this time".to_owned());
        return Some(Window::Weekly { days, from_minute, to_minute, zone: timezone, reason });
    }
    let (begin, end) = once(reading, &from, &to, &timezone)?;
    Some(Window::Once { from: begin, to: end, reason: reason.unwrap_or_else(|| unnamed.to_owned()) })
}

/// From one instant to another, which is later. A day under `to` is still inside.
pub(super) fn once(reading: &Reading, from: &Scalar, to: &Scalar, zone: &str) -> Option<(Timestamp, Timestamp)> {
    let (begin, end) = (instant(reading, from, zone, 0), instant(reading, to, zone, 1));
    let (begin, end) = (begin?, end?);
    if end <= begin {
        let fault = reading.diagnostic(Code::RB0405, to.span, "the window ends before it begins");
        reading.report(fault.label(from.span, "it begins here").help("put the later time under `to`"));
        return None;
    }
    Some((begin, end))
}

/// A time with its offset; or without, in the zone; or a day, of which `days_after` says whether it is still inside.
fn instant(reading: &Reading, text: &Scalar, zone: &str, days_after: i64) -> Option<Timestamp> {
    let parsed = moment(&text.value, zone, days_after);
    if parsed.is_none() {
        let message = format!("`{}` is not a time", scalar::clipped(&text.value));
        let fault = reading.diagnostic(Code::RB0404, text.span, message);
        reading.report(fault.help("write a day (`2026-12-20`), or a time (`2026-12-20T18:00`, `2026-12-20T18:00+01:00`)"));
    }
    parsed
}

/// A time of day, `09:00` to `24:00`, in minutes.
pub(super) fn minute(reading: &Reading, text: &Scalar) -> Option<u16> {
    let digits = |part: &str| (part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit())).then(|| part.parse::<u16>().ok());
    let parsed = text.value.split_once(':').and_then(|(hour, minute)| {
        let (hour, minute) = (digits(hour)??, digits(minute)??);
        (minute < 60 && hour * 60 + minute <= 24 * 60).then_some(hour * 60 + minute)
    });
    if parsed.is_none() {
        let message = format!("`{}` is not a time of day", scalar::clipped(&text.value));
        reading.report(reading.diagnostic(Code::RB0404, text.span, message).help("write hours and minutes, such as `\"09:00\"`"));
    }
    parsed
}

/// `mon`, `mon-fri`, `sat-mon` → days of the week, 1 = Monday.
pub(super) fn weekdays(reading: &Reading, texts: &[Scalar]) -> Option<Vec<u8>> {
    let mut days = Vec::new();
    let mut right = true;
    for text in texts {
        let place = |name: &str| DAYS.iter().position(|day| *day == name);
        let (first, last) = text.value.split_once('-').unwrap_or((&text.value, &text.value));
        match (place(first), place(last)) {
            (Some(first), Some(last)) => {
                let length = (last + 7 - first) % 7;
                days.extend((first..=first + length).filter_map(|day| u8::try_from(day % 7 + 1).ok()));
            }
            _ => {
                right = false;
                let message = format!("`{}` is not a day of the week", scalar::clipped(&text.value));
                let fault = reading.diagnostic(Code::RB0404, text.span, message);
                reading.report(match nearest(&text.value, DAYS) {
                    Some(near) => fault.help(format!("did you mean `{near}`?")).replace(text.span, near),
                    None => fault.help("write `mon` to `sun`, or a span such as `mon-fri`"),
                });
            }
        }
    }
    days.sort_unstable();
    days.dedup();
    right.then_some(days)
}
