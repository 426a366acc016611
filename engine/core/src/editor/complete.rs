//! What could stand at a place: keys, words, names of what there is, and the names and functions of the small languages.
//!
//! A mark is put where something is being typed, and what the document then says of the mark is what could stand there. So a
//! document need not be right, nor whole: it is enough that the mark can be read.

use std::collections::{BTreeMap, BTreeSet};

use super::find::Open;
use super::outline::{self, Seen, text_of, tree};
use super::typed::Typed;
use super::{Around, Kept};
use crate::check::survey::{Field, Language, survey};
use crate::check::{CheckOptions, calls_of, steps_behind, steps_of};
use crate::diagnostic::{Source, Span, Spanned};
use crate::document::procedure::Version;
use crate::document::step::Verb;
use crate::document::{Input, Node, Procedure, Scalar, Step, load};
use crate::event_source::BUILT_IN;
use crate::expr::{Type as Of, functions_of, helpers};
use crate::id::Id;
use crate::vocabulary::{Key, Names, Referent, Shape, Type};
use crate::{markdown, prose};

/// Stands for what is being typed. No document has it.
const MARK: &str = "zqmarkqz";

/// Something that could stand at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    pub label: String,
    pub kind: OfferKind,
    /// Its type, in a few words.
    pub detail: String,
    /// What it means, in Markdown.
    pub doc: String,
    /// What it would be written in the place of.
    pub span: Span,
    pub insert: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfferKind {
    Key,
    Verb,
    Word,
    Name,
    Member,
    Function,
}

/// What could be written at byte `at` of a document.
pub fn complete(source: &Source, at: u32, around: Around) -> Vec<Offer> {
    let at = at as usize;
    let Some((before, behind)) = source.text.get(..at).zip(source.text.get(at..)) else { return Vec::new() };
    let line = before.rsplit('\n').next().unwrap_or_default();
    let rest = behind.split('\n').next().unwrap_or_default();
    let head = line.trim_end_matches(|c: char| is_word(c)).trim_end();
    let begins = head.is_empty() || head.ends_with(['-', '{', ',']);
    let mut marks = Vec::new();
    if begins && !rest.trim_start_matches(is_word).trim_start().starts_with(':') {
        marks.push(format!("{MARK}: x"));
    }
    marks.extend([MARK.to_owned(), format!("{MARK}\""), format!("{MARK}'")]);
    for mark in marks {
        let marked = Source::new(source.name.clone(), format!("{before}{mark}{behind}"));
        let Some(root) = tree(&marked) else { continue };
        let mut found = None;
        outline::visit(&root, |seen| {
            if seen.scalar().value.contains(MARK) {
                found = Some(seen);
            }
        });
        let Some(seen) = found else { continue };
        let document = load(&marked).0;
        // It is another text, of which nothing is known yet.
        let kept = Kept::default();
        let around = Around { document: document.as_ref(), kept: &kept, ..around };
        let place = Place { open: Open::new(&marked, document.as_ref(), around), line, at, rest };
        return place.offers(seen);
    }
    Vec::new()
}

/// A procedure in one of its versions.
type VersionOf<'p> = (&'p str, Version);

fn version_of(procedure: &Procedure) -> VersionOf<'_> {
    (procedure.name.value.as_str(), procedure.version.value)
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

struct Place<'a> {
    open: Open<'a>,
    /// The line up to the place, and what is behind it.
    line: &'a str,
    at: usize,
    rest: &'a str,
}

