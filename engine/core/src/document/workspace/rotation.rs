//! `rotations`: people who take turns at being on call, and those who stand in for them.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::{read, schedule};
use crate::diagnostic::{Code, Span};
use crate::document::decode::{Fields, Reading, scalar};
use crate::document::{Node, NodeKind, Scalar};
use crate::limits;
use crate::policy::{DAYS, HandOver, Override, People, Rotation, Turns};

/// The rotations, and the calendars that some of them are kept in. Each member of one is a person, and no rotation is called like a person or a
/// group.
pub(super) fn rotations(
    fields: &mut Fields,
    people: &People,
    timezone: &str,
) -> (BTreeMap<String, Rotation>, BTreeMap<String, Scalar>) {
    let reading = fields.reading;
    let (mut rotations, mut calendars) = (BTreeMap::new(), BTreeMap::new());
    for (name, node) in fields.entries("rotations") {
        let Some(key) = read::named(reading, name, "a rotation") else { continue };
        let taken = [("person", people.people.contains_key(&key)), ("group", people.groups.contains_key(&key))];
        if let Some((what, _)) = taken.into_iter().find(|(_, is_taken)| *is_taken) {
            let fault = reading.diagnostic(Code::RB0402, name.span, format!("`{key}` is a {what} and a rotation"));
            reading.report(fault.help("give the rotation another name: it decides who may approve"));
            continue;
        }
        if let Some((rotation, calendar)) = rotation(reading, name, node, people, timezone) {
            calendars.extend(calendar.map(|calendar| (key.clone(), calendar)));
            rotations.insert(key, rotation);
        }
    }
    (rotations, calendars)
}

fn rotation(reading: &Reading, name: &Scalar, node: &Node, people: &People, timezone: &str) -> Option<(Rotation, Option<Scalar>)> {
    let mut fields = Fields::of(reading, node, "a rotation")?;
    read::only_one_of(&fields, &["members", "calendar"], "a rotation does not say who is on call");
    let calendar = fields.text("calendar");
    let turns = if fields.has("members") {
        members(&mut fields, name, people)
    } else {
        let calendar = fields.keys().find(|key| key.value == "calendar");
        for key in ["members", "starts", "hand_over"] {
            if let (Some((other, _)), Some(calendar)) = (fields.entry(key), calendar) {
                fields.exclude(calendar, other);
            }
        }
        Turns::Calendar { calendar: Vec::new() }
    };
    let zone = match fields.text("zone") {
        Some(zone) => schedule::zone(reading, &zone),
        None => Some(timezone.to_owned()),
    };
    // What is faulty is there all the same: whoever names it is told of no second fault.
    let zone = zone.unwrap_or_else(|| timezone.to_owned());
    let items = fields.list("overrides").unwrap_or_default();
    let overrides: Vec<(Override, Span)> = items.iter().flat_map(|node| overrides(reading, node, people, &zone)).collect();
    fields.finish();
    apart(reading, &overrides);
    Some((Rotation { zone, turns, overrides: overrides.into_iter().map(|(one, _)| one).collect() }, calendar))
}

fn members(fields: &mut Fields, name: &Scalar, people: &People) -> Turns {
    let reading = fields.reading;
    let listed = fields.take("members");
    let members = listed.map(|node| read::scalar_list(reading, node, "members")).unwrap_or_default();
    if listed.is_some_and(|node| matches!(&node.kind, NodeKind::List(items) if items.is_empty())) {
        let fault = reading.diagnostic(Code::RB0407, name.span, format!("nobody is in the rotation `{}`", name.value));
        reading
            .report(fault.reason("nobody would ever be on call").help("name people under `members`, in the order of their turns"));
    }
    members.iter().for_each(|member| person(reading, people, member));
    let starts = fields.require_text("starts");
    let hand_over = fields.require("hand_over").and_then(|node| hand_over(reading, node));
    let starts = starts.zip(hand_over.as_ref()).and_then(|(starts, hand_over)| begins(reading, &starts, hand_over));
    Turns::Members {
        members: members.into_iter().map(|member| member.value).collect(),
        starts: starts.unwrap_or_default(),
        hand_over: hand_over.unwrap_or(HandOver { days: vec![1], minute: 0, every: 1 }),
    }
}

/// Who is on call is one person, whom no group stands for.
fn person(reading: &Reading, people: &People, name: &Scalar) {
    if people.people.contains_key(&name.value) {
        return;
    }
    if people.groups.contains_key(&name.value) {
        let message = format!("`{}` is a group, and people take turns", scalar::clipped(&name.value));
        let fault = reading.diagnostic(Code::RB0310, name.span, message);
        return reading.report(fault.help("name each person"));
    }
    let message = format!("`{}` is not a person", scalar::clipped(&name.value));
    read::unknown(reading, Code::RB0310, name.span, message, &name.value, people.people.keys().map(String::as_str));
}

