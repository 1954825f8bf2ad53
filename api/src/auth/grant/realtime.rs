//! Realtime: the events that are heard and the custom events that are published where a list says so, whatever paths,
//! methods and actions say. A grant has such a list in `realtime`, the record of a user in `data.realtime`.
//!
//! Guarantees: what is not listed is neither heard nor published. Of a grant, malformed entries are refused by name; of a
//! user's record, they allow nothing.
//! Leaves to others: what of the documents is shown (`rules`).

use std::collections::BTreeSet;

use headwater_engine::Result;
use headwater_engine::value::{Object, Raw, Value};

use super::reader::Reader;
use crate::auth::action::Action;

const MEMBER: &str = "realtime";
const ENTRIES_MAX: usize = 100;
const NAME_BYTES_MAX: usize = 255;
const ANY: &str = "*";

/// What happens to a document, in the words of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    /// It is made.
    Post,
    /// It is changed.
    Put,
    /// It is deleted, or leaves the caller's sight.
    Delete,
}

/// A list, checked.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct List {
    entries: Vec<Entry>,
    /// Whether it stands for paths and methods alone, and the rest of the grant says what is heard.
    is_flag: bool,
}

#[derive(Clone, Debug, PartialEq)]
enum Entry {
    /// Something that happens to documents (`None`: anything) of a collection (`None`: any).
    Documents(Option<Method>, Option<String>),
    /// Custom events of a name; `None`: any.
    Custom(Option<String>),
}

impl Entry {
    /// What a text names.
    fn read(text: &str) -> Option<Vec<Self>> {
        if text == ANY {
            return Some(everything());
        }
        let Some((method, collection)) = text.split_once(':') else {
            let fits = (1..=NAME_BYTES_MAX).contains(&text.len());
            return fits.then(|| vec![Self::Custom(Some(text.to_owned()))]);
        };
        let method = match method.to_ascii_uppercase().as_str() {
            "POST" => Some(Method::Post),
            "PUT" | "PATCH" => Some(Method::Put),
            "DELETE" => Some(Method::Delete),
            ANY => None,
            _ => return None,
        };
        let collection = match collection {
            ANY => None,
            name if crate::collection_name::is_user_collection(name) => Some(name.to_owned()),
            _ => return None,
        };
        Some(vec![Self::Documents(method, collection)])
    }
}

/// Entries that name all there is.
fn everything() -> Vec<Entry> {
    vec![Entry::Documents(None, None), Entry::Custom(None)]
}

/// The lists that are in force; each of them has to name an event.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Realtime {
    heard: Vec<List>,
    published: Vec<List>,
    /// Whether documents are heard because they are listed. Users, and their keys, hear what they may follow; `true` lists nothing.
    gives_documents: bool,
    /// Whether custom events are heard and published because they are listed.
    gives_custom: bool,
}

impl List {
    /// Reads `realtime`: true, false, or a list of `METHOD:COLLECTION`, `*` and names of custom events.
    pub(super) fn parse(reader: Reader, value: Raw<'_>) -> Result<Self> {
        match value.as_bool() {
            Some(true) => return Ok(Self { entries: everything(), is_flag: true }),
            Some(false) => return Ok(Self::default()),
            None => {}
        }
        if value.as_array().is_none() {
            return Err(reader.refuse(MEMBER, "must be true, false or a list of texts"));
        }
        let mut list = Self::default();
        for text in reader.texts(MEMBER, value, ENTRIES_MAX)? {
            let what = "which is no `METHOD:COLLECTION` with POST, PUT, DELETE or *, and no name of an event";
            let read = Entry::read(text).ok_or_else(|| reader.entry(MEMBER, text, what))?;
            list.entries.extend(read);
        }
        Ok(list)
    }

