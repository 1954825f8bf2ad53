//! Taking the hidden part out of a document, and finding the first of it.
//!
//! Guarantees: works on encoded bytes; what is shown as a whole is copied as a whole. Arrays are looked through: their
//! elements stand at the array's own path, so that an element that is not shown is left out and the next moves up.
//! An object or array that is itself shown stays although nothing in it may be left (`{}`); one that is not, and is there
//! only for what it holds, is left out with the last of it.
//! Recursion goes no deeper than the document.

use super::pattern::{At, Reach};
use super::{FieldRule, ID};
use crate::value::token::{Cursor, Token};
use crate::value::{Raw, encode};

/// What is known of a place in a document that is shown in part.
#[derive(Clone, Copy)]
pub(super) struct Place<'r> {
    /// Where the patterns of what is shown stand; `None`: what is here is shown.
    include: Option<At<'r>>,
    /// Where the patterns of what is hidden stand; `None`: nothing is hidden from here on.
    exclude: Option<At<'r>>,
}

impl Place<'_> {
    /// Whether what is here is shown, but for what is hidden beneath it.
    pub(super) fn is_included(self) -> bool {
        self.include.is_none()
    }
}

/// How much of a member is shown.
pub(super) enum Sight<'r> {
    Hidden,
    Shown,
    Partly(Place<'r>),
}

/// The path of the member that is looked at, kept only where somebody reads it; with a dot before each name.
pub(super) struct Trail {
    dotted: Vec<u8>,
    kept: bool,
}

impl Trail {
    pub(super) fn new(kept: bool) -> Self {
        Self { dotted: Vec::new(), kept }
    }

    /// Goes down to a member; what comes back is for [`Trail::back`].
    pub(super) fn enter(&mut self, name: &[u8]) -> usize {
        let before = self.dotted.len();
        if self.kept {
            self.dotted.push(b'.');
            self.dotted.extend_from_slice(name);
        }
        before
    }

    pub(super) fn back(&mut self, to: usize) {
        self.dotted.truncate(to);
    }

    fn path(&self) -> &[u8] {
        self.dotted.get(1..).unwrap_or_default()
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(self.path()).into_owned()
    }
}

