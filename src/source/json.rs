//! Documents of one JSON array, or of the array in a member of an object, one at a time.

use std::fmt;
use std::io::Read;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::{Batches, Stop};

/// Most member names that a message lists.
const NAMES_LISTED_MAX: usize = 10;

/// Reads the array, or the one in the member `select`.
pub(super) fn read(
    input: impl Read,
    select: Option<&str>,
    batches: &mut Batches,
) -> Result<(), Stop> {
    let mut stop = None;
    let mut json = serde_json::Deserializer::from_reader(input);
    let read = match select {
        Some(member) => json.deserialize_map(Selected {
            member,
            documents: Documents { batches, stop: &mut stop },
        }),
        None => Documents { batches, stop: &mut stop }.deserialize(&mut json),
    };
    let ended = read.and_then(|()| json.end());
    match (ended, stop) {
        (_, Some(stop)) => Err(stop),
        (Err(error), None) => Err(Stop::Faulty(format!("{}: {error}", batches.name_of_next(None)))),
        (Ok(()), None) => Ok(()),
    }
}

/// The elements of an array; what stops them is left in `stop`.
struct Documents<'a> {
    batches: &'a mut Batches,
    stop: &'a mut Option<Stop>,
}

impl<'de> DeserializeSeed<'de> for Documents<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Documents<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of documents")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<(), A::Error> {
        while let Some(document) = array.next_element::<Box<RawValue>>()? {
            if let Err(stop) = self.batches.push(document.get(), None) {
                *self.stop = Some(stop);
                return Err(A::Error::custom("stopped"));
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        let mut names = Vec::new();
        while let Some((name, IgnoredAny)) = object.next_entry::<String, IgnoredAny>()? {
            names.push(name);
        }
        *self.stop = Some(Stop::Faulty(format!(
            "an object, not an array; choose one of its members with --select: {}",
            listed(&names)
        )));
        Ok(())
    }
}

/// The array in one member of an object.
struct Selected<'a> {
    member: &'a str,
    documents: Documents<'a>,
}

impl<'de> Visitor<'de> for Selected<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with the member `{}`", self.member)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        let Documents { batches, stop } = self.documents;
        let mut names = Vec::new();
        let mut found = false;
        while let Some(name) = object.next_key::<String>()? {
            if name == self.member {
                found = true;
                object.next_value_seed(Documents { batches: &mut *batches, stop: &mut *stop })?;
            } else {
                object.next_value::<IgnoredAny>()?;
                names.push(name);
            }
        }
        if !found {
            *stop = Some(Stop::Faulty(format!(
                "no member `{}`; there are: {}",
                self.member,
                listed(&names)
            )));
        }
        Ok(())
    }
}

fn listed(names: &[String]) -> String {
    let mut text = names.iter().take(NAMES_LISTED_MAX).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > NAMES_LISTED_MAX {
        text.push_str(", ...");
    }
    if names.is_empty() { "(none)".to_owned() } else { text }
}
