//! The chart of a procedure as a drawing. What follows one another stands below one another, ways stand side by side, and what is
//! repeated or belongs together in a frame, so that a chart is laid out from the inside to the outside and no line crosses a box.
//!
//! It is cut into bands below one another, between the boxes: on a screen they are one drawing, and paper can begin a new page between them.
//!
//! Colours come from the page's style alone, by classes: each step has the class `n` and its number, so that a run can be shown in it.

use std::fmt::Write;

use runbook_core::effect::Effect;
use runbook_core::guide::{Chart, Fails, Item, Lane, Shape};
use unicode_width::UnicodeWidthChar;

use super::super::html;
use super::super::plain::line;
use super::{AFTER_A_FAILURE, END, ends, past};

/// Of a box, and how far things are apart, in pixels.
const WIDTH: i32 = 240;
const GAP: i32 = 26;
const ASIDE: i32 = 22;
const PAD: i32 = 12;
const LINE: i32 = 17;
/// The lines that a title may take.
const LINES: usize = 4;
/// The least height of a band.
const BAND: i32 = 120;

/// A piece of the drawing, from its upper left corner.
struct Piece {
    width: i32,
    height: i32,
    /// Where lines come in and go out.
    axis: i32,
    marks: Vec<Mark>,
    exit: Exit,
}

/// Whether what stands below a piece follows it.
#[derive(Clone, PartialEq, Eq)]
enum Exit {
    Closed,
    Open,
    /// By a line at which something is said.
    Said(String),
}

/// Something that is drawn, from a place of its own.
struct Mark {
    x: i32,
    y: i32,
    height: i32,
    /// From where to where, of its own height, no page may end in it.
    whole: Vec<(i32, i32)>,
    svg: String,
}

impl Mark {
    /// What stays in one piece.
    fn whole(x: i32, y: i32, height: i32, svg: String) -> Mark {
        Mark { x, y, height, whole: vec![(0, height)], svg }
    }

    /// A line downward.
    fn down(x: i32, from: i32, to: i32) -> Mark {
        Mark { x, y: from, height: to - from, whole: Vec::new(), svg: format!("<path class=\"edge\" d=\"M0 0V{}\"/>", to - from) }
    }

    /// A line from one side to the other.
    fn across(y: i32, from: i32, to: i32, class: &str) -> Mark {
        Mark::whole(from, y, 0, format!("<path class=\"edge {class}\" d=\"M0 0H{}\"/>", to - from))
    }

    fn moved(self, x: i32, y: i32) -> Mark {
        Mark { x: self.x + x, y: self.y + y, ..self }
    }

    fn drawn(&self) -> String {
        format!("<g transform=\"translate({} {})\">{}</g>\n", self.x, self.y, self.svg)
    }
}

/// A kind of text, with how wide its characters are at most.
#[derive(Clone, Copy)]
enum Type {
    Title,
    Note,
}

impl Type {
    /// In hundredths of a pixel, as DejaVu Sans has it, the widest font that a page is likely to be shown in.
    fn width(self, c: char) -> i32 {
        let of_an_em = match c {
            '\'' | '|' | '/' | '\\' | ',' | '.' | '·' | 'i' | 'j' | 'l' | 'I' | 'J' | ' ' => 38,
            ':' | ';' | '-' | '_' | '!' | '(' | ')' | '[' | ']' | '`' | '"' | '*' | 'f' | 't' | 'r' => 52,
            'm' | 'M' | 'w' | 'W' | '%' | '@' | '…' => 110,
            'A'..='Z' | '&' | '#' | '+' | '<' | '=' | '>' | '~' => 86,
            c if c.is_ascii() => 72,
            c => i32::try_from(c.width().unwrap_or(0)).unwrap_or(2) * 86,
        };
        match self {
            Type::Title => of_an_em * 13,
            Type::Note => of_an_em * 12 * 9 / 10,
        }
    }

    fn width_of(self, text: &str) -> i32 {
        text.chars().map(|c| self.width(c)).sum::<i32>() / 100
    }
}