impl FieldRule {
    pub(super) fn top(&self) -> Place<'_> {
        Place {
            include: self.include.as_ref().map(|patterns| patterns.start()),
            exclude: self.exclude.as_ref().map(|patterns| patterns.start()),
        }
    }

    pub(super) fn trail(&self) -> Trail {
        let lists = [&self.include, &self.exclude];
        Trail::new(lists.into_iter().flatten().any(|patterns| patterns.reads_paths()))
    }

    /// How much of a member is shown; the trail has entered it.
    pub(super) fn step<'r>(&'r self, place: Place<'r>, name: &[u8], trail: &Trail) -> Sight<'r> {
        let mut beneath = Place { include: None, exclude: None };
        if let (Some(at), Some(patterns)) = (place.exclude, &self.exclude) {
            match patterns.step(at, name, trail.path()) {
                Reach::Whole => return Sight::Hidden,
                Reach::Nothing => {}
                Reach::Beneath(at) => beneath.exclude = Some(at),
            }
        }
        if let (Some(at), Some(patterns)) = (place.include, &self.include) {
            match patterns.step(at, name, trail.path()) {
                Reach::Nothing => return Sight::Hidden,
                Reach::Whole => {}
                Reach::Beneath(at) => beneath.include = Some(at),
            }
        }
        match beneath {
            Place { include: None, exclude: None } => Sight::Shown,
            beneath => Sight::Partly(beneath),
        }
    }

    pub(super) fn cut_document(&self, document: Raw<'_>) -> Vec<u8> {
        let mut cursor = Cursor::new(document.as_bytes());
        let Some(Token::Object(len)) = cursor.next_token() else {
            // Documents are objects; nothing else has fields that could be shown.
            return Raw::NULL.as_bytes().to_vec();
        };
        let mut out = Vec::with_capacity(document.as_bytes().len());
        self.cut_members(&mut cursor, len, self.top(), true, &mut self.trail(), &mut out);
        out
    }

    /// The shown part of a value that is shown in part; whether there is any.
    pub(super) fn cut_value(
        &self,
        value: Raw<'_>,
        place: Place<'_>,
        trail: &mut Trail,
        out: &mut Vec<u8>,
    ) -> bool {
        let start = out.len();
        let mut cursor = Cursor::new(value.as_bytes());
        let left = match cursor.next_token() {
            Some(Token::Object(len)) => {
                self.cut_members(&mut cursor, len, place, false, trail, out)
            }
            Some(Token::Array(len)) => {
                let header = encode::open(out);
                let mut left = 0;
                for _ in 0..len {
                    let Some(element) = cursor.skip() else { break };
                    left += usize::from(self.cut_value(Raw::trusted(element), place, trail, out));
                }
                encode::close_array(header, left, out);
                left
            }
            _ => {
                if place.is_included() {
                    out.extend_from_slice(value.as_bytes());
                }
                return place.is_included();
            }
        };
        let stays = left > 0 || place.is_included();
        if !stays {
            out.truncate(start);
        }
        stays
    }

    /// Writes an object of the members that are shown; how many those are.
    fn cut_members(
        &self,
        cursor: &mut Cursor<'_>,
        len: usize,
        place: Place<'_>,
        top: bool,
        trail: &mut Trail,
        out: &mut Vec<u8>,
    ) -> usize {
        let header = encode::open(out);
        let mut left = 0;
        for _ in 0..len {
            let before = cursor.rest();
            let Some(name) = cursor.name() else { break };
            let head = &before[..before.len() - cursor.rest().len()];
            let Some(value) = cursor.skip() else { break };
            if top && name == ID {
                out.extend_from_slice(head);
                out.extend_from_slice(value);
                left += 1;
                continue;
            }
            let up = trail.enter(name);
            let stays = match self.step(place, name, trail) {
                Sight::Hidden => false,
                Sight::Shown => {
                    out.extend_from_slice(head);
                    out.extend_from_slice(value);
                    true
                }
                Sight::Partly(beneath) => {
                    let start = out.len();
                    out.extend_from_slice(head);
                    let stays = self.cut_value(Raw::trusted(value), beneath, trail, out);
                    if !stays {
                        out.truncate(start);
                    }
                    stays
                }
            };
            left += usize::from(stays);
            trail.back(up);
        }
        encode::close_object(header, left, out);
        left
    }

    pub(super) fn first_hidden_of(&self, document: Raw<'_>) -> Option<String> {
        // The path is wanted in the end whatever the patterns are.
        self.hidden_member(document, self.top(), true, &mut Trail::new(true))
    }

    fn hidden_member(
        &self,
        object: Raw<'_>,
        place: Place<'_>,
        top: bool,
        trail: &mut Trail,
    ) -> Option<String> {
        let mut members = object.object_iter();
        while let Some((name, value)) = members.next_bytes() {
            if top && name == ID {
                continue;
            }
            let up = trail.enter(name);
            let hidden = match self.step(place, name, trail) {
                Sight::Hidden => Some(trail.text()),
                Sight::Shown => None,
                Sight::Partly(beneath) => self.hidden_value(value, beneath, trail),
            };
            if hidden.is_some() {
                return hidden;
            }
            trail.back(up);
        }
        None
    }

    fn hidden_value(&self, value: Raw<'_>, place: Place<'_>, trail: &mut Trail) -> Option<String> {
        let none_left = match value.token() {
            Token::Object(len) => match self.hidden_member(value, place, false, trail) {
                None => len == 0,
                hidden => return hidden,
            },
            Token::Array(len) => {
                let mut elements = value.array_iter();
                match elements.find_map(|element| self.hidden_value(element, place, trail)) {
                    None => len == 0,
                    hidden => return hidden,
                }
            }
            _ => true,
        };
        (none_left && !place.is_included()).then(|| trail.text())
    }
}
