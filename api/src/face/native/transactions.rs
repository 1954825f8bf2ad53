//! Transactions: `POST /v1/transactions`, operations that take effect together or not at all.

use std::sync::Arc;

use bytes::Bytes;
use headwater_engine::Error;
use headwater_engine::value::Raw;
use headwater_engine::value::document::IdRule;
use headwater_engine::write::{Absent, Committed, DocumentId, Operation};
use http::StatusCode;

use super::documents::mark_repeated;
use crate::auth::{Acl, Action};
use crate::error::{ApiError, ApiResult};
use crate::extract::{Format, Submission};
use crate::reply::{self, write_number};
use crate::router::{Needs, Routes};
use crate::session::{Patch, Session, Upsert, id_from_raw, ids_read, prepare_all};

/// The routes of transactions.
pub(super) fn routes() -> Routes {
    let needs = Needs::Operations(&[Acl::Index, Acl::Delete]);
    Routes::new().add("post", "/v1/transactions", needs, transaction)
}

async fn transaction(
    session: Session,
    format: Format,
    Submission { payload, key }: Submission,
) -> ApiResult {
    let body = payload.value(session.engine()).await?;
    // Operators are read as the query language reads them.
    let query = if has_operators(Raw::trusted(&body)) {
        let query = payload.query(session.engine()).await?;
        Some(ids_read(Raw::trusted(&query), payload.format).into_owned())
    } else {
        None
    };
    let query = query.as_deref().map(Raw::trusted);
    let operations = read(&session, Raw::trusted(&body), query, payload.id_rule())?;
    let committed = session.transaction(operations, key).await?;
    let response = reply::json(StatusCode::OK, committed.position, results(&committed, format));
    Ok(mark_repeated(response, &committed))
}

/// Whether an operation has operators of an update.
fn has_operators(body: Raw<'_>) -> bool {
    let operations = body.get("operations").into_iter().flat_map(Raw::array_iter);
    operations.filter_map(|operation| operation.get("update")).any(Patch::has_operators)
}

fn read(
    session: &Session,
    body: Raw<'_>,
    query: Option<Raw<'_>>,
    rule: IdRule,
) -> ApiResult<Vec<Operation>> {
    let listed = body
        .get("operations")
        .filter(|_| body.member_count() == 1)
        .and_then(Raw::as_array)
        .ok_or_else(|| {
            let message = "a transaction is {\"operations\":[..]} and nothing else";
            ApiError::bad_request("invalid_transaction", message)
        })?;
    let max = session.engine().limits().batch_documents;
    let mut operations = Vec::new();
    let mut as_query =
        query.and_then(|query| query.get("operations")).map(Raw::array_iter).into_iter().flatten();
    for (index, operation) in listed.enumerate() {
        if operations.len() >= max as usize {
            let message = format!("a transaction has at most {max} operations");
            return Err(Error::limit("limits.batch_documents", u64::from(max), message).into());
        }
        let reader = Reader { session, operation, as_query: as_query.next(), rule };
        let read = reader.read().map_err(|error| error.with("operation", index as u64))?;
        operations.push(read);
    }
    if operations.is_empty() {
        return Err(ApiError::bad_request("no_operations", "the transaction has no operations"));
    }
    Ok(operations)
}

/// Reads one operation.
struct Reader<'a> {
    session: &'a Session,
    operation: Raw<'a>,
    /// The same, read as the query language reads it.
    as_query: Option<Raw<'a>>,
    rule: IdRule,
}