/// The drawing as an element of a page. `title` says what it is of.
pub fn to_svg(chart: &Chart, title: &str) -> String {
    let mut pieces = vec![terminal("start")];
    pieces.extend(chart.body.iter().map(item));
    if !chart.on_failure.is_empty() {
        let inner = series(chart.on_failure.iter().map(item).collect());
        let mut frame = framed(AFTER_A_FAILURE, "only if a step fails", "", inner);
        frame.exit = Exit::Open;
        pieces.push(frame);
    }
    if !chart.finally.is_empty() {
        let inner = series(chart.finally.iter().map(item).collect());
        let mut frame = framed("in the end, however it ends", "", "", inner);
        // What ended before comes here too.
        frame.exit = Exit::Open;
        pieces.push(frame);
    }
    pieces.push(terminal("end"));
    let whole = series(pieces);
    let failing = described(&chart.on_failure).into_iter().map(|item| format!("if a step fails: {item}"));
    let described: Vec<_> = described(&chart.body).into_iter().chain(failing).chain(described(&chart.finally)).collect();
    let described = format!(
        "<title id=\"chart-title\">{}</title>\n<desc id=\"chart-desc\">{}</desc>\n",
        html::text(title),
        html::text(&described.join("; "))
    );
    let mut out = "<div class=\"chart\" role=\"group\" aria-labelledby=\"chart-title chart-desc\">\n".to_owned();
    for (place, (from, to)) in bands(&whole).into_iter().enumerate() {
        let (width, height) = (whole.width + 2, to - from);
        let _ = write!(
            out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"-1 {from} {width} {height}\">\n{}",
            if place == 0 { &described } else { "" }
        );
        let inside = whole.marks.iter().filter(|mark| mark.y <= to && from <= mark.y + mark.height);
        inside.for_each(|mark| out.push_str(&mark.drawn()));
        out.push_str("</svg>\n");
    }
    out.push_str("</div>\n");
    out
}

/// From where to where each band goes: cut where nothing stands but lines that go down.
fn bands(whole: &Piece) -> Vec<(i32, i32)> {
    let inside = |mark: &Mark| mark.whole.iter().map(|(from, to)| (mark.y + from - 2, mark.y + to + 2)).collect::<Vec<_>>();
    let mut kept: Vec<(i32, i32)> = whole.marks.iter().flat_map(inside).collect();
    kept.sort_unstable();
    let (mut bands, mut from, mut covered) = (Vec::new(), -1, 0);
    for (begins, ends) in kept {
        if begins > covered && begins - from >= BAND && whole.height - begins >= BAND / 2 {
            bands.push((from, begins));
            from = begins;
        }
        covered = covered.max(ends);
    }
    bands.push((from, whole.height + 1));
    bands
}

/// The chart for who does not see it.
fn described(items: &[Item]) -> Vec<String> {
    let mut said = Vec::new();
    for item in items {
        let notes = notes(item, None).join(", ");
        let name = format!("{} {}{}{notes}", item.number, item.title, if notes.is_empty() { "" } else { ": " });
        let ways = |lanes: &[Lane]| {
            let way = |lane: &Lane| format!("{}: {}", lane.name, described(&lane.body).join(", then "));
            lanes.iter().map(way).collect::<Vec<_>>().join(" / ")
        };
        said.push(match &item.shape {
            Shape::Chooses { lanes, .. } => format!("{name}, one of ({})", ways(lanes)),
            Shape::Forks(lanes) => format!("{name}, at once ({})", ways(lanes)),
            Shape::Repeats { how, body } => format!("{name}, {how} ({})", described(body).join(", then ")),
            Shape::Groups(body) => format!("{name} ({})", described(body).join(", then ")),
            Shape::Finishes(_) => format!("{name}, the end"),
            Shape::Gate | Shape::Does | Shape::Waits | Shape::Calls(_) => name,
        });
    }
    said
}

fn item(item: &Item) -> Piece {
    let mut piece = match &item.shape {
        Shape::Chooses { lanes, open } if !lanes.is_empty() => {
            let mut ways: Vec<(String, Piece)> = lanes.iter().map(way).collect();
            if *open {
                ways.push(("none of these".to_owned(), empty()));
            }
            forked(item, ways, "choose")
        }
        Shape::Forks(lanes) if !lanes.is_empty() => forked(item, lanes.iter().map(way).collect(), "fork"),
        Shape::Repeats { how, body } if !body.is_empty() => {
            let inner = series(body.iter().map(self::item).collect());
            framed(&head(item), &notes(item, Some(how)).join(" · "), &class(item), again(inner))
        }
        Shape::Groups(body) if !body.is_empty() => {
            let inner = series(body.iter().map(self::item).collect());
            framed(&head(item), &notes(item, None).join(" · "), &class(item), inner)
        }
        _ => boxed(item, &notes(item, None)),
    };
    if item.jumps.is_some() {
        piece.exit = Exit::Closed;
    }
    if piece.exit == Exit::Closed
        && let Some(past) = past(item, true)
    {
        piece.exit = Exit::Said(past.to_owned());
    }
    piece
}

