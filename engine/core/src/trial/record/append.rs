//! A case put behind those of a test that there is: everything else of the file stays as it was, comments included.

use super::plain_of_comment;
use crate::diagnostic::Source;
use crate::document::decode::Reading;
use crate::document::test::Test;
use crate::document::{Document, Node, NodeKind, load, yaml};
use crate::layout::{lay_out, says_the_same};
use crate::limits;

/// Why a case cannot be put into a file.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unappended(String);

fn because(why: &str) -> Unappended {
    Unappended(why.to_owned())
}

/// The item of `cases` behind lines of comment.
pub fn with_comments(item: &str, comments: &[String]) -> String {
    let lines = comments.iter().map(|comment| format!("  # {}\n", plain_of_comment(comment)));
    lines.chain([item.to_owned()]).collect()
}

/// A test with one more case; its text is that of its source. What was in form still is.
pub fn append(source: &Source, item: &str) -> Result<Box<Test>, Unappended> {
    let old = tree(source).ok_or(because("it cannot be read"))?;
    let text = &*source.text;
    let list = cases(&old).ok_or(because("it has no `cases`"))?;
    let NodeKind::List(items) = &list.kind else { return Err(because("its `cases` are no list")) };
    let brackets = because("its cases stand in brackets: write each on lines of its own");
    let last = items.last().filter(|_| !text[..].get(list.span.start as usize..).is_some_and(|list| list.starts_with('[')));
    let last = last.ok_or(brackets)?;
    let start = last.span.start as usize;
    let line = text.get(..start).unwrap_or_default().rfind('\n').map_or(0, |end| end + 1);
    let indent =
        text.get(line..start).and_then(|before| before.find('-')).ok_or(because("its cases do not begin beside their `-`"))?;
    let end = (last.span.end as usize).min(text.len());
    let before = text.get(..end).unwrap_or_default();
    let at = match before.ends_with('\n') {
        true => end,
        false => text.get(end..).and_then(|rest| rest.find('\n')).map_or(text.len(), |more| end + more + 1),
    };
    let (before, behind) = text.split_at(at);
    let newline = if before.ends_with('\n') { "" } else { "\n" };
    let moved: String = item
        .lines()
        .map(|line| match line.strip_prefix("  ") {
            Some(line) => format!("{:indent$}{line}\n", ""),
            None => format!("{line}\n"),
        })
        .collect();
    let written = format!("{before}{newline}{moved}{behind}");
    let longer = Source::new(source.name.clone(), written.as_str());
    if written.len() > limits::DOCUMENT_BYTES {
        return Err(Unappended(format!("with one more case it is larger than {} KiB", limits::DOCUMENT_BYTES / 1024)));
    }
    let same = tree(&longer).is_some_and(|new| is_same_but_for_one(&old, &new));
    if !same {
        return Err(because("with one more case it would say something else"));
    }
    let in_form = lay_out(source).is_ok_and(|laid| laid == text);
    let longer = if in_form { lay_out(&longer).unwrap_or(written) } else { written };
    let longer = Source::new(source.name.clone(), longer);
    match load(&longer) {
        (Some(Document::Test(test)), found) if !found.has_errors() => Ok(test),
        (_, found) => {
            let fault = found.into_sorted().first().map(|fault| fault.message.clone()).unwrap_or_default();
            Err(Unappended(format!("with one more case {fault}")))
        }
    }
}

fn tree(source: &Source) -> Option<Node> {
    let reading = Reading::new(source);
    let tree = yaml::parse(&reading);
    tree.filter(|_| !reading.into_diagnostics().has_errors())
}

fn cases(root: &Node) -> Option<&Node> {
    let NodeKind::Map(entries) = &root.kind else { return None };
    entries.iter().find(|(key, _)| key.value == "cases").map(|(_, cases)| cases)
}

fn is_same_but_for_one(old: &Node, new: &Node) -> bool {
    let (NodeKind::Map(before), NodeKind::Map(after)) = (&old.kind, &new.kind) else { return false };
    before.len() == after.len()
        && before.iter().zip(after).all(|((key, one), (other_key, other))| match (&one.kind, &other.kind) {
            _ if key.value != other_key.value => false,
            (NodeKind::List(ones), NodeKind::List(others)) if key.value == "cases" => {
                others.len() == ones.len() + 1 && ones.iter().zip(others).all(|(one, other)| says_the_same(one, other))
            }
            _ => says_the_same(one, other),
        })
}