fn hand_over(reading: &Reading, node: &Node) -> Option<HandOver> {
    let mut fields = Fields::of(reading, node, "`hand_over`")?;
    let has_days = fields.has("days");
    let days = fields.some_texts("days");
    if !has_days {
        fields.missing("days");
    }
    let at = fields.require_text("at");
    let every = fields.count("every", 1, limits::TURN_HAND_OVERS);
    fields.finish();
    let days = schedule::weekdays(reading, &days).filter(|days| !days.is_empty());
    let minute = at.and_then(|at| schedule::minute(reading, &at));
    Some(HandOver { days: days?, minute: minute?, every: every.map_or(1, |every| every.value) })
}

/// The day on which the first turn begins, which is one of those of the hand-over.
fn begins(reading: &Reading, text: &Scalar, hand_over: &HandOver) -> Option<Date> {
    let parsed = text.value.parse::<Date>().ok().filter(|_| !text.value.contains([':', 'T', ' ']));
    let Some(day) = parsed else {
        let message = format!("`{}` is not a day", scalar::clipped(&text.value));
        let fault = reading.diagnostic(Code::RB0404, text.span, message);
        reading.report(fault.help("write the day on which the first turn begins, such as `2026-01-05`"));
        return None;
    };
    let weekday = u8::try_from(day.weekday().to_monday_one_offset()).ok()?;
    if hand_over.days.contains(&weekday) {
        return Some(day);
    }
    let named = |day: u8| DAYS.get(usize::from(day).saturating_sub(1)).copied().unwrap_or_default();
    let days: Vec<&str> = hand_over.days.iter().map(|day| named(*day)).collect();
    let message = format!("{day} is a {}, and it is handed over on {}", named(weekday), days.join(", "));
    let fault = reading.diagnostic(Code::RB0411, text.span, message);
    reading.report(fault.help("let the first turn begin on a day of the hand-over"));
    None
}

/// One for each time that an entry names.
fn overrides(reading: &Reading, node: &Node, people: &People, zone: &str) -> Vec<(Override, Span)> {
    let Some(mut fields) = Fields::of(reading, node, "an override") else { return Vec::new() };
    let (who, reason) = (fields.require_text("who"), fields.text("reason").map(|text| text.value));
    who.iter().for_each(|who| person(reading, people, who));
    let is_of_dates = fields.has("dates");
    if let Some(dates) = fields.keys().find(|key| key.value == "dates")
        && let Some(other) = fields.keys().find(|key| ["from", "to"].contains(&key.value.as_str()))
    {
        fields.exclude(dates, other);
    }
    let dates = fields.some_texts("dates");
    let (from, to) = match is_of_dates {
        true => (fields.text("from"), fields.text("to")),
        false => (fields.require_text("from"), fields.require_text("to")),
    };
    let span = fields.head();
    fields.finish();
    let Some(who) = who else { return Vec::new() };
    let one = |from: &Scalar, to: &Scalar, span: Span| {
        let (begin, end) = schedule::once(reading, from, to, zone)?;
        Some((Override { who: who.value.clone(), from: begin, to: end, reason: reason.clone() }, span))
    };
    let of_dates = dates.iter().filter_map(|date| one(date, date, date.span));
    let of_time = from.zip(to).and_then(|(from, to)| one(&from, &to, span));
    of_dates.chain(of_time).collect()
}

/// Reports overrides that name one time: who is on call then could not be told from the file.
fn apart(reading: &Reading, overrides: &[(Override, Span)]) {
    let mut sorted: Vec<&(Override, Span)> = overrides.iter().collect();
    sorted.sort_by_key(|(one, _)| one.from);
    let mut last: Option<&(Override, Span)> = None;
    for one in sorted {
        if let Some((before, first)) = last.filter(|(before, _)| one.0.from < before.to)
            && !reading.is_full()
        {
            let message =
                format!("`{}` and `{}` stand in at the same time", scalar::clipped(&before.who), scalar::clipped(&one.0.who));
            let fault = reading.diagnostic(Code::RB0410, one.1, message).label(*first, "this override is of it too");
            reading.report(fault.help("let one end where the other begins; a day under `to` is still inside"));
        }
        if last.is_none_or(|(before, _)| before.to < one.0.to) {
            last = Some(one);
        }
    }
}