/// A step that has several ways. Where one leads past all of them, they stand in a frame that says when: as a group does.
fn forked(item: &Item, ways: Vec<(String, Piece)>, class: &str) -> Piece {
    let then = item.jumps.as_ref().map(|number| then(number));
    let closed = then.is_some() || ways.iter().all(|(_, way)| way.exit == Exit::Closed);
    if past(item, closed).is_none() {
        return split(boxed(item, &notes(item, None)), ways, class, then);
    }
    let (around, own): (Vec<String>, Vec<String>) =
        notes(item, None).into_iter().partition(|note| Some(note) == only_if(item).as_ref() || note == GOES_ON);
    framed("", &around.join(" · "), "", split(boxed(item, &own), ways, class, then))
}

fn way(lane: &Lane) -> (String, Piece) {
    (lane.name.clone(), series(lane.body.iter().map(item).collect()))
}

fn empty() -> Piece {
    Piece { width: WIDTH / 2, height: 0, axis: WIDTH / 4, marks: Vec::new(), exit: Exit::Open }
}

fn head(item: &Item) -> String {
    format!("{} · {}", item.number, item.title)
}

/// What is said of a step below its title.
fn notes(item: &Item, how: Option<&str>) -> Vec<String> {
    // What became of it comes first: who looks at a run looks for that.
    let mut notes: Vec<String> = item.stands.iter().map(|stands| stands.word.clone()).collect();
    notes.extend(how.map(str::to_owned));
    match &item.shape {
        Shape::Gate => notes.push("people decide".to_owned()),
        Shape::Calls(called) => notes.push(format!("does {called}")),
        Shape::Finishes(outcome) if !item.title.starts_with(END) => notes.push(format!("{END}: {}", ends(*outcome))),
        _ => {}
    }
    notes.extend(only_if(item));
    if item.effect > Effect::None && !matches!(item.shape, Shape::Gate) {
        notes.push(item.effect.name().to_owned());
    }
    notes.extend(item.undone.then(|| format!("undo: U{}", item.number)));
    match &item.fails {
        Fails::Stops => {}
        Fails::GoesOn => notes.push(GOES_ON.to_owned()),
        Fails::TakenBack => notes.push("fails: all is taken back".to_owned()),
        Fails::To(number) => notes.push(format!("fails: to {number}")),
    }
    notes.extend(item.jumps.iter().map(|number| then(number)));
    notes
}

const GOES_ON: &str = "fails: goes on";

fn only_if(item: &Item) -> Option<String> {
    item.condition.as_ref().map(|condition| format!("only if {condition}"))
}

fn then(number: &str) -> String {
    format!("then: {number}")
}

fn class(item: &Item) -> String {
    let shape = match &item.shape {
        Shape::Gate => " gate",
        Shape::Finishes(_) => " finish",
        Shape::Waits => " waits",
        Shape::Calls(_) => " calls",
        Shape::Chooses { .. } => " choose",
        _ => "",
    };
    let stands = item.stands.as_ref().map(|stands| format!(" was-{}", stands.class)).unwrap_or_default();
    format!("step n{}{shape} {}{stands}", item.number.replace('.', "_"), item.effect.name())
}