impl Reader<'_> {
    fn read(&self) -> ApiResult<Operation> {
        match self.text("op")? {
            "create" => self.create(),
            "replace" => self.replace(),
            "update" => self.update(),
            "delete" => self.delete(),
            other => {
                let message =
                    format!("`op` must be create, replace, update or delete, not {other}");
                Err(ApiError::bad_request("invalid_operation", message))
            }
        }
    }

    fn create(&self) -> ApiResult<Operation> {
        self.only(&["op", "collection", "document"])?;
        let collection = self.collection(Action::Create)?;
        let documents = vec![self.object("document")?];
        let mut prepared = prepare_all(self.session.engine(), documents, self.rule)?;
        let (id, body): (DocumentId, Bytes) =
            prepared.pop().ok_or_else(|| Error::internal("a document was not prepared"))?;
        Ok(Operation::Create { collection, id, body })
    }

    fn replace(&self) -> ApiResult<Operation> {
        self.only(&["op", "collection", "id", "document", "upsert", "if_version"])?;
        let upsert = match self.operation.get("upsert").map(Raw::as_bool) {
            None | Some(Some(false)) => Upsert::No,
            Some(Some(true)) => Upsert::Yes,
            Some(None) => return Err(self.wrong("upsert", "true or false")),
        };
        let collection = self.collection(Action::Update)?;
        self.session.check_replace(&collection, upsert)?;
        let (id, document) = (self.id()?, self.object("document")?);
        if let Some(given) = Raw::trusted(&document).get("_id") {
            let given = id_from_raw(given, self.rule, self.session.engine().limits())?;
            if given.key != id.key {
                let message = "the _id in the document is not the `id` of the operation";
                return Err(ApiError::bad_request("id_mismatch", message));
            }
        }
        let if_version = self.if_version()?;
        Ok(self.session.replacement(collection, id, &document, upsert, if_version)?)
    }

    fn update(&self) -> ApiResult<Operation> {
        self.only(&["op", "collection", "id", "update", "if_version"])?;
        let collection = self.collection(Action::Update)?;
        let data = self.object("update")?;
        let data = Raw::trusted(&data);
        let query = self.as_query.filter(|_| Patch::has_operators(data));
        let patch = Patch::new(data, query.and_then(|operation| operation.get("update")))?;
        let change = self.session.patching(patch, self.rule)?;
        Ok(Operation::Change {
            collection,
            id: self.id()?,
            change,
            if_version: self.if_version()?,
            absent: Absent::Refuse,
        })
    }

    fn delete(&self) -> ApiResult<Operation> {
        self.only(&["op", "collection", "id", "if_version"])?;
        let collection = self.collection(Action::Delete)?;
        Ok(Operation::Delete {
            collection,
            id: self.id()?,
            if_version: self.if_version()?,
            only_if: None,
        })
    }

    fn collection(&self, action: Action) -> ApiResult<Arc<str>> {
        let name = self.text("collection")?;
        self.session.check(name, action)?;
        let acl = if action == Action::Delete { Acl::Delete } else { Acl::Index };
        self.session.check_acl(acl)?;
        Ok(Arc::from(name))
    }

    fn id(&self) -> ApiResult<DocumentId> {
        let id = self.operation.get("id").ok_or_else(|| self.wrong("id", "given"))?;
        Ok(id_from_raw(id, self.rule, self.session.engine().limits())?)
    }

    fn if_version(&self) -> ApiResult<Option<u64>> {
        let Some(value) = self.operation.get("if_version").filter(|value| !value.is_null()) else {
            return Ok(None);
        };
        let version = value.as_i64().and_then(|version| u64::try_from(version).ok());
        version.map(Some).ok_or_else(|| self.wrong("if_version", "a version"))
    }

    fn object(&self, name: &'static str) -> ApiResult<Vec<u8>> {
        let value = self.operation.get(name).filter(|value| value.as_object().is_some());
        let value = value.ok_or_else(|| self.wrong(name, "an object"))?;
        let max = self.session.engine().limits().document_bytes;
        if value.as_bytes().len() as u64 > max {
            let message = format!("`{name}` takes {} bytes", value.as_bytes().len());
            return Err(Error::limit("limits.document_bytes", max, message).into());
        }
        Ok(value.as_bytes().to_vec())
    }

    fn text(&self, name: &'static str) -> ApiResult<&str> {
        let value = self.operation.get(name).and_then(Raw::as_str);
        value.ok_or_else(|| self.wrong(name, "a text"))
    }

    fn only(&self, known: &[&str]) -> ApiResult<()> {
        match self.operation.object_iter().find(|(name, _)| !known.contains(name)) {
            Some((name, _)) => {
                let message = format!("the operation has no member `{name}`");
                Err(ApiError::bad_request("unknown_member", message).with("member", name))
            }
            None => Ok(()),
        }
    }

    fn wrong(&self, name: &'static str, wanted: &str) -> ApiError {
        let message = format!("`{name}` of an operation must be {wanted}");
        ApiError::bad_request("invalid_operation", message).with("member", name)
    }
}

fn results(committed: &Committed, format: Format) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 * committed.outcomes.len() + 64);
    out.extend_from_slice(b"{\"results\":[");
    for (index, outcome) in committed.outcomes.iter().enumerate() {
        out.extend_from_slice(if index > 0 { b",{\"id\":" } else { b"{\"id\":" });
        format.write(Raw::trusted(&outcome.id), &mut out);
        out.extend_from_slice(b",\"version\":");
        write_number(outcome.version, &mut out);
        out.extend_from_slice(b",\"position\":");
        write_number(outcome.position, &mut out);
        out.push(b'}');
    }
    out.extend_from_slice(b"],\"position\":");
    write_number(committed.position, &mut out);
    out.push(b'}');
    out
}
