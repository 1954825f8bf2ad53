//! Where settings come from: a documented default file, a file, the environment; each as a figment provider.
//!
//! Guarantees: a duration or size written as text becomes the number its key asks for (`_seconds`, `_ms`, `_bytes`),
//! whatever the source; variables without `__` are none of our business.

use std::collections::BTreeMap;

use figment::value::{Dict, Map, Num, Value};
use figment::{Metadata, Profile, Provider};

use super::quantity;

/// The prefix of every variable.
const PREFIX: &str = "HEADWATER_";

/// Settings named `HEADWATER_<SECTION>__<KEY>` among `variables`.
pub(super) struct Environment<'a> {
    /// Every variable that may hold a setting.
    pub(super) variables: &'a BTreeMap<String, String>,
}

impl Provider for Environment<'_> {
    fn metadata(&self) -> Metadata {
        Metadata::named("environment").interpolater(|_, path| {
            let name = path.iter().map(|part| part.to_uppercase()).collect::<Vec<_>>().join("__");
            format!("{PREFIX}{name}")
        })
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let mut settings = Dict::new();
        for (name, text) in self.variables {
            let Some((section, key)) =
                name.strip_prefix(PREFIX).and_then(|rest| rest.split_once("__"))
            else {
                continue;
            };
            let value = text.parse::<Value>().unwrap_or_else(|never| match never {});
            let entry =
                settings.entry(section.to_lowercase()).or_insert_with(|| Value::from(Dict::new()));
            if let Value::Dict(_, members) = entry {
                members.insert(key.to_lowercase(), value);
            }
        }
        Ok(Map::from([(Profile::Default, settings)]))
    }
}

/// A provider whose durations and sizes may be text.
pub(super) struct Readable<P>(pub(super) P);

impl<P: Provider> Provider for Readable<P> {
    fn metadata(&self) -> Metadata {
        self.0.metadata()
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let mut data = self.0.data()?;
        for settings in data.values_mut() {
            read_quantities(settings);
        }
        Ok(data)
    }
}

/// Replaces text by the number that the key's unit asks for; what can't be read stays, and is refused by its type.
fn read_quantities(settings: &mut Dict) {
    for (key, value) in settings.iter_mut() {
        match value {
            Value::Dict(_, members) => read_quantities(members),
            Value::String(tag, text) => {
                if let Some(number) = quantity_of(key, text) {
                    *value = Value::Num(*tag, Num::U64(number));
                }
            }
            _ => {}
        }
    }
}

fn quantity_of(key: &str, text: &str) -> Option<u64> {
    if key.ends_with("_seconds") {
        let duration = quantity::duration(text).ok()?;
        (duration.subsec_millis() == 0).then_some(duration.as_secs())
    } else if key.ends_with("_ms") {
        u64::try_from(quantity::duration(text).ok()?.as_millis()).ok()
    } else if key.ends_with("_bytes") || key == "disk_reserve" {
        quantity::size(text).ok()
    } else {
        None
    }
}