/// One step, with what is said of it.
fn boxed(item: &Item, notes: &[String]) -> Piece {
    let room = WIDTH - 2 * PAD;
    let title = wrapped(&head(item), Type::Title, room, LINES);
    let notes: Vec<String> = notes.iter().flat_map(|note| wrapped(note, Type::Note, room, 2)).collect();
    let sharp = matches!(item.shape, Shape::Chooses { .. } | Shape::Gate);
    let rows = i32::try_from(title.len() + notes.len()).unwrap_or(i32::MAX / LINE);
    let height = rows * LINE + PAD + 6;
    // A pointed box has its text between the points.
    let point = if sharp { 14 } else { 0 };
    let (width, middle) = (WIDTH + 2 * point, height / 2);
    let place = item.stands.as_ref().map_or_else(|| format!("#step-{}", item.number), |stands| stands.address.clone());
    let mut svg = format!("<a href=\"{}\"><g class=\"{}\">", html::text(&place), class(item));
    let _ = match &item.shape {
        Shape::Chooses { .. } | Shape::Gate => write!(
            svg,
            "<polygon points=\"0,{middle} {point},0 {},0 {width},{middle} {},{height} {point},{height}\"/>",
            width - point,
            width - point
        ),
        Shape::Waits => write!(svg, "<rect width=\"{width}\" height=\"{height}\" rx=\"{}\"/>", middle.min(22)),
        Shape::Calls(_) => {
            write!(svg, "<rect width=\"{width}\" height=\"{height}\"/><path d=\"M6 0V{height}M{} 0V{height}\"/>", width - 6)
        }
        Shape::Finishes(_) => write!(svg, "<rect width=\"{width}\" height=\"{height}\" rx=\"14\"/>"),
        _ => write!(svg, "<rect width=\"{width}\" height=\"{height}\" rx=\"4\"/>"),
    };
    let mut y = PAD / 2 + 15;
    for (text, class) in title.iter().map(|line| (line, "title")).chain(notes.iter().map(|note| (note, "note"))) {
        let _ = write!(svg, "<text class=\"{class}\" x=\"{}\" y=\"{y}\">{}</text>", point + PAD, html::text(text));
        y += LINE;
    }
    svg.push_str("</g></a>");
    let exit = if matches!(item.shape, Shape::Finishes(_)) { Exit::Closed } else { Exit::Open };
    Piece { width, height, axis: width / 2, marks: vec![Mark::whole(0, 0, height, svg)], exit }
}

/// Where it begins or ends.
fn terminal(word: &str) -> Piece {
    let svg =
        format!("<g class=\"terminal\"><rect width=\"72\" height=\"26\" rx=\"13\"/><text x=\"36\" y=\"18\">{word}</text></g>");
    Piece { width: 72, height: 26, axis: 36, marks: vec![Mark::whole(0, 0, 26, svg)], exit: Exit::Open }
}

/// Pieces below one another, with arrows between them.
fn series(pieces: Vec<Piece>) -> Piece {
    let axis = pieces.iter().map(|piece| piece.axis).max().unwrap_or_default();
    let mut whole = Piece { width: 0, height: 0, axis, marks: Vec::new(), exit: Exit::Open };
    for (place, piece) in pieces.into_iter().enumerate() {
        if place > 0 {
            if whole.exit != Exit::Closed {
                whole.marks.push(tip(axis, whole.height + GAP));
            }
            leave(&mut whole);
        }
        let (x, y) = (axis - piece.axis, whole.height);
        whole.marks.extend(piece.marks.into_iter().map(|mark| mark.moved(x, y)));
        whole.width = whole.width.max(x + piece.width);
        whole.height += piece.height;
        whole.exit = piece.exit;
    }
    // What is said at the last line belongs to the last piece, whatever all this stands in.
    if matches!(whole.exit, Exit::Said(_)) {
        leave(&mut whole);
        whole.exit = Exit::Open;
    }
    whole
}

/// Makes a gap below a piece, and draws the line that leads out of it.
fn leave(piece: &mut Piece) {
    let (axis, below) = (piece.axis, piece.height);
    piece.height += GAP;
    if piece.exit != Exit::Closed {
        piece.marks.push(Mark::down(axis, below, piece.height));
    }
    if let Exit::Said(said) = &piece.exit {
        piece.marks.push(beside(axis, below, said));
        piece.width = piece.width.max(axis + 10 + Type::Note.width_of(said));
    }
}

/// What is said to the right of a line in a gap.
fn beside(x: i32, y: i32, said: &str) -> Mark {
    let svg = format!("<text class=\"lane\" x=\"6\" y=\"10\">{}</text>", html::text(said));
    Mark::whole(x, y + 6, 14, svg)
}