    /// A list of a user's record.
    fn of_record(value: Option<&Value>) -> Self {
        let entries = value.and_then(Value::as_array).unwrap_or_default();
        let texts = entries.iter().take(ENTRIES_MAX).filter_map(Value::as_str);
        Self { entries: texts.filter_map(Entry::read).flatten().collect(), is_flag: false }
    }

    fn names(&self, happened: Method, collection: &str) -> bool {
        self.entries.iter().any(|entry| match entry {
            Entry::Documents(method, of) => {
                method.is_none_or(|method| method == happened)
                    && of.as_ref().is_none_or(|of| of == collection)
            }
            Entry::Custom(_) => false,
        })
    }

    fn names_custom(&self, name: &str) -> bool {
        let named = |of: &Option<String>| of.as_ref().is_none_or(|of| of == name);
        self.entries.iter().any(|entry| matches!(entry, Entry::Custom(of) if named(of)))
    }

    fn has_custom(&self) -> bool {
        self.entries.iter().any(|entry| matches!(entry, Entry::Custom(_)))
    }
}

impl Realtime {
    /// The lists of a grant and of the user's `data`; `None` where there is none, so that the rest of the grant decides.
    pub(super) fn of(own: Option<&List>, is_users: bool, data: Option<&Object>) -> Option<Self> {
        let record = match data.and_then(|data| data.get(MEMBER)) {
            Some(Value::Object(record))
                if record.get("sub").is_some() || record.get("pub").is_some() =>
            {
                Some((List::of_record(record.get("sub")), List::of_record(record.get("pub"))))
            }
            Some(Value::Bool(false)) => Some((List::default(), List::default())),
            _ => None,
        };
        if own.is_none() && record.is_none() {
            return None;
        }
        let gives_own = !is_users && own.is_some_and(|own| !own.is_flag);
        // A key of a user has what its own list names, never more than the user's.
        let gives_record = record.is_some() && (!is_users || own.is_some_and(|own| !own.is_flag));
        let (gives_documents, gives_custom) = (gives_own, gives_own || gives_record);
        let own = own.map(|own| (own.clone(), own.clone()));
        let (heard, published) = own.into_iter().chain(record).unzip();
        Some(Self { heard, published, gives_documents, gives_custom })
    }

    /// Whether documents are heard because they are listed.
    pub(super) fn gives_documents(&self) -> bool {
        self.gives_documents
    }

    /// Whether custom events are heard and published because they are listed.
    pub(super) fn gives_custom(&self) -> bool {
        self.gives_custom
    }

    /// Whether something of an action is open because it is listed.
    pub(super) fn gives(&self, action: Action) -> bool {
        let lists = if action == Action::Publish { &self.published } else { &self.heard };
        self.gives_custom && lists.iter().all(List::has_custom)
            || self.gives_documents && action != Action::Publish
    }

    /// Whether something of an action may be listed: hearing (`subscribe`) or publishing.
    pub(super) fn opens(&self, action: Action) -> bool {
        match action {
            Action::Publish => self.published.iter().all(List::has_custom),
            _ => self.heard.iter().all(|list| !list.entries.is_empty()),
        }
    }

    /// Whether something that happens to documents of a collection is listed.
    pub(super) fn hears(&self, happened: Method, collection: &str) -> bool {
        self.heard.iter().all(|list| list.names(happened, collection))
    }

    /// Whether hearing or publishing custom events of a name is listed.
    pub(super) fn names_custom(&self, name: &str, action: Action) -> bool {
        let lists = if action == Action::Publish { &self.published } else { &self.heard };
        lists.iter().all(|list| list.names_custom(name))
    }

    /// The collections beyond which nothing is heard; `None` where any may be.
    pub(super) fn collections(&self) -> Option<BTreeSet<&str>> {
        self.heard.iter().find_map(|list| {
            let of_documents = list.entries.iter().filter_map(|entry| match entry {
                Entry::Documents(_, of) => Some(of.as_deref()),
                Entry::Custom(_) => None,
            });
            of_documents.collect()
        })
    }
}
