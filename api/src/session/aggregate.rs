//! Pipelines and distinct values.
//!
//! Guarantees: a pipeline sees one snapshot, and reads only collections that the caller may read; its result is bounded.
//! Leaves to others: the stages (the engine), what `$out` and `$merge` write (`output`).

use std::sync::Arc;

use bytes::Bytes;
use headwater_engine::query::aggregate::Pipeline;
use headwater_engine::query::over::{self, SnapshotCollections};
use headwater_engine::query::{Budget, Trust, find};
use headwater_engine::value::Raw;
use headwater_engine::value::path::Path;
use headwater_engine::view::Snapshot;
use headwater_engine::write::Committed;
use headwater_engine::{Engine, Error, Result};

use super::run::{Size, run};
use super::{At, RequestKey, Session, asked, blocking};
use crate::auth::Action;
use crate::error::ApiError;

/// What a pipeline or `distinct` gave.
#[derive(Clone, Debug, Default)]
pub(crate) struct Aggregated {
    /// Documents or values, encoded.
    pub(crate) values: Vec<Bytes>,
    /// The position that was seen, or of what was written.
    pub(crate) position: u64,
    /// Whether this repeats an earlier write.
    pub(crate) repeated: bool,
}

impl Session {
    /// Runs an encoded pipeline; what ends in `$out` or `$merge` is written.
    pub(crate) async fn aggregate(
        &self,
        collection: &str,
        (pipeline, at): (Vec<u8>, At),
        key: Option<RequestKey>,
    ) -> Result<Aggregated, ApiError> {
        let is_search = asked::searches(Raw::trusted(&pipeline));
        let action = self.check_query(collection, is_search)?;
        let snapshot = Arc::new(self.engine.snapshot());
        self.number(&snapshot, collection)?;
        let is_admin = self.grant.is_full();
        let trust = if is_admin { Trust::Admin } else { Trust::Ordinary };
        let engine = self.engine.clone();
        let parse = move || compile(&engine, &pipeline, trust);
        let pipeline = blocking(&self.engine, parse).await?;
        for other in pipeline.collections() {
            self.check_query(&other, is_search)?;
            self.check_path_of(&other)?;
        }
        let output = pipeline.output().cloned();
        if let Some(output) = &output {
            self.check_output(output)?;
            if let Some(Committed { position, repeated, .. }) =
                self.answered_before(key.as_ref()).await?
            {
                return Ok(Aggregated { values: Vec::new(), position, repeated });
            }
        }
        let (session, name) = (self.clone(), collection.to_owned());
        let work = move |budget: &Arc<Budget>| {
            let at = at.resolve(&session.engine, &snapshot)?;
            let values = session.run_pipeline(&snapshot, (&name, at, action), &pipeline, budget)?;
            let position = at.unwrap_or_else(|| snapshot.position());
            Ok(Aggregated { values, position, repeated: false })
        };
        let aggregated = run(&self.engine, Size::Large, work).await?;
        match output {
            Some(output) => self.write_output(output, aggregated.values, key).await,
            None => Ok(aggregated),
        }
    }

    /// The different values of a field over what a filter finds.
    pub(crate) async fn distinct(
        &self,
        collection: &str,
        (field, filter): (&str, Vec<u8>),
        at: At,
    ) -> Result<Aggregated, ApiError> {
        let is_search = asked::searches(Raw::trusted(&filter));
        let action = self.check_query(collection, is_search)?;
        let restriction = self.restriction(collection, action);
        if field.split('.').any(|part| part.is_empty() || part.starts_with('$')) {
            let message = format!("`{field}` is not the path of a field");
            return Err(ApiError::bad_request("invalid_field", message).with("field", field));
        }
        let snapshot = self.engine.snapshot();
        let number = self.number(&snapshot, collection)?;
        let is_small = at == At::Now && asked::is_light(&filter);
        let size = if is_small { Size::Unknown } else { Size::Large };
        let (engine, name, path) = (self.engine.clone(), collection.to_owned(), Path::new(field));
        let work = move |budget: &Arc<Budget>| {
            let at = at.resolve(&engine, &snapshot)?;
            let number = match at {
                Some(position) => snapshot.collection_at(&name, position)?,
                None => number,
            };
            let filter = asked::filter(Some(&filter), &engine, &snapshot, number)?;
            let values = match number {
                Some(number) => {
                    let asked = (filter, restriction.clone());
                    find::distinct(&snapshot, number, &path, asked, at, budget)?
                }
                None => Vec::new(),
            };
            let position = at.unwrap_or_else(|| snapshot.position());
            Ok(Aggregated { values, position, repeated: false })
        };
        Ok(run(&self.engine, size, work).await?)
    }
}

fn compile(engine: &Engine, pipeline: &[u8], trust: Trust) -> Result<Pipeline> {
    Pipeline::parse(Raw::trusted(pipeline), &asked::context(engine, trust))
}

impl Session {
    /// The result of a pipeline over what the caller may see.
    fn run_pipeline(
        &self,
        snapshot: &Arc<Snapshot>,
        (collection, at, action): (&str, Option<u64>, Action),
        pipeline: &Pipeline,
        budget: &Arc<Budget>,
    ) -> Result<Vec<Bytes>> {
        let engine = &self.engine;
        let own = SnapshotCollections::new(
            Arc::clone(snapshot),
            at,
            engine.limits().clone(),
            Arc::clone(budget),
            engine.data().to_owned(),
        );
        let now_ms = i64::try_from(engine.clock().now_ms()).unwrap_or(i64::MAX);
        let session = self.clone();
        let restrictions = Arc::new(move |name: &str| session.restriction(name, action));
        let own = Arc::new(own.now(now_ms).restricted(restrictions));
        let max = engine.limits().batch_documents as usize;
        let is_written = pipeline.output().is_some();
        let mut values = Vec::new();
        over::aggregate(pipeline, &own, collection, &mut |document| {
            budget.take_result(document.len())?;
            if is_written && values.len() >= max {
                let message = format!(
                    "the pipeline writes more than {max} documents (limits.batch_documents)"
                );
                return Err(Error::limit("limits.batch_documents", max as u64, message));
            }
            values.push(document.clone());
            Ok(())
        })?;
        Ok(values)
    }
}
