//! The chart of a procedure as Mermaid draws it, with a line below it that says what its signs mean. Every sign of a label that could mean something to Mermaid, or to the Markdown around
//! it, is written as its number, so that no label adds a node, an edge or a directive.

use std::collections::BTreeSet;
use std::fmt::Write;

use runbook_core::effect::Effect;
use runbook_core::guide::{Chart, Fails, Item, Lane, Shape};
use runbook_core::limits;

use super::super::plain::line;
use super::{AFTER_A_FAILURE, END, ends, past};

/// Where an edge comes from, and what it says.
type Loose = (String, String);

pub fn to_mermaid(chart: &Chart) -> String {
    let mut drawing = Drawing { out: "flowchart TD\n".to_owned(), later: String::new() };
    drawing.node("begin", ("([", "])"), "start");
    let mut loose = drawing.list(&chart.body, vec![("begin".to_owned(), String::new())]);
    if !chart.on_failure.is_empty() {
        drawing.node("failure", ("[[", "]]"), AFTER_A_FAILURE);
        let _ = writeln!(drawing.out, "  begin -.->|\"if a step fails\"| failure");
        loose.extend(drawing.list(&chart.on_failure, vec![("failure".to_owned(), String::new())]));
    }
    let loose = if chart.finally.is_empty() {
        loose
    } else {
        drawing.node("finally", ("[[", "]]"), "in the end, however it ends");
        drawing.edges(&loose, "finally");
        drawing.list(&chart.finally, vec![("finally".to_owned(), String::new())])
    };
    drawing.node("done", ("([", "])"), "end");
    drawing.edges(&loose, "done");
    let Drawing { out, later } = drawing;
    format!(
        "{out}{later}  classDef gate stroke-width:2px,stroke-dasharray:6 3\n  classDef change stroke-width:2px\n  classDef destructive stroke-width:4px\n"
    )
}

/// What is said of a step by a sign.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Sign {
    Undone,
    GoesOn,
    TakenBack,
}

impl Sign {
    fn of(item: &Item) -> impl Iterator<Item = Sign> {
        let fails = match item.fails {
            Fails::GoesOn => Some(Sign::GoesOn),
            Fails::TakenBack => Some(Sign::TakenBack),
            // That is drawn.
            Fails::Stops | Fails::To(_) => None,
        };
        item.undone.then_some(Sign::Undone).into_iter().chain(fails)
    }

    /// The sign, and what it means.
    fn shown(self) -> (char, &'static str) {
        match self {
            Sign::Undone => ('↶', "it can be taken back, by U and its number"),
            Sign::GoesOn => ('↷', "if it fails, the next one follows"),
            Sign::TakenBack => ('⟲', "if it fails, everything is taken back"),
        }
    }
}

/// The signs that a chart has, in a line; empty where it has none.
pub fn legend(chart: &Chart) -> String {
    let mut found = BTreeSet::new();
    let mut open: Vec<&Item> = chart.body.iter().chain(&chart.on_failure).chain(&chart.finally).collect();
    while let Some(item) = open.pop() {
        found.extend(Sign::of(item));
        match &item.shape {
            Shape::Chooses { lanes, .. } | Shape::Forks(lanes) => open.extend(lanes.iter().flat_map(|lane| &lane.body)),
            Shape::Repeats { body, .. } | Shape::Groups(body) => open.extend(body),
            Shape::Does | Shape::Gate | Shape::Waits | Shape::Calls(_) | Shape::Finishes(_) => {}
        }
    }
    let told = found.into_iter().map(Sign::shown).map(|(sign, meaning)| format!("{sign} {meaning}"));
    told.collect::<Vec<_>>().join(" · ")
}

struct Drawing {
    out: String,
    /// Edges that go past what follows, and classes.
    later: String,
}

impl Drawing {
    fn node(&mut self, id: &str, (open, close): (&str, &str), text: &str) {
        let _ = writeln!(self.out, "  {id}{open}\"{}\"{close}", label(text));
    }

    fn edges(&mut self, from: &[Loose], to: &str) {
        from.iter().for_each(|from| self.out.push_str(&edge(from, to)));
    }

    /// Draws what follows one another behind these ends, and gives the new ones.
    fn list(&mut self, items: &[Item], mut loose: Vec<Loose>) -> Vec<Loose> {
        for item in items {
            loose = self.item(item, loose);
        }
        loose
    }

