//! The chart of a procedure as a drawing. What follows one another stands below one another, ways stand side by side, and what is
//! repeated or belongs together in a frame, so that a chart is laid out from the inside to the outside and no line crosses a box.
//!
//! Colours come from the page's style alone, by classes: each step has the class `n` and its number, so that a run can be shown in it.

use std::fmt::Write;

use runbook_core::effect::Effect;
use runbook_core::guide::{Chart, Fails, Item, Lane, Shape};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::super::html;
use super::super::plain::line;
use super::{AFTER_A_FAILURE, END, ends};

/// Of a box, and how far things are apart, in pixels.
const WIDTH: i32 = 216;
const GAP: i32 = 26;
const ASIDE: i32 = 22;
const PAD: i32 = 12;
const LINE: i32 = 17;
/// Columns of a line of text in a box, and the lines that a title may take.
const COLUMNS: usize = 26;
const LINES: usize = 4;

/// A piece of the drawing, from its upper left corner.
struct Piece {
    width: i32,
    height: i32,
    /// Where lines come in and go out.
    axis: i32,
    svg: String,
    /// Whether anything follows.
    open: bool,
}

/// The drawing as an element of a page. `title` says what it is of.
pub fn to_svg(chart: &Chart, title: &str) -> String {
    let mut pieces = vec![terminal("start")];
    pieces.extend(chart.body.iter().map(item));
    if !chart.on_failure.is_empty() {
        let inner = series(chart.on_failure.iter().map(item).collect());
        let mut frame = framed(AFTER_A_FAILURE, "only if a step fails", "", inner);
        frame.open = true;
        pieces.push(frame);
    }
    if !chart.finally.is_empty() {
        let inner = series(chart.finally.iter().map(item).collect());
        let mut frame = framed("in the end, however it ends", "", "", inner);
        // What ended before comes here too.
        frame.open = true;
        pieces.push(frame);
    }
    pieces.push(terminal("end"));
    let whole = series(pieces);
    let (width, height) = (whole.width + 2, whole.height + 2);
    let failing = described(&chart.on_failure).into_iter().map(|item| format!("if a step fails: {item}"));
    let described: Vec<_> = described(&chart.body).into_iter().chain(failing).chain(described(&chart.finally)).collect();
    let described = described.join("; ");
    format!(
        "<div class=\"chart\">\n<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"-1 -1 {width} {height}\" role=\"img\" aria-labelledby=\"chart-title chart-desc\">\n\
         <title id=\"chart-title\">{}</title>\n<desc id=\"chart-desc\">{}</desc>\n{}</svg>\n</div>\n",
        html::text(title),
        html::text(&described),
        whole.svg
    )
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
    match &item.shape {
        Shape::Chooses { lanes, open } if !lanes.is_empty() => {
            let mut ways: Vec<(String, Piece)> = lanes.iter().map(way).collect();
            if *open {
                ways.push(("none of these".to_owned(), empty()));
            }
            split(boxed(item), ways, "choose")
        }
        Shape::Forks(lanes) if !lanes.is_empty() => split(boxed(item), lanes.iter().map(way).collect(), "fork"),
        Shape::Repeats { how, body } if !body.is_empty() => {
            let inner = series(body.iter().map(self::item).collect());
            framed(&head(item), &notes(item, Some(how)).join(" · "), &class(item), again(inner))
        }
        Shape::Groups(body) if !body.is_empty() => {
            let inner = series(body.iter().map(self::item).collect());
            framed(&head(item), &notes(item, None).join(" · "), &class(item), inner)
        }
        _ => boxed(item),
    }
}

fn way(lane: &Lane) -> (String, Piece) {
    (lane.name.clone(), series(lane.body.iter().map(item).collect()))
}

fn empty() -> Piece {
    Piece { width: WIDTH / 2, height: 0, axis: WIDTH / 4, svg: String::new(), open: true }
}

fn head(item: &Item) -> String {
    format!("{} · {}", item.number, item.title)
}

