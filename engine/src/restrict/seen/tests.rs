//! Who sees what of which event: every pair of states, and the events that have none.

use super::*;
use crate::event::{Content, Origin, TouchedPath};
use crate::event_json;
use crate::limits::Limits;
use crate::query::{Context, Filter, Trust};
use crate::value::{self, Value, change};

fn json(text: &str) -> Vec<u8> {
    value::json::parse_value(text.as_bytes(), &Limits::default()).unwrap()
}

fn restriction(filter: Option<&str>, hidden: &[&str]) -> Visibility {
    let limits = Limits::default();
    let context = Context { limits: &limits, now_ms: 0, trust: Trust::Ordinary };
    let compile = |text: &str| Filter::parse(Raw::trusted(&json(text)), &context).unwrap();
    let hidden: Vec<String> = hidden.iter().map(|path| (*path).to_owned()).collect();
    let fields = if hidden.is_empty() { None } else { FieldRule::parse(&[], &hidden).unwrap() };
    let filter = filter.map(|filter| Arc::new(compile(filter)));
    Visibility::Restricted(Arc::new(Restriction {
        filter,
        fields: fields.map(Arc::new),
        ..Restriction::default()
    }))
}

fn asked(filter: &str) -> BodyFilter {
    BodyFilter::parse(Raw::trusted(&json(filter)), &Limits::default()).unwrap().unwrap()
}

fn event<'a>(kind: EventKind, collection: &'a str, content: Option<Content<'a>>) -> Event<'a> {
    Event {
        position: 42,
        time_ms: 1_700_000_000_123,
        kind,
        collection,
        version: 2,
        previous: 17,
        actor: "k",
        batch: 42,
        batch_end: true,
        body_bytes: 0,
        body_bytes_before: 0,
        origin: None,
        request: None,
        digest: [0; 32],
        content,
    }
}

/// An event of `docs` with its states.
struct Case {
    kind: EventKind,
    id: Vec<u8>,
    body: Vec<u8>,
    diff: change::Diff,
}

impl Case {
    fn new(kind: EventKind, body: &str) -> Self {
        let (id, body) = (Value::from("a").to_bytes(), json(body));
        Self { kind, id, body, diff: change::Diff::default() }
    }

    fn update(before: &str, after: &str) -> Self {
        let mut case = Self::new(EventKind::DocumentUpdated, after);
        case.diff = change::diff(Raw::trusted(&json(before)), Raw::trusted(&case.body));
        case
    }

    fn event(&self) -> Event<'_> {
        let changed = self.diff.changed.iter().map(|(path, before)| TouchedPath {
            path,
            before: before.as_deref().unwrap_or_default(),
        });
        let removed = self.diff.removed.iter().map(|(path, before)| TouchedPath { path, before });
        let content = Content {
            id: &self.id,
            body: &self.body,
            changed: changed.collect(),
            removed: removed.collect(),
            before: self.diff.before.as_deref().unwrap_or_default(),
        };
        event(self.kind, "docs", Some(content))
    }

    fn judged(&self, visibility: &Visibility, filter: Option<&BodyFilter>) -> Seen {
        judge(&self.event(), visibility, filter)
    }

    fn shown(&self, visibility: &Visibility) -> String {
        let event = self.event();
        let seen = judge(&event, visibility, None);
        let mut out = Vec::new();
        event_json::write_seen(&event, &seen, None, &mut out, value::json::write);
        String::from_utf8(out).unwrap()
    }
}

const HERS: &str = r#"{"owner":"ann"}"#;

