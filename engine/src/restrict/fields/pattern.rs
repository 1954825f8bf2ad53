//! Lists of patterns, compiled, and how far they reach at a path.
//!
//! Guarantees: exact patterns are met part by part along a tree, without looking at the path as a text; only those with a
//! `*` look at it. A name with dots inside is met as the parts between its dots.
//! Leaves to others: what it means to be met (included or excluded).

use super::{PATTERN_BYTES_MAX, PATTERNS_MAX};
use crate::error::{Error, Result};

/// A list of patterns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Patterns {
    exact: Node,
    globs: Vec<Glob>,
}

/// A step of the exact patterns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Node {
    /// A pattern ends here; then nothing follows.
    whole: bool,
    /// By name, in order.
    next: Vec<(Box<[u8]>, Node)>,
}

/// A place on the way down a document, as far as exact patterns are met; none where they are left behind.
pub(super) type At<'p> = Option<&'p Node>;

/// What a list of patterns says of a path.
pub(super) enum Reach<'p> {
    /// No pattern means it, or anything beneath it.
    Nothing,
    /// Some pattern may mean something beneath it.
    Beneath(At<'p>),
    /// A pattern means it, and so everything beneath it.
    Whole,
}

/// A pattern with `*`, as what stands between the stars.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Glob {
    first: Box<[u8]>,
    middle: Vec<Box<[u8]>>,
    last: Box<[u8]>,
}

impl Patterns {
    /// Compiles a list; malformed patterns are refused by name.
    pub(super) fn parse(list: &[&str]) -> Result<Self> {
        if let Some(pattern) = list.get(PATTERNS_MAX) {
            return Err(invalid(&format!("a list has more than {PATTERNS_MAX} patterns"), pattern));
        }
        let mut patterns = Self::default();
        for pattern in list {
            check(pattern)?;
            match Glob::parse(pattern) {
                Some(glob) if patterns.globs.contains(&glob) => {}
                Some(glob) => patterns.globs.push(glob),
                None => patterns.exact.add(pattern),
            }
        }
        Ok(patterns)
    }

    /// Whether paths must be given as texts.
    pub(super) fn reads_paths(&self) -> bool {
        !self.globs.is_empty()
    }

    /// Where every document begins.
    pub(super) fn start(&self) -> At<'_> {
        Some(&self.exact)
    }

    /// What the patterns say of a member, `path` being the whole path of it; which is empty if no pattern needs it.
    pub(super) fn step<'p>(&'p self, mut at: At<'p>, name: &[u8], path: &[u8]) -> Reach<'p> {
        for part in name.split(|byte| *byte == b'.') {
            at = at.and_then(|node| node.get(part));
            if at.is_some_and(|node| node.whole) {
                return Reach::Whole;
            }
        }
        if !self.globs.is_empty() {
            // Every field that ends with a part of the name.
            let start = path.len() - name.len();
            let dots = (start..path.len()).filter(|end| path[*end] == b'.');
            let met = |end: usize| self.globs.iter().any(|glob| glob.matches(&path[..end]));
            if dots.chain([path.len()]).any(met) {
                return Reach::Whole;
            }
            if self.globs.iter().any(|glob| glob.goes_beneath(path)) {
                return Reach::Beneath(at);
            }
        }
        if at.is_some() { Reach::Beneath(at) } else { Reach::Nothing }
    }

    /// The same for a path from the top.
    pub(super) fn reach(&self, path: &str) -> Reach<'_> {
        self.step(self.start(), path.as_bytes(), path.as_bytes())
    }
}

impl Node {
    fn add(&mut self, pattern: &str) {
        let mut node = self;
        for part in pattern.as_bytes().split(|byte| *byte == b'.') {
            if node.whole {
                return;
            }
            let place = node.next.binary_search_by(|(name, _)| (**name).cmp(part));
            let place = place.unwrap_or_else(|place| {
                node.next.insert(place, (part.into(), Self::default()));
                place
            });
            node = &mut node.next[place].1;
        }
        node.whole = true;
        node.next.clear();
    }

    fn get(&self, part: &[u8]) -> Option<&Self> {
        let place = self.next.binary_search_by(|(name, _)| (**name).cmp(part)).ok()?;
        Some(&self.next[place].1)
    }
}

impl Glob {
    /// `None` for a pattern without a star.
    fn parse(pattern: &str) -> Option<Self> {
        let (first, rest) = pattern.split_once('*')?;
        let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
        let middle = middle.split('*').filter(|part| !part.is_empty());
        Some(Self {
            first: first.as_bytes().into(),
            middle: middle.map(|part| part.as_bytes().into()).collect(),
            last: last.as_bytes().into(),
        })
    }

    fn matches(&self, path: &[u8]) -> bool {
        let rest = path.strip_prefix(&*self.first);
        let Some(mut rest) = rest.and_then(|rest| rest.strip_suffix(&*self.last)) else {
            return false;
        };
        // What stands in the middle is taken as early as it comes, which leaves most for what follows.
        for part in &self.middle {
            let Some(at) = rest.windows(part.len()).position(|window| window == &**part) else {
                return false;
            };
            rest = &rest[at + part.len()..];
        }
        true
    }

    /// Whether some path beneath this one matches: once the first star is reached, anything may follow.
    fn goes_beneath(&self, path: &[u8]) -> bool {
        match self.first.strip_prefix(path) {
            Some(rest) => rest.is_empty() || rest[0] == b'.',
            None => path.starts_with(&self.first),
        }
    }
}

fn check(pattern: &str) -> Result<()> {
    if pattern.len() > PATTERN_BYTES_MAX {
        let shown: String = pattern.chars().take(64).collect();
        let message = format!("the pattern `{shown}...` is longer than {PATTERN_BYTES_MAX} bytes");
        return Err(invalid(&message, &shown));
    }
    if pattern.split('.').any(|part| part.is_empty() || part.starts_with('$')) {
        let message = format!(
            "`{pattern}` is not the pattern of a field: it, or a part of it, is empty or begins with `$`"
        );
        return Err(invalid(&message, pattern));
    }
    Ok(())
}

fn invalid(message: &str, pattern: &str) -> Error {
    Error::invalid("invalid_field_pattern", message).with("pattern", pattern)
}