/// Ways side by side below a box, and together again; `then` says where they lead where that is not below them.
fn split(head: Piece, ways: Vec<(String, Piece)>, class: &str, then: Option<String>) -> Piece {
    let labels: Vec<Vec<String>> = ways.iter().map(|(name, _)| wrapped(name, Type::Note, WIDTH - 2 * PAD, 3)).collect();
    let label_lines = labels.iter().map(Vec::len).max().unwrap_or_default();
    let label_height = i32::try_from(label_lines).unwrap_or_default() * LINE;
    let width_of = |piece: &Piece, label: &[String]| {
        let text = label.iter().map(|line| Type::Note.width_of(line)).max().unwrap_or_default();
        // The label stands to the right of the line.
        piece.width.max(piece.axis + text + 10)
    };
    let all: i32 = ways.iter().zip(&labels).map(|((_, piece), label)| width_of(piece, label) + ASIDE).sum::<i32>() - ASIDE;
    let tallest = ways.iter().map(|(_, piece)| piece.height).max().unwrap_or_default();
    let axis = (all / 2).max(head.axis);
    let width = all.max(head.width).max(axis - head.axis + head.width);
    let bus = head.height + 14;
    let top = bus + label_height + 20;
    let bottom = top + tallest + 14;
    let aside = axis - head.axis;
    let mut marks: Vec<Mark> = head.marks.into_iter().map(|mark| mark.moved(aside, 0)).collect();
    let mut x = axis - all / 2;
    let (mut starts, mut ends) = (Vec::new(), Vec::new());
    for ((_, piece), label) in ways.into_iter().zip(&labels) {
        let at = x + piece.axis;
        starts.push(at);
        match piece.height {
            0 => marks.push(Mark::down(at, bus, top)),
            _ => marks.extend(arrow(at, bus, top)),
        }
        let mut text = String::new();
        for (row, line) in (0..).zip(label) {
            let _ = write!(text, "<text class=\"lane\" x=\"6\" y=\"{}\">{}</text>", 16 + row * LINE, html::text(line));
        }
        marks.push(Mark::whole(at, bus, label_height + 4, text));
        let (wide, open, below) = (width_of(&piece, label), piece.exit != Exit::Closed, top + piece.height);
        marks.extend(piece.marks.into_iter().map(|mark| mark.moved(x, top)));
        if open {
            marks.push(Mark::down(at, below, bottom));
            ends.push(at);
        }
        x += wide + ASIDE;
    }
    let reach = |points: &[i32]| {
        let least = points.iter().copied().min().unwrap_or(axis).min(axis);
        (least, points.iter().copied().max().unwrap_or(axis).max(axis))
    };
    let (left, right) = reach(&starts);
    marks.push(Mark::down(axis, head.height, bus));
    marks.push(Mark::across(bus, left, right, class));
    if !ends.is_empty() {
        let (left, right) = reach(&ends);
        marks.push(Mark::across(bottom, left, right, class));
    }
    if ends.is_empty() {
        return Piece { width, height: top + tallest, axis, marks, exit: Exit::Closed };
    }
    let mut whole = Piece { width, height: bottom, axis, marks, exit: Exit::Open };
    if let Some(then) = then {
        whole.exit = Exit::Said(then);
        leave(&mut whole);
        whole.exit = Exit::Closed;
    }
    whole
}

/// Something with a frame around it, and above it what it is, where that has a name.
fn framed(title: &str, note: &str, class: &str, inner: Piece) -> Piece {
    let width = (inner.width + 2 * PAD).max(WIDTH);
    let said = |text: &str, set| if text.is_empty() { Vec::new() } else { wrapped(text, set, width - 2 * PAD, 3) };
    let (titles, notes) = (said(title, Type::Title), said(note, Type::Note));
    let axis = (inner.axis + PAD).max(width / 2);
    let shift = axis - inner.axis;
    let width = width.max(shift + inner.width + PAD);
    let mut y = 18;
    let mut text = String::new();
    for (line, class) in titles.iter().map(|line| (line, "title")).chain(notes.iter().map(|note| (note, "note"))) {
        let _ = write!(text, "<text class=\"{class}\" x=\"{PAD}\" y=\"{y}\">{}</text>", html::text(line));
        y += LINE;
    }
    let top = y;
    let height = top + inner.height + PAD + 4;
    let svg = format!("<g class=\"frame {class}\"><rect width=\"{width}\" height=\"{height}\" rx=\"8\"/>{text}</g>");
    // Its sides may go on on another page; its corners and what stands in its head not.
    let mut marks = vec![Mark { x: 0, y: 0, height, whole: vec![(0, top), (height - 9, height)], svg }];
    marks.extend(inner.marks.into_iter().map(|mark| mark.moved(shift, top)));
    Piece { width, height, axis, marks, exit: inner.exit }
}

/// A piece that is done again and again, with a line back to its beginning.
fn again(inner: Piece) -> Piece {
    let (right, end, axis) = (inner.width + 14, inner.height + 12, inner.axis);
    let from = inner.height + 14;
    let path = format!("<path class=\"edge back\" d=\"M{axis} {}V{}H{right}V0H{axis}V8\"/>", from - 6, end + 4);
    let mut marks: Vec<Mark> = inner.marks.into_iter().map(|mark| mark.moved(0, 14)).collect();
    marks.push(Mark { x: 0, y: 6, height: end + 4, whole: vec![(0, 8), (end + 2, end + 4)], svg: path });
    marks.push(tip(axis, 14));
    Piece { width: right + 2, height: end + 12, axis, marks, exit: Exit::Open }
}

