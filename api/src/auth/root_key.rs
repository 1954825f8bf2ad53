//! The first full-access key, where nobody could do anything otherwise.

use std::sync::Arc;

use headwater_engine::value::{Object, Value};
use headwater_engine::write::Command;
use headwater_engine::{Engine, Result};

use super::document::Draft;
use super::key;

/// Makes and stores the key; gives it, to be shown once.
pub(super) async fn create(engine: &Engine) -> Result<String> {
    let new_key = key::generate(engine.clock());
    let grant: Object = [("admin".to_owned(), Value::Bool(true))].into_iter().collect();
    let draft =
        Draft { label: "root".to_owned(), ..Draft::key(engine.new_id(), Value::Object(grant)) };
    let operations = vec![draft.creation(&new_key)];
    engine.write(Command { operations, actor: Arc::from("system"), ..Command::default() }).await?;
    Ok(new_key)
}