/// Visible or not, and with what was asked for or not.
const STATES: [(bool, bool, &str); 4] = [
    (true, true, r#"{"_id":"a","owner":"ann","n":1}"#),
    (true, false, r#"{"_id":"a","owner":"ann","n":2}"#),
    (false, true, r#"{"_id":"a","owner":"bob","n":1}"#),
    (false, false, r#"{"_id":"a","owner":"bob","n":2}"#),
];

#[test]
fn an_update_is_judged_by_the_states_that_are_visible() {
    let (ann, wanted) = (restriction(Some(HERS), &[]), asked(r#"{"n":1}"#));
    for (visible_before, matches_before, before) in STATES {
        for (visible_after, matches_after, after) in STATES {
            let update = Case::update(before, after);
            for filter in [None, Some(&wanted)] {
                let before_holds = visible_before && (matches_before || filter.is_none());
                let after_holds = visible_after && (matches_after || filter.is_none());
                let expected = match (visible_after, before_holds || after_holds) {
                    (true, true) => Seen::Whole,
                    (false, true) => Seen::Gone,
                    (_, false) => Seen::Nothing,
                };
                let judged = update.judged(&ann, filter);
                assert_eq!(judged, expected, "{before} {after} {filter:?}");
            }
        }
    }
}

#[test]
fn creations_and_deletions_are_judged_by_their_one_state() {
    let (ann, wanted) = (restriction(Some(HERS), &[]), asked(r#"{"n":1}"#));
    for kind in [EventKind::DocumentCreated, EventKind::DocumentDeleted] {
        for (visible, matches, state) in STATES {
            let case = Case::new(kind, state);
            let expected = |seen| if seen { Seen::Whole } else { Seen::Nothing };
            assert_eq!(case.judged(&ann, None), expected(visible), "{state}");
            assert_eq!(case.judged(&ann, Some(&wanted)), expected(visible && matches), "{state}");
        }
    }
}

#[test]
fn a_restriction_or_a_filter_that_fails_on_a_state_does_not_admit_it() {
    let fails = r#"{"$expr":{"$divide":["$n",0]}}"#;
    let state = r#"{"_id":"a","owner":"ann","n":1}"#;
    let created = Case::new(EventKind::DocumentCreated, state);
    assert_eq!(created.judged(&restriction(Some(fails), &[]), None), Seen::Nothing);
    assert_eq!(created.judged(&restriction(Some(HERS), &[]), Some(&asked(fails))), Seen::Nothing);
}

#[test]
fn what_has_no_state_cannot_be_judged() {
    let (ann, fields) = (restriction(Some(HERS), &[]), restriction(None, &["secret"]));
    let wanted = asked(r#"{"n":{"$ne":1}}"#);
    for kind in [EventKind::DocumentCreated, EventKind::DocumentUpdated, EventKind::DocumentDeleted]
    {
        let erased = event(kind, "docs", None);
        assert_eq!(judge(&erased, &ann, None), Seen::Nothing);
        assert_eq!(judge(&erased, &fields, Some(&wanted)), Seen::Nothing);
        assert!(matches!(judge(&erased, &fields, None), Seen::Cut(_)));
        assert_eq!(judge(&erased, &Visibility::Everything, None), Seen::Whole);
    }
    let erasure = event(EventKind::DocumentErased, "docs", None);
    assert_eq!(judge(&erasure, &ann, None), Seen::Nothing);
    assert_eq!(judge(&erasure, &fields, Some(&wanted)), Seen::Nothing);
    assert_eq!(judge(&erasure, &fields, None), Seen::Whole);
}

#[test]
fn events_of_no_document_are_seen_by_those_who_see_everything() {
    let body = json(r#"{"event":"e","data":1,"n":1}"#);
    let content =
        || Some(Content { id: &[], body: &body, changed: vec![], removed: vec![], before: &[] });
    let nothing_hidden = restriction(None, &[]);
    let outside = [
        event(EventKind::EventPublished, "", content()),
        event(EventKind::WebhookDisabled, "_webhooks", content()),
        event(EventKind::RequestRecorded, "", None),
    ];
    for event in outside {
        assert_eq!(judge(&event, &nothing_hidden, None), Seen::Nothing, "{:?}", event.kind);
        assert_eq!(judge(&event, &Visibility::Nothing, None), Seen::Nothing);
        assert_eq!(judge(&event, &Visibility::Everything, None), Seen::Whole);
    }
    let custom = event(EventKind::EventPublished, "", content());
    let (one, two) = (asked(r#"{"data":1}"#), asked(r#"{"data":2}"#));
    assert_eq!(judge(&custom, &Visibility::Everything, Some(&one)), Seen::Whole);
    assert_eq!(judge(&custom, &Visibility::Everything, Some(&two)), Seen::Nothing);
}

#[test]
fn a_document_that_left_says_its_id_and_nothing_else() {
    let update =
        Case::update(r#"{"_id":"a","owner":"ann","n":1}"#, r#"{"_id":"a","owner":"bob","n":2}"#);
    let ann = restriction(Some(HERS), &["secret"]);
    assert_eq!(
        update.shown(&ann),
        r#"{"position":42,"kind":"document.hidden","collection":"docs","id":"a"}"#
    );
    assert_eq!(Seen::Gone.kind(&update.event()), "document.hidden");
    assert_eq!(Seen::Whole.kind(&update.event()), "document.updated");
    assert_eq!(update.shown(&Visibility::Nothing), "");
}

#[test]
fn hidden_fields_are_neither_shown_nor_named_nor_looked_at() {
    let hides = restriction(Some(r#"{"secret":{"$gt":0}}"#), &["secret", "deep.secret"]);
    let before = r#"{"_id":"a","secret":1,"old":1,"deep":{"secret":1,"n":1},"gone":{"n":1}}"#;
    let after = r#"{"_id":"a","secret":2,"deep":{"secret":2,"n":2}}"#;
    let update = Case::update(before, after);
    // The restriction itself looks at them; who is restricted does not.
    let shown = update.shown(&hides);
    let tail =
        r#""document":{"_id":"a","deep":{"n":2}},"changed":["deep.n"],"removed":["old","gone"]}"#;
    assert!(shown.ends_with(tail), "{shown}");
    for filter in [r#"{"secret":2}"#, r#"{"secret":1}"#, r#"{"deep.secret":{"$exists":true}}"#] {
        assert_eq!(update.judged(&hides, Some(&asked(filter))), Seen::Nothing, "{filter}");
    }
    let filter = asked(r#"{"secret":{"$exists":false},"deep.n":1}"#);
    assert!(matches!(update.judged(&hides, Some(&filter)), Seen::Cut(_)));
    let everything = update.shown(&Visibility::Everything);
    assert!(everything.contains(r#""secret":2"#) && everything.contains(r#""deep.secret""#));
}

/// An event of a document that `ann` made and `k` changes.
fn of_ann<'a>(case: &'a Case, created_by: &'a str) -> Event<'a> {
    let origin = Origin { created_ms: 1, created_by };
    let origin = (case.kind != EventKind::DocumentCreated).then_some(origin);
    Event { origin, ..case.event() }
}

#[test]
fn who_sees_only_its_own_sees_what_it_made_whoever_changes_it() {
    let made_by = |actor: &str| {
        let made_by = Some(Arc::from(actor));
        Visibility::Restricted(Arc::new(Restriction { made_by, ..Restriction::default() }))
    };
    let cases = [
        Case::update(r#"{"n":1}"#, r#"{"n":2}"#),
        Case::new(EventKind::DocumentDeleted, r#"{"n":1}"#),
    ];
    for case in &cases {
        let event = of_ann(case, "ann");
        assert_eq!(judge(&event, &made_by("ann"), None), Seen::Whole);
        for other in ["k", "ben", ""] {
            assert_eq!(judge(&event, &made_by(other), None), Seen::Nothing, "{other}");
            assert_eq!(judge(&event, &made_by(other), Some(&asked(r#"{"n":1}"#))), Seen::Nothing);
        }
        assert_eq!(judge(&Event { origin: None, ..event }, &made_by("ann"), None), Seen::Nothing);
        // Erased, the event still says who made the document.
        let erased = Event { content: None, ..of_ann(case, "ann") };
        assert_eq!(judge(&erased, &made_by("ann"), None), Seen::Whole);
        assert_eq!(judge(&erased, &made_by("k"), None), Seen::Nothing);
        let filtered = Some(asked(r#"{"n":1}"#));
        assert_eq!(judge(&erased, &made_by("ann"), filtered.as_ref()), Seen::Nothing);
        // Of nobody's documents nobody is the maker.
        assert_eq!(judge(&of_ann(case, ""), &made_by(""), None), Seen::Nothing);
    }
    let created = Case::new(EventKind::DocumentCreated, r#"{"n":1}"#);
    assert_eq!(judge(&created.event(), &made_by("k"), None), Seen::Whole);
    assert_eq!(judge(&created.event(), &made_by("ann"), None), Seen::Nothing);
    let end = event(EventKind::DocumentErased, "docs", None);
    assert_eq!(judge(&end, &made_by("k"), None), Seen::Nothing, "it does not say who made it");
}
