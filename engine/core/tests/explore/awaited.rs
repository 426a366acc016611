//! A wait for an event: one comes, or its time runs out.

use super::shows;

const CHANGE: &str = "- {id: copy, exec: [copy], undo: {exec: [back]}}\n";
const NEWS: &str = "- {id: news, wait: {event: {source: stdin}, within: 1h}}\n";

#[test]
fn an_event_tells_of_the_world_and_its_absence_is_a_failure() {
    // The change stays where nothing comes; where something does, it was looked at.
    shows(
        &format!("steps:\n{CHANGE}{NEWS}"),
        &["RB0602: what copy changed stays after a failure [copy succeeds, the time of news runs out]"],
    );
    let back = NEWS.replace("within: 1h}", "within: 1h}, on_failure: rollback");
    shows(&format!("steps:\n{CHANGE}{back}"), &[]);
    // What stands beside it, and fails, ends it.
    let beside = "- id: fan\n  parallel:\n    left: [{id: news, wait: {event: {source: stdin}, within: 1h}}]\n    right: [{id: look, exec: [look], effect: read}]\n";
    shows(&format!("steps:\n{beside}"), &[]);
}
