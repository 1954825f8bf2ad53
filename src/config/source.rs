//! Where settings come from: a documented default file, a file, the environment; each as a figment provider.
//!
//! Guarantees: a duration or size written as text becomes the number its key asks for (`_seconds`, `_ms`, `_bytes`),
//! whatever the source; variables without `__` are none of our business.

use std::collections::BTreeMap;

use figment::value::{Dict, Map, Num, Value};
use figment::{Metadata, Profile, Provider};

use super::{Flags, quantity};

/// The prefix of every variable.
const PREFIX: &str = "HEADWATER_";
/// Keys whose values are text, whatever they look like.
const SECRETS: [&str; 2] = ["root_key", "operator_key"];

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
            // A key of digits is a text, too.
            let value = match SECRETS.contains(&&*key.to_lowercase()) {
                true => Value::from(text.as_str()),
                false => text.parse::<Value>().unwrap_or_else(|never| match never {}),
            };
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

/// Settings with names of their own: the variables without a section, and the flags.
pub(super) struct Overrides {
    name: &'static str,
    server: Dict,
}

impl Overrides {
    /// The variables without a section.
    pub(super) fn of_environment(variables: &BTreeMap<String, String>) -> Self {
        let names = [
            ("data", "HEADWATER_DATA"),
            ("listen", "HEADWATER_LISTEN"),
            ("root_key", "HEADWATER_ROOT_KEY"),
        ];
        let server = names
            .into_iter()
            .filter_map(|(key, name)| Some((key, variables.get(name)?)))
            .filter(|(_, text)| !text.is_empty())
            .map(|(key, text)| (key.to_owned(), Value::from(text.as_str())))
            .collect();
        Self { name: "environment (HEADWATER_DATA, _LISTEN, _ROOT_KEY)", server }
    }

    /// The flags.
    pub(super) fn of_flags(flags: &Flags) -> Self {
        let data = flags.data.as_ref().map(|path| Value::from(path.to_string_lossy().as_ref()));
        let settings = [
            ("data", data),
            ("listen", flags.listen.as_deref().map(Value::from)),
            ("root_key", flags.root_key.as_ref().map(|key| Value::from(key.expose()))),
            ("allow_plain_http", flags.allow_plain_http.then(|| Value::from(true))),
        ];
        let server = settings
            .into_iter()
            .filter_map(|(key, value)| Some((key.to_owned(), value?)))
            .collect();
        Self { name: "flags", server }
    }
}

impl Provider for Overrides {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name)
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let settings = Dict::from([("server".to_owned(), Value::from(self.server.clone()))]);
        Ok(Map::from([(Profile::Default, settings)]))
    }
}