/// What is said of a step below its title.
fn notes(item: &Item, how: Option<&str>) -> Vec<String> {
    let mut notes: Vec<String> = how.map(str::to_owned).into_iter().collect();
    match &item.shape {
        Shape::Gate => notes.push("people decide".to_owned()),
        Shape::Calls(called) => notes.push(format!("does {called}")),
        Shape::Finishes(outcome) if !item.title.starts_with(END) => notes.push(format!("{END}: {}", ends(*outcome))),
        _ => {}
    }
    notes.extend(item.condition.iter().map(|condition| format!("only if {condition}")));
    if item.effect > Effect::None && !matches!(item.shape, Shape::Gate) {
        notes.push(item.effect.name().to_owned());
    }
    notes.extend(item.undone.then(|| format!("undo: U{}", item.number)));
    match &item.fails {
        Fails::Stops => {}
        Fails::GoesOn => notes.push("fails: goes on".to_owned()),
        Fails::TakenBack => notes.push("fails: all is taken back".to_owned()),
        Fails::To(number) => notes.push(format!("fails: to {number}")),
    }
    notes.extend(item.jumps.iter().map(|number| format!("then: {number}")));
    notes
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
    format!("step n{}{shape} {}", item.number.replace('.', "_"), item.effect.name())
}

/// One step.
fn boxed(item: &Item) -> Piece {
    let title = wrapped(&head(item), COLUMNS, LINES);
    let notes: Vec<String> = notes(item, None).iter().flat_map(|note| wrapped(note, COLUMNS + 3, 2)).collect();
    let sharp = matches!(item.shape, Shape::Chooses { .. } | Shape::Gate);
    let rows = i32::try_from(title.len() + notes.len()).unwrap_or(i32::MAX / LINE);
    let height = rows * LINE + PAD + 6;
    // A pointed box has its text between the points.
    let point = if sharp { 14 } else { 0 };
    let (width, middle) = (WIDTH + 2 * point, height / 2);
    let mut svg = format!("<a href=\"#step-{}\"><g class=\"{}\">", html::text(&item.number), class(item));
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
    svg.push_str("</g></a>\n");
    Piece { width, height, axis: width / 2, svg, open: !matches!(item.shape, Shape::Finishes(_)) && item.jumps.is_none() }
}

/// Where it begins or ends.
fn terminal(word: &str) -> Piece {
    let svg =
        format!("<g class=\"terminal\"><rect width=\"72\" height=\"26\" rx=\"13\"/><text x=\"36\" y=\"18\">{word}</text></g>\n");
    Piece { width: 72, height: 26, axis: 36, svg, open: true }
}

/// Pieces below one another, with arrows between them.
fn series(pieces: Vec<Piece>) -> Piece {
    let axis = pieces.iter().map(|piece| piece.axis).max().unwrap_or_default();
    let mut whole = Piece { width: 0, height: 0, axis, svg: String::new(), open: true };
    for (place, piece) in pieces.into_iter().enumerate() {
        if place > 0 {
            if whole.open {
                let (from, to) = (whole.height, whole.height + GAP);
                let _ = writeln!(whole.svg, "{}", arrow(&format!("M{axis} {from}V{to}"), axis, to));
            }
            whole.height += GAP;
        }
        let _ = write!(whole.svg, "<g transform=\"translate({} {})\">{}</g>", axis - piece.axis, whole.height, piece.svg);
        whole.width = whole.width.max(axis - piece.axis + piece.width);
        whole.height += piece.height;
        whole.open = piece.open;
    }
    whole
}