    fn item(&mut self, item: &Item, mut before: Vec<Loose>) -> Vec<Loose> {
        let id = id(&item.number);
        let signs: String = Sign::of(item).map(|sign| format!(" {}", sign.shown().0)).collect();
        let mut text = format!("{}{signs} · {}", item.number, item.title);
        text.extend(item.condition.iter().map(|condition| format!(" (only if {condition})")));
        let shape = match &item.shape {
            Shape::Does => ("[", "]"),
            Shape::Gate => ("{{", "}}"),
            Shape::Waits => ("(", ")"),
            Shape::Calls(_) => ("[[", "]]"),
            Shape::Chooses { .. } => ("{", "}"),
            Shape::Forks(_) => ("[/", "\\]"),
            Shape::Repeats { .. } => ("[/", "/]"),
            Shape::Groups(_) => ("[", "]"),
            Shape::Finishes(_) => ("([", "])"),
        };
        match &item.shape {
            Shape::Calls(called) => text.push_str(&format!(" ({called})")),
            Shape::Repeats { how, .. } => text.push_str(&format!(" ({how})")),
            Shape::Finishes(outcome) if !item.title.starts_with(END) => text.push_str(&format!(" ({})", ends(*outcome))),
            _ => {}
        }
        self.node(&id, shape, &text);
        self.edges(&before, &id);
        before = vec![(id.clone(), String::new())];
        match &item.shape {
            Shape::Does | Shape::Waits | Shape::Calls(_) => {}
            Shape::Gate => {
                let _ = writeln!(self.later, "  class {id} gate");
            }
            Shape::Finishes(_) => before.clear(),
            Shape::Groups(body) => before = self.list(body, before),
            Shape::Repeats { body, .. } if body.is_empty() => {}
            Shape::Repeats { body, .. } => {
                for (from, _) in self.list(body, before) {
                    let _ = writeln!(self.out, "  {from} -.->|\"again\"| {id}");
                }
                before = vec![(id.clone(), "no more".to_owned())];
            }
            Shape::Chooses { lanes, open } => {
                before = self.lanes(&id, lanes);
                if *open || lanes.is_empty() {
                    before.push((id.clone(), if lanes.is_empty() { "" } else { "none of these" }.to_owned()));
                }
            }
            Shape::Forks(lanes) if lanes.is_empty() => {}
            Shape::Forks(lanes) => before = self.lanes(&id, lanes),
        }
        match item.effect {
            Effect::Change | Effect::Destructive if !matches!(item.shape, Shape::Gate) => {
                let _ = writeln!(self.later, "  class {id} {}", item.effect.name());
            }
            _ => {}
        }
        if let Fails::To(number) = &item.fails {
            let _ = writeln!(self.later, "  {id} -.->|\"if it fails\"| {}", self::id(number));
        }
        if let Some(number) = &item.jumps {
            for from in before.drain(..) {
                self.later.push_str(&edge(&from, &self::id(number)));
            }
        }
        // An end that leads out of the step itself says it already, and a sign what a failure does.
        if let Some(past) = past(item, before.is_empty())
            && before.iter().all(|(from, _)| *from != id)
        {
            before.push((id, past.to_owned()));
        }
        before
    }

    fn lanes(&mut self, id: &str, lanes: &[Lane]) -> Vec<Loose> {
        lanes.iter().flat_map(|lane| self.list(&lane.body, vec![(id.to_owned(), lane.name.clone())])).collect()
    }
}

fn edge((from, said): &Loose, to: &str) -> String {
    let said = if said.is_empty() { String::new() } else { format!("|\"{}\"|", label(said)) };
    format!("  {from} -->{said} {to}\n")
}

fn id(number: &str) -> String {
    format!("s{}", number.replace(|c: char| !c.is_ascii_alphanumeric(), "_"))
}

fn label(text: &str) -> String {
    let shown = line(text);
    let mut label = String::new();
    for c in shown.chars() {
        if label.len() > limits::CHART_LABEL_BYTES {
            label.push('…');
            break;
        }
        match c {
            c if c.is_alphanumeric() || " .,-_/:()·‹›…".contains(c) => label.push(c),
            c if c.is_ascii() => label.push_str(&format!("#{};", u32::from(c))),
            c => label.push(c),
        }
    }
    label
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_a_label_to_its_end() {
        for (hostile, shown) in [
            ("Restart ‹inputs.host› (now)", "Restart ‹inputs.host› (now)"),
            ("a\"] --> b[\"", "a#34;#93; --#62; b#91;#34;"),
            ("x\nend\nclick s1 href \"javascript:y\"", "x#92;nend#92;nclick s1 href #34;javascript:y#34;"),
            ("%%{init: {}}%%", "#37;#37;#123;init: #123;#125;#125;#37;#37;"),
            ("```", "#96;#96;#96;"),
            ("<img src=x onerror=y>", "#60;img src#61;x onerror#61;y#62;"),
            ("#quot; &lt;", "#35;quot#59; #38;lt#59;"),
        ] {
            assert_eq!(label(hostile), shown, "{hostile:?}");
        }
        assert!(label(&"\"".repeat(1000)).len() < limits::CHART_LABEL_BYTES + 20);
    }
}
