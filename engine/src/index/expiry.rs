//! Expiry: documents whose date under an index with `expire_after_seconds` is past are deleted, by ordinary events.
//!
//! Guarantees: a document goes within [`PAUSE`] of its time, while the server runs and writes are accepted; one whose date was
//! moved meanwhile stays. An array of dates expires by the earliest.

use std::sync::Arc;
use std::time::Duration;

use super::{Index, IndexKind, keys};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::query::filter::Node;
use crate::query::{Context, Filter, Trust};
use crate::value::key::{self, Direction};
use crate::value::{Object, Raw, Value, ValueKind, encode};
use crate::write::{Command, DocumentId, Operation};

/// How often expired documents are looked for.
const PAUSE: Duration = Duration::from_secs(20);
/// Documents deleted by one command.
const BATCH: usize = 1000;
/// Bytes of documents after which a command deletes no more.
const BATCH_BYTES: usize = 16 << 20;
/// Who deletes them.
const ACTOR: &str = "expiry";

impl Engine {
    /// Starts what deletes expired documents.
    pub(crate) fn start_expiry(&self) {
        let engine = self.clone();
        let token = self.tasks().token();
        self.tasks().spawn("expiry", async move {
            while token.run_until_cancelled(tokio::time::sleep(PAUSE)).await.is_some() {
                if let Err(error) = engine.expire().await {
                    tracing::warn!(%error, "expired documents could not be deleted; this is tried again");
                }
            }
        });
    }

    /// Deletes every document that has expired; how many there were.
    pub async fn expire(&self) -> Result<u64> {
        let snapshot = self.snapshot();
        let expiring = snapshot.indexes().iter().filter(|(_, index)| {
            index.definition.expire_after_seconds.is_some() && snapshot.can_use(index)
        });
        let indexes: Vec<_> = expiring.map(|(_, index)| Arc::clone(index)).collect();
        drop(snapshot);
        let mut expired = 0;
        for index in indexes {
            expired += self.expire_by(&index).await?;
        }
        Ok(expired)
    }

    async fn expire_by(&self, index: &Arc<Index>) -> Result<u64> {
        let mut expired = 0;
        loop {
            let (engine, held) = (self.clone(), Arc::clone(index));
            let found = self.tasks().blocking(move || engine.expired(&held)).await;
            let found = found.ok_or_else(|| Error::internal("looking for the expired panicked"))?;
            let Some((operations, full)) = found? else { return Ok(expired) };
            let command = Command { operations, actor: Arc::from(ACTOR), ..Command::default() };
            let committed = self.write(command).await?;
            let deleted =
                |outcome: &&crate::write::Outcome| outcome.effect == crate::write::Effect::Deleted;
            let count = committed.outcomes.iter().filter(deleted).count() as u64;
            expired += count;
            if !full || count == 0 {
                return Ok(expired);
            }
        }
    }

    /// Deletions that are due, and whether there may be more; `None` if there are none, or the index is no more.
    fn expired(&self, index: &Arc<Index>) -> Result<Option<(Vec<Operation>, bool)>> {
        let IndexKind::Ordered(sort) = &index.definition.kind else { return Ok(None) };
        let (Some(field), Some(seconds)) =
            (sort.fields().first(), index.definition.expire_after_seconds)
        else {
            return Ok(None);
        };
        let now = i64::try_from(self.clock().now_ms()).unwrap_or(i64::MAX);
        let before =
            now.saturating_sub(i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1000));
        let snapshot = self.snapshot();
        let Some(collection) = snapshot.collections().number(&index.collection) else {
            return Ok(None);
        };
        let there = snapshot.indexes().of(collection).iter();
        if !there.clone().any(|other| other.number == index.number) {
            return Ok(None);
        }
        let mut date = Vec::new();
        encode::write_date(before, &mut date);
        let prefix = keys::prefix(index.number);
        let mut due = Vec::new();
        key::write_directed(Raw::trusted(&date), field.direction, &mut due);
        let rank = ValueKind::Date.rank() << 4;
        let due = [prefix.clone(), due].concat();
        let (from, to) = match field.direction {
            Direction::Ascending => ([prefix, vec![rank]].concat(), due),
            Direction::Descending => (due, [prefix, vec![!rank + 1]].concat()),
        };
        let only_if = Arc::new(self.still_expired(index, field.path.as_str(), before)?);
        let (mut operations, mut bytes, mut full) = (Vec::new(), 0, false);
        for entry in snapshot.entries(from, to) {
            if operations.len() == BATCH || bytes > BATCH_BYTES {
                full = true;
                break;
            }
            let (key, value) = entry?;
            let Some((_, id_key)) = keys::split(&key, &value) else { continue };
            let Some(row) = snapshot.get(collection, id_key)? else { continue };
            let Some(id) = row.body().get("_id") else { continue };
            bytes += row.size();
            operations.push(Operation::Delete {
                collection: Arc::clone(&index.collection),
                id: DocumentId {
                    raw: bytes::Bytes::copy_from_slice(id.as_bytes()),
                    key: bytes::Bytes::copy_from_slice(id_key),
                },
                if_version: None,
                only_if: Some(Arc::clone(&only_if)),
            });
        }
        Ok((!operations.is_empty()).then_some((operations, full)))
    }

    /// What a document must still be like when it is deleted.
    fn still_expired(&self, index: &Index, path: &str, before: i64) -> Result<Filter> {
        let mut test = Object::new();
        test.insert("$lte", Value::Date(before));
        let mut filter = Object::new();
        filter.insert(path, test);
        let context = Context { limits: self.limits(), now_ms: before, trust: Trust::Ordinary };
        let expired = Filter::parse(Raw::trusted(&filter.to_bytes()), &context)?;
        let Some(partial) = &index.definition.partial else { return Ok(expired) };
        let both = vec![expired.root().clone(), partial.root().clone()];
        Ok(expired.with_root(Node::And(both)))
    }
}