/// Ways side by side below a box, and together again.
fn split(head: Piece, ways: Vec<(String, Piece)>, class: &str) -> Piece {
    let labels: Vec<Vec<String>> = ways.iter().map(|(name, _)| wrapped(name, COLUMNS, 3)).collect();
    let label_lines = labels.iter().map(Vec::len).max().unwrap_or_default();
    let label_height = i32::try_from(label_lines).unwrap_or_default() * LINE;
    let width_of = |piece: &Piece, label: &[String]| {
        let text = label.iter().map(|line| line.width()).max().unwrap_or_default();
        let text = i32::try_from(text).unwrap_or(i32::MAX / 16) * 7;
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
    let mut svg = format!("<g transform=\"translate({} 0)\">{}</g>", axis - head.axis, head.svg);
    let mut x = axis - all / 2;
    let (mut starts, mut ends) = (Vec::new(), Vec::new());
    for ((_, piece), label) in ways.iter().zip(&labels) {
        let at = x + piece.axis;
        starts.push(at);
        let _ = writeln!(
            svg,
            "{}",
            if piece.height == 0 {
                format!("<path class=\"edge\" d=\"M{at} {bus}V{top}\"/>")
            } else {
                arrow(&format!("M{at} {bus}V{top}"), at, top)
            }
        );
        for (row, text) in (0..).zip(label) {
            let _ =
                write!(svg, "<text class=\"lane\" x=\"{}\" y=\"{}\">{}</text>", at + 6, bus + 16 + row * LINE, html::text(text));
        }
        let _ = write!(svg, "<g transform=\"translate({x} {top})\">{}</g>", piece.svg);
        if piece.open {
            let _ = write!(svg, "<path class=\"edge\" d=\"M{at} {}V{bottom}\"/>", top + piece.height);
            ends.push(at);
        }
        x += width_of(piece, label) + ASIDE;
    }
    let reach = |points: &[i32]| {
        let least = points.iter().copied().min().unwrap_or(axis).min(axis);
        (least, points.iter().copied().max().unwrap_or(axis).max(axis))
    };
    let (left, right) = reach(&starts);
    let _ = write!(svg, "<path class=\"edge {class}\" d=\"M{axis} {}V{bus}M{left} {bus}H{right}\"/>", head.height);
    if !ends.is_empty() {
        let (left, right) = reach(&ends);
        let _ = write!(svg, "<path class=\"edge {class}\" d=\"M{left} {bottom}H{right}\"/>");
    }
    let open = !ends.is_empty();
    Piece { width, height: if open { bottom } else { top + tallest }, axis, svg, open }
}

/// Something with a frame around it, and what it is above.
fn framed(title: &str, note: &str, class: &str, inner: Piece) -> Piece {
    let width = (inner.width + 2 * PAD).max(WIDTH);
    let columns = usize::try_from(width / 8).unwrap_or(COLUMNS);
    let titles = wrapped(title, columns, 3);
    let notes = if note.is_empty() { Vec::new() } else { wrapped(note, columns + 2, 3) };
    let axis = (inner.axis + PAD).max(width / 2);
    let shift = axis - inner.axis;
    let width = width.max(shift + inner.width + PAD);
    let mut svg = String::new();
    let mut y = 18;
    let mut text = String::new();
    for (line, class) in titles.iter().map(|line| (line, "title")).chain(notes.iter().map(|note| (note, "note"))) {
        let _ = write!(text, "<text class=\"{class}\" x=\"{PAD}\" y=\"{y}\">{}</text>", html::text(line));
        y += LINE;
    }
    let top = y;
    let height = top + inner.height + PAD + 4;
    let _ = write!(svg, "<g class=\"frame {class}\"><rect width=\"{width}\" height=\"{height}\" rx=\"8\"/>{text}</g>");
    let _ = write!(svg, "<g transform=\"translate({shift} {top})\">{}</g>", inner.svg);
    Piece { width, height, axis, svg, open: inner.open }
}

/// A piece that is done again and again, with a line back to its beginning.
fn again(inner: Piece) -> Piece {
    let (right, end) = (inner.width + 14, inner.height + 12);
    let mut svg = format!("<g transform=\"translate(0 14)\">{}</g>", inner.svg);
    let path = format!("M{} {}V{}H{right}V6H{}V14", inner.axis, inner.height + 14, end + 10, inner.axis);
    let _ = write!(svg, "<path class=\"edge back\" d=\"{path}\"/>{}", tip(inner.axis, 14));
    Piece { width: right + 2, height: end + 12, axis: inner.axis, svg, open: true }
}

fn arrow(path: &str, x: i32, y: i32) -> String {
    format!("<path class=\"edge\" d=\"{path}\"/>{}", tip(x, y))
}

/// The tip of an arrow that points down to a place.
fn tip(x: i32, y: i32) -> String {
    format!("<path class=\"tip\" d=\"M{} {}L{x} {y}L{} {}Z\"/>", x - 4, y - 7, x + 4, y - 7)
}

/// A text in lines of so many columns, cut where there are too many.
fn wrapped(text: &str, columns: usize, most: usize) -> Vec<String> {
    let shown = line(text);
    let mut lines: Vec<String> = Vec::new();
    let mut last = String::new();
    for word in shown.split_whitespace() {
        if !last.is_empty() && last.width() + 1 + word.width() > columns {
            lines.push(std::mem::take(&mut last));
        }
        if !last.is_empty() {
            last.push(' ');
        }
        for c in word.chars() {
            if last.width() + c.width().unwrap_or(0) > columns {
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
        for (text, lines) in [
            ("short", vec!["short"]),
            ("one two three four", vec!["one two", "three four"]),
            ("abcdefghijklmnop", vec!["abcdefghij", "klmnop"]),
            ("漢字漢字漢字", vec!["漢字漢字漢", "字"]),
            ("a b c d e f g h i j k l m n o p", vec!["a b c d e", "f g h i j…"]),
            ("", vec![""]),
        ] {
            assert_eq!(wrapped(text, 10, 2), lines, "{text}");
        }
    }
}
