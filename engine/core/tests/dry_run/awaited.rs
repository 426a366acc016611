//! A wait for an event: which one ends it, and what that says, no dry run can know.

use std::time::Duration;

use runbook_core::Value;
use runbook_core::explore::Longest;
use runbook_core::run::task::Task;

use super::{predicted, told};

const NEWS: &str = "- {id: look, exec: [look], effect: read, outputs: {m: result.stdout}}
- {id: news, wait: {event: {source: stdin, when: event.data.n == inputs.n && event.data.m == steps.look.m}, within: 20m}}
- {id: after, exec: [after, '{{steps.news.event.id}}'], effect: read}
";

#[test]
fn what_it_waits_for_is_shown_and_what_comes_is_not_known() {
    let dry = predicted(NEWS, false);
    let expect = "look: would run
news: cannot know: which event ends it depends on steps.look.m; whether such an event comes within 20m only a real run can tell
after: cannot know: it depends on steps.news.event
";
    assert_eq!((told(&dry).as_str(), dry.ways, dry.complete), (expect, 1, true));
    let news = &dry.steps[1];
    assert_eq!((news.verb, news.longest), ("wait", Some(Longest::Time(Duration::from_secs(1200)))));
    let Some(Task::Event(task)) = news.work.as_ref().map(|work| &work.task) else { panic!("{news:#?}") };
    assert_eq!((task.source.as_str(), task.when.is_some()), ("stdin", true));
    let names = Value::Map(task.names.clone()).to_plain_json().to_string();
    assert_eq!(names, r#"{"inputs":{"n":4},"steps":{"look":{"m":"‹steps.look.m›"}}}"#);
    assert_eq!(dry.outcomes.iter().map(|outcome| outcome.kind.name()).collect::<Vec<_>>(), ["succeeded"]);
}