impl Place<'_> {
    /// What is being typed, if it is made of such characters.
    fn typed(&self, of: impl Fn(char) -> bool) -> Span {
        let typed = self.line.len() - self.line.trim_end_matches(of).len();
        Span::new(self.at - typed, self.at)
    }

    fn offer(&self, label: &str, kind: OfferKind, detail: String, doc: &str) -> Offer {
        let span = self.typed(|c| is_word(c) || "-@^~./".contains(c));
        Offer { label: label.to_owned(), kind, detail, doc: doc.to_owned(), span, insert: label.to_owned() }
    }

    fn offers(&self, seen: Seen) -> Vec<Offer> {
        match seen {
            Seen::Strange { shape, entries, .. } => self.keys(shape, entries),
            Seen::Name { names, beside, .. } => self.named(names, beside),
            Seen::Value { of: Type::Word(words), .. } => {
                words.iter().map(|word| self.offer(word.name, OfferKind::Word, String::new(), word.doc)).collect()
            }
            Seen::Value { of: Type::Boolean, .. } => {
                ["true", "false"].iter().map(|word| self.offer(word, OfferKind::Word, String::new(), "")).collect()
            }
            Seen::Value { of: Type::Refers(Referent::Step), key: Some(Key { name: "next", .. }), .. } => {
                let behind =
                    self.open.procedure.map(|procedure| steps_behind(procedure, u32::try_from(self.at).unwrap_or(u32::MAX)));
                self.steps(&behind.unwrap_or_default())
            }
            Seen::Value { of: Type::Refers(referent), .. } => self.referents(*referent),
            Seen::Value { of: Type::Expression | Type::Text | Type::Shell | Type::Script | Type::Json, key, .. } => {
                let credential = key.is_some_and(|key| matches!(key.name, "env" | "headers"));
                self.in_field(credential)
            }
            _ => Vec::new(),
        }
    }

    /// The keys that are not in the map yet; verbs as long as it has none.
    fn keys(&self, shape: &'static Shape, entries: &[(Scalar, Node)]) -> Vec<Offer> {
        let has = |name: &str| entries.iter().any(|(key, _)| key.value == name);
        let chosen = shape.one_of.iter().any(|key| has(key));
        let free =
            |key: &&'static Key| !(has(key.name) || chosen && shape.one_of.contains(&key.name)) && key.beside.is_none_or(has);
        let written = self.rest.trim_start_matches(is_word).trim_start().starts_with(':');
        let offer = |key: &'static Key| {
            let kind = if Verb::KEYS.contains(&key.name) && shape.what == "a step" { OfferKind::Verb } else { OfferKind::Key };
            let mut offer = self.offer(key.name, kind, key.value.describe(), key.doc);
            offer.span = self.typed(is_word);
            if !written {
                offer.insert.push_str(if key.value.is_scalar() { ": " } else { ":" });
            }
            offer
        };
        shape.keys.iter().filter(free).map(offer).collect()
    }

    /// Keys that name what is declared elsewhere.
    fn named(&self, names: Names, beside: &[(Scalar, Node)]) -> Vec<Offer> {
        let mut offers = match names {
            Names::Steps => self.referents(Referent::TestedStep),
            Names::Inputs => {
                let procedure = match text_of(beside, "call") {
                    Some(call) => self.open.around.called(call),
                    None => self.open.subject(),
                };
                let inputs = procedure.into_iter().flat_map(|procedure| &procedure.inputs);
                let offer = |(id, input): &(Spanned<Id>, Input)| {
                    let doc = input.description.as_ref().map(|text| prose::in_editor(&text.value)).unwrap_or_default();
                    self.offer(id.value.as_str(), OfferKind::Name, input.r#type.value.article().to_owned(), doc.trim_end())
                };
                inputs.map(offer).collect()
            }
            _ => Vec::new(),
        };
        offers.iter_mut().for_each(|offer| offer.insert.push_str(": "));
        offers
    }

    fn referents(&self, referent: Referent) -> Vec<Offer> {
        let catalogue = self.open.around.catalogue;
        let workspace = catalogue.workspace();
        let one = |name: &str, what: &str| self.offer(name, OfferKind::Name, what.to_owned(), "");
        match referent {
            Referent::Step | Referent::TestedStep => self.steps(&self.open.subject().map(steps_of).unwrap_or_default()),
            Referent::Procedure => {
                let newest: Vec<&Procedure> = catalogue.names().filter_map(|name| catalogue.newest(name)).collect();
                // Whatever leads back to it would be called in a circle.
                let leading = self.open.procedure.map(|own| self.leading_to(own, &newest)).unwrap_or_default();
                let newest = newest.into_iter().filter(|procedure| !leading.contains(&version_of(procedure)));
                let offer = |procedure: &Procedure| {
                    let doc = procedure.title.as_ref().map(|title| markdown::text_in_editor(&title.value)).unwrap_or_default();
                    let version = procedure.version.value;
                    let mut offer = self.offer(procedure.name.value.as_str(), OfferKind::Name, version.to_string(), &doc);
                    if self.open.test.is_none() {
                        offer.insert = format!("{}@^{}", procedure.name.value, version.major);
                    }
                    offer
                };
                newest.map(offer).collect()
            }
            Referent::Person | Referent::People | Referent::Asked => {
                let people = workspace.map(|workspace| &workspace.people);
                let persons = people.iter().flat_map(|people| people.people.keys()).map(|name| one(name, "a person"));
                let groups = people.iter().flat_map(|people| people.groups.keys()).map(|name| one(name, "a group"));
                let rotations = people.iter().flat_map(|people| people.rotations.keys()).map(|name| one(name, "a rotation"));
                let groups = groups.filter(|_| referent != Referent::Person);
                persons.chain(groups).chain(rotations.filter(|_| referent == Referent::Asked)).collect()
            }
            Referent::Channel => workspace.iter().flat_map(|w| w.channels.keys()).map(|name| one(name, "a channel")).collect(),
            Referent::Escalation => {
                workspace.iter().flat_map(|w| w.escalations.keys()).map(|name| one(name, "an escalation")).collect()
            }
            Referent::Environment => {
                workspace.iter().flat_map(|w| &w.environments).map(|e| one(&e.name, "an environment")).collect()
            }
            Referent::Provider => {
                workspace.iter().flat_map(|w| w.providers.keys()).map(|name| one(name, "a provider of secrets")).collect()
            }
            Referent::Source => {
                let declared = workspace.iter().flat_map(|w| w.sources.keys()).map(|name| one(name, "a source of events"));
                declared.chain(BUILT_IN.iter().map(|(name, what)| one(name, what))).collect()
            }
        }
    }

    fn steps(&self, steps: &[(&str, &Step)]) -> Vec<Offer> {
        let offer = |(id, step): &(&str, &Step)| {
            let name = step.name.as_ref().map(|name| markdown::text_in_editor(&name.value)).unwrap_or_default();
            self.offer(id, OfferKind::Name, step.verb.value.key().to_owned(), &name)
        };
        steps.iter().map(offer).collect()
    }

    /// Which of these, and of what they call, are a procedure or call it, themselves or through others.
    fn leading_to<'p>(&'p self, own: &Procedure, of: &[&'p Procedure]) -> BTreeSet<VersionOf<'p>> {
        let (mut callers, mut open) = (BTreeMap::<VersionOf, Vec<VersionOf>>::new(), of.to_vec());
        let mut known = BTreeSet::new();
        while let Some(procedure) = open.pop() {
            if known.insert(version_of(procedure)) {
                let called: Vec<&Procedure> =
                    calls_of(procedure).into_iter().filter_map(|call| self.open.around.called(call)).collect();
                called.iter().for_each(|called| callers.entry(version_of(called)).or_default().push(version_of(procedure)));
                open.extend(called);
            }
        }
        let mut open: Vec<VersionOf> = known.into_iter().filter(|(name, _)| *name == own.name.value.as_str()).collect();
        let mut leading = BTreeSet::new();
        while let Some(found) = open.pop() {
            if leading.insert(found) {
                open.extend(callers.get(&found).into_iter().flatten());
            }
        }
        leading
    }

    /// The names and functions of the small languages.
    fn in_field(&self, credential: bool) -> Vec<Offer> {
        let Some(procedure) = self.open.procedure else { return Vec::new() };
        let at = u32::try_from(self.at).unwrap_or(u32::MAX);
        let survey = survey(procedure, self.open.around.catalogue, &CheckOptions::default(), Some(at));
        let Some(field) = survey.field else { return Vec::new() };
        let Some(before) = field.scalar.value.split(MARK).next() else { return Vec::new() };
        let is_text = field.language == Language::Text;
        // A secret stands alone.
        let credential = credential && before.trim_start().chars().all(|c| is_word(c) || c == '.');
        if credential && before.trim_start().starts_with("secrets.") {
            return self.secrets(procedure, "", OfferKind::Member);
        }
        let secrets = if credential { self.secrets(procedure, "secrets.", OfferKind::Name) } else { Vec::new() };
        if is_text && before.rfind("{{") <= before.rfind("}}") {
            return secrets;
        }
        let written = before.len() - before.trim_end_matches(|c: char| is_word(c) || "._?[]\"".contains(c)).len();
        let path = before.get(before.len() - written..).unwrap_or_default();
        // Another value begins behind it.
        let path = path.rsplit_once("??").map_or(path, |(_, path)| path);
        let typed = Typed::new(&field, if is_text { "" } else { before });
        let mut offers: Vec<Offer> = match path.rsplit_once('.') {
            Some((path, _)) => self.members(&field, path.trim_end_matches('?'), (!is_text).then_some(&typed)),
            None => {
                let names = field.names.iter().map(|(name, of)| (name.as_str(), of));
                let own = typed.parameters.iter().rev().map(|(name, of)| (*name, of));
                own.chain(names).map(|(name, of)| self.of_type(name, OfferKind::Name, of)).collect()
            }
        };
        if !path.contains('.') {
            let helpers = helpers().filter(|_| is_text);
            offers.extend(helpers.map(|(name, usage)| self.offer(name, OfferKind::Function, usage.to_owned(), "")));
            offers.extend(secrets);
        }
        offers
    }

    fn secrets(&self, procedure: &Procedure, before: &str, kind: OfferKind) -> Vec<Offer> {
        let offer = |(id, _): &(Spanned<Id>, _)| {
            let mut offer = self.offer(&format!("{before}{}", id.value), kind, "a secret".to_owned(), "");
            offer.span = self.typed(is_word);
            offer
        };
        procedure.secrets.iter().map(offer).collect()
    }

    fn of_type(&self, name: &str, kind: OfferKind, of: &Of) -> Offer {
        let mut offer = self.offer(name, kind, of.in_words(), "");
        offer.span = self.typed(is_word);
        offer
    }

    /// The members of a path, and in an expression, the functions of what stands before the dot.
    fn members(&self, field: &Field, path: &str, expression: Option<&Typed>) -> Vec<Offer> {
        let below = format!("{path}.");
        let mut offers: Vec<Offer> = Vec::new();
        for (name, of) in &field.names {
            if let Some(member) = name.strip_prefix(&below) {
                offers.push(self.of_type(member, OfferKind::Member, of));
            }
        }
        if !offers.is_empty() {
            return offers;
        }
        let Some(of) = expression.and_then(Typed::receiver).or_else(|| type_at(field, path)) else { return offers };
        let known: BTreeMap<&str, Of> = match &of {
            Of::Map(Some(members)) => members.iter().map(|(name, of)| (name.as_str(), of.clone())).collect(),
            Of::Duration => ["seconds", "minutes", "hours", "days", "ms"].map(|name| (name, Of::Number)).into(),
            Of::Time => ["unix", "unix_ms", "date", "year", "month", "day", "hour", "minute", "weekday"]
                .map(|name| (name, if name == "date" { Of::String } else { Of::Integer }))
                .into(),
            _ => BTreeMap::new(),
        };
        offers.extend(known.iter().map(|(name, of)| self.of_type(name, OfferKind::Member, of)));
        if expression.is_some() {
            for (name, usage) in functions_of(&of).filter(|(_, usage)| usage.contains('.')) {
                let mut offer = self.offer(name, OfferKind::Function, usage.to_owned(), "");
                offer.span = self.typed(is_word);
                offer.insert = if usage.ends_with("()") { format!("{name}()") } else { format!("{name}(") };
                offers.push(offer);
            }
        }
        offers
    }
}

/// What a path of names gives.
fn type_at(field: &Field, path: &str) -> Option<Of> {
    let fits = |name: &str| path.strip_prefix(name).filter(|rest| rest.is_empty() || rest.starts_with(['.', '[', '?']));
    let (rest, of) = field.names.iter().filter_map(|(name, of)| Some((fits(name)?, of))).min_by_key(|(rest, _)| rest.len())?;
    let mut of = of.clone();
    for member in rest.split(['.', '[', ']', '?']).filter(|member| !member.is_empty()) {
        of = match of {
            Of::Map(Some(members)) => members.get(member.trim_matches('"'))?.clone(),
            Of::List(item) if member.bytes().all(|b| b.is_ascii_digit() || b == b'-') => *item,
            _ => return None,
        };
    }
    Some(of)
}
