//! The values that `distinct` sees at a path: elements of an array one by one, through arrays of documents.

use crate::error::Result;
use crate::value::path::PathPart;
use crate::value::{Raw, ValueKind};

/// Calls `each` with every value at the path.
pub(crate) fn each_value(
    at: Raw<'_>,
    parts: &[PathPart],
    each: &mut dyn FnMut(Raw<'_>) -> Result<()>,
) -> Result<()> {
    let Some((part, rest)) = parts.split_first() else {
        let Some(mut elements) = at.as_array() else { return each(at) };
        return elements.try_for_each(each);
    };
    if let Some(elements) = at.as_array() {
        if let Some(element) = part.index().and_then(|index| at.at(index)) {
            each_value(element, rest, each)?;
        }
        return elements
            .filter(|element| element.kind() == ValueKind::Object)
            .try_for_each(|element| each_value(element, parts, each));
    }
    match at.get(part.name()) {
        Some(value) => each_value(value, rest, each),
        None => Ok(()),
    }
}
