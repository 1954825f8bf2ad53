//! What the planner may go by: the conditions of a caller, and those of the restriction that it is under.
//!
//! Guarantees: the caller's conditions and its sort speak of documents without the hidden fields, so they go only through
//! indexes that say of the stored documents what they would say of the shown ones: every path of theirs is shown with
//! everything beneath, and not one under which something is added. The restriction's own conditions speak of the stored documents and go through any index. Where no
//! field is hidden, both go together.

use std::borrow::Cow;

use super::super::filter::{Filter, Node};
use super::Query;
use crate::index::IndexKind;
use crate::query::Sort;
use crate::restrict::{FieldRule, Metadata};
use crate::value::path::{Path, PathPart};

/// The conditions of a query.
pub(super) struct Conditions<'a> {
    /// What the caller asks for.
    asked: Cow<'a, Filter>,
    /// What the restriction admits; `None`: everything.
    own: Option<Cow<'a, Filter>>,
    /// Both together, where there are two.
    both: Option<Filter>,
    rule: Option<&'a FieldRule>,
    metadata: Option<&'a Metadata>,
    pub(super) sort: Option<&'a Sort>,
    pub(super) limit: usize,
}

impl<'a> Conditions<'a> {
    pub(super) fn of(query: &Query<'a>, sort: Option<&'a Sort>) -> Self {
        let (asked, own) = (Cow::Borrowed(query.filter), query.own().map(Cow::Borrowed));
        let rule = query.restriction.and_then(|restriction| restriction.fields.as_deref());
        let metadata = query.restriction.and_then(|restriction| restriction.metadata.as_deref());
        let both = both(&asked, own.as_deref());
        Self { both, asked, own, rule, metadata, sort, limit: query.limit }
    }

    /// All of them; for what no rule hides.
    pub(super) fn all(&self) -> &Filter {
        self.both.as_ref().unwrap_or(&self.asked)
    }

    /// Those that hold of the stored documents.
    fn stored(&self) -> Option<&Filter> {
        if self.is_whole() { Some(self.all()) } else { self.own.as_deref() }
    }

    /// Whether documents are seen as they are stored.
    fn is_whole(&self) -> bool {
        self.rule.is_none() && self.metadata.is_none()
    }

    /// Whether a path with everything beneath is seen as it is stored.
    fn is_stored(&self, path: &str) -> bool {
        self.rule.is_none_or(|rule| rule.shows_all_of(path))
            && self.metadata.is_none_or(|metadata| !metadata.names(path))
    }

    /// Those that may imply the filter of a partial index; `None`: none.
    ///
    /// What is missing counts in a filter (null), so that the top of each path must be shown: what leads to a shown field
    /// may be gone with its other fields.
    pub(super) fn for_partial(&self, partial: &Filter) -> Option<&Filter> {
        let shown =
            || fields(partial.root()).all(|field| field.is_some_and(|field| self.is_stored(field)));
        if self.is_whole() || shown() { Some(self.all()) } else { self.own.as_deref() }
    }

    /// Those that may go through the keys of an index, and the sort, if it may.
    pub(super) fn for_keys(&self, kind: &IndexKind) -> Option<(&Filter, Option<&'a Sort>)> {
        let all = |paths: &[Path]| {
            // `$**` stands for every field.
            paths.iter().all(|path| path.as_str() != "$**" && self.is_stored(path.as_str()))
        };
        let visible = || match kind {
            IndexKind::Ordered(pattern) => {
                pattern.fields().iter().all(|field| self.is_stored(field.path.as_str()))
            }
            IndexKind::Text(paths) => all(paths),
            IndexKind::Point(path) => self.is_stored(path.as_str()),
        };
        if self.is_whole() || visible() {
            return Some((self.all(), self.sort));
        }
        self.stored().map(|stored| (stored, None))
    }

    /// The same for each branch of an `$or`, for each of those that there are.
    pub(super) fn branches(&self) -> impl Iterator<Item = Vec<Self>> {
        let with = |asked: Cow<'a, Filter>, own: Option<Cow<'a, Filter>>| Self {
            both: both(&asked, own.as_deref()),
            asked,
            own,
            rule: self.rule,
            metadata: self.metadata,
            sort: None,
            limit: self.limit,
        };
        let asked = self.asked.branches().map(move |branches| {
            let each = |branch| with(Cow::Owned(branch), self.own.clone());
            branches.into_iter().map(each).collect()
        });
        let own = self.own.iter().flat_map(|own| own.branches()).map(move |branches| {
            let each = |branch| with(self.asked.clone(), Some(Cow::Owned(branch)));
            branches.into_iter().map(each).collect()
        });
        asked.chain(own)
    }
}

fn both(asked: &Filter, own: Option<&Filter>) -> Option<Filter> {
    own.map(|own| Filter::all_of(&[asked, own]))
}

/// The field at the top of a document that each plain condition of a filter looks at; `None` for other conditions.
fn fields(node: &Node) -> impl Iterator<Item = Option<&str>> {
    let nodes =
        if let Node::And(nodes) = node { nodes.as_slice() } else { std::slice::from_ref(node) };
    nodes.iter().map(|node| match node {
        Node::Field { path, .. } => path.parts().first().map(PathPart::name),
        _ => None,
    })
}