/// A line downward with a tip.
fn arrow(x: i32, from: i32, to: i32) -> [Mark; 2] {
    [Mark::down(x, from, to), tip(x, to)]
}

/// The tip of an arrow that points down to a place.
fn tip(x: i32, y: i32) -> Mark {
    Mark::whole(x, y - 7, 7, "<path class=\"tip\" d=\"M-4 0L0 7L4 0Z\"/>".to_owned())
}

/// A text in lines that have room, cut where there are too many.
fn wrapped(text: &str, set: Type, room: i32, most: usize) -> Vec<String> {
    let shown = line(text);
    let mut lines: Vec<String> = Vec::new();
    let mut last = String::new();
    let fits = |line: &str, more: &str| set.width_of(line) + set.width_of(more) <= room;
    for word in shown.split_whitespace() {
        if !last.is_empty() && !fits(&last, &format!(" {word}")) {
            lines.push(std::mem::take(&mut last));
        }
        if !last.is_empty() {
            last.push(' ');
        }
        for c in word.chars() {
            if !last.is_empty() && !fits(&last, c.encode_utf8(&mut [0; 4])) {
                lines.push(std::mem::take(&mut last));
            }
            last.push(c);
        }
        if lines.len() > most {
            break;
        }
    }
    lines.push(last);
    if lines.len() > most {
        lines.truncate(most);
        if let Some(line) = lines.last_mut() {
            line.push('…');
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_broken_between_words_and_cut_where_it_is_too_long() {
        // Ten characters of 72 hundredths of an em.
        let room = 10 * 72 * 13 / 100 + 1;
        for (text, lines) in [
            ("short", vec!["short"]),
            ("one hundred and seven", vec!["one", "hundred", "and seven"]),
            ("abcdeabcdeabcde", vec!["abcdeabcde", "abcde"]),
            ("WWWWWWWWWW", vec!["WWWWWW", "WWWW"]),
            ("illillillillillillill", vec!["illillillillillilli", "ll"]),
            ("漢字漢字漢字", vec!["漢字漢字", "漢字"]),
            ("aaaaaaaa bbbbbbbb cccccccc dddddddd", vec!["aaaaaaaa", "bbbbbbbb", "cccccccc…"]),
            ("", vec![""]),
        ] {
            assert_eq!(wrapped(text, Type::Title, room, 3), lines, "{text}");
        }
    }

    fn boxes(count: usize) -> Vec<Piece> {
        (0..count)
            .map(|_| Piece { marks: vec![Mark::whole(0, 0, 60, String::new())], width: 10, height: 60, axis: 5, exit: Exit::Open })
            .collect()
    }

    /// Of the whole height, one after the other, and none ends in a box, a tip or the head of a frame.
    #[test]
    fn a_drawing_is_cut_between_its_boxes() {
        let far = |whole: &Piece| {
            let bands = bands(whole);
            assert_eq!((bands.first().unwrap().0, bands.last().unwrap().1), (-1, whole.height + 1), "{bands:?}");
            for pair in bands.windows(2) {
                assert_eq!(pair[0].1, pair[1].0, "{bands:?}");
                let cut = pair[0].1;
                for mark in &whole.marks {
                    let through = |(from, to): &&(i32, i32)| mark.y + from < cut && cut < mark.y + to;
                    assert_eq!(mark.whole.iter().find(through), None, "{cut} of {bands:?}");
                }
            }
            bands.len()
        };
        assert_eq!(far(&series(boxes(2))), 1);
        let (long, looped) = (series(boxes(30)), framed("each", "again", "", again(series(boxes(30)))));
        assert!(far(&long) > 12 && far(&looped) > 12, "{} {}", far(&long), far(&looped));
        // Ways of one shape are cut at once; where they stand side by side without a common gap, they stay together.
        let ways = |heights: [usize; 2]| heights.map(|count| ("way".to_owned(), series(boxes(count)))).into();
        assert!(far(&split(terminal("x"), ways([20, 20]), "fork", None)) > 8);
        let block =
            Piece { marks: vec![Mark::whole(0, 0, 2_000, String::new())], width: 10, height: 2_000, axis: 5, exit: Exit::Open };
        assert_eq!(far(&split(terminal("x"), vec![("a".to_owned(), block), ("b".to_owned(), series(boxes(20)))], "fork", None)), 1);
    }
}
