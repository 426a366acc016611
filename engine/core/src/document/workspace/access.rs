//! `access`: roles, and who has them.

use super::read;
use crate::document::Node;
use crate::document::decode::{Fields, Reading};
use crate::policy::People;
use crate::policy::access::{Grant, Role};

const ROLES: [(&str, Role); 5] = {
    let [a, b, c, d, e] = Role::ALL;
    [(a.name(), a), (b.name(), b), (c.name(), c), (d.name(), d), (e.name(), e)]
};

pub(super) fn grants(fields: &mut Fields, people: &People) -> Vec<Grant> {
    let reading = fields.reading;
    let items = fields.list("access").unwrap_or_default();
    items.iter().filter_map(|node| grant(reading, node, people)).collect()
}

fn grant(reading: &Reading, node: &Node, people: &People) -> Option<Grant> {
    let mut fields = Fields::of(reading, node, "a grant")?;
    let role = fields.word("role", &ROLES);
    let has_role = fields.has("role");
    let to = fields.some_texts("to");
    let to = read::known_people(reading, people, to);
    let labels = read::labels(&mut fields);
    for (key, is_there) in [("role", has_role), ("to", fields.has("to"))] {
        if !is_there {
            fields.missing(key);
        }
    }
    fields.finish();
    Some(Grant { role: role?.value, to, labels })
}
