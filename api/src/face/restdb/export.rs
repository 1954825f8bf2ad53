//! Export: what a list finds as CSV or as a document a line, all of it unless `max` says otherwise.
//!
//! Guarantees: every page is read at the position of the first, so that writes meanwhile change nothing; a page at a time is in
//! memory, and the next one is read only while the caller's credential still stands. CSV needs its columns first and reads
//! twice. A refusal comes before the first byte; what fails after it breaks the answer off.
//! Leaves to others: which documents and fields may be seen (the session).

mod rows;

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use headwater_engine::value::Raw;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};

use super::answer::Shown;
use super::query::ListRequest;
use crate::error::{ApiError, ApiResult};
use crate::extract::Format as Dialect;
use crate::reply;
use crate::session::{Asked, At, Cursor, ListQuery, Session, blocking};
use crate::state::App;
use rows::Columns;

pub(super) use rows::COLUMNS_MAX;

/// Most documents of a page.
const PAGE: usize = 1000;
/// Bytes of a page, where its documents are of average size.
const PAGE_BYTES: u64 = 4 << 20;

/// What a list is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// A header and a row a document.
    Csv,
    /// A document a line.
    Lines,
}

/// What is exported.
pub(super) struct Export {
    pub(super) app: App,
    pub(super) session: Session,
    pub(super) collection: String,
    pub(super) asking: ListRequest,
    pub(super) shown: Shown,
    pub(super) format: Format,
}

/// The pages of an export.
struct Pages {
    export: Export,
    asked: Asked,
    at: u64,
    /// Documents of a page.
    page: usize,
}

/// Where the next page begins.
#[derive(Clone)]
struct Place {
    cursor: Option<Cursor>,
    skip: usize,
    left: usize,
}

impl Export {
    /// The answer: what it holds is read as it is sent.
    pub(super) async fn answer(self) -> ApiResult {
        if self.asking.distinct.is_some() || self.asking.grouping.is_some() {
            let message = "groups and distinct values are answered as JSON; csv and ndjson have documents alone";
            return Err(ApiError::bad_request("no_documents", message));
        }
        let (format, name) = (self.format, self.collection.clone());
        let pages = Pages::new(self)?;
        let position = pages.at;
        let columns = match format {
            Format::Csv => Some(pages.columns().await?),
            Format::Lines => None,
        };
        let header = columns.as_ref().map(Columns::header).unwrap_or_default();
        let columns = columns.map(Arc::new);
        // Read before the answer begins: what is refused is refused with a status.
        let (first, next) = pages.written(pages.start(), columns.as_ref()).await?;
        let first = Bytes::from([header, first].concat());
        let body = Body::from_stream(pages.stream(first, next, columns));
        Ok(response(body, (format, &name), position))
    }
}

fn response(body: Body, (format, name): (Format, &str), position: u64) -> Response {
    let (kind, suffix) = match format {
        Format::Csv => ("text/csv; charset=utf-8", "csv"),
        Format::Lines => ("application/x-ndjson", "ndjson"),
    };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(reply::POSITION, HeaderValue::from(position));
    // The name of a collection has no character that would have to be quoted.
    let disposition = format!("attachment; filename=\"{name}.{suffix}\"");
    if let Ok(disposition) = HeaderValue::try_from(disposition) {
        headers.insert(CONTENT_DISPOSITION, disposition);
    }
    response
}

impl Pages {
    fn new(export: Export) -> ApiResult<Self> {
        let asking = &export.asking;
        let encoded = [&asking.filter, &asking.sort, &asking.fields].map(|part| part.to_bytes());
        let [filter, sort, fields] = encoded.each_ref().map(|part| Some(Raw::trusted(part)));
        let asked = Asked::new(filter, sort, fields, Dialect::Extended);
        let at = export.session.engine().position();
        let fitting = PAGE_BYTES / export.session.average_bytes(&export.collection)?.max(1);
        // Each page of a list in an order of its own would look for the whole order again.
        let page = match asked.sort() {
            Some(_) => usize::MAX,
            None => usize::try_from(fitting).unwrap_or(PAGE).clamp(1, PAGE),
        };
        Ok(Self { export, asked, at, page })
    }

    fn start(&self) -> Place {
        let asking = &self.export.asking;
        let left = asking.explicit_max().unwrap_or(usize::MAX);
        Place { cursor: None, skip: asking.skip, left }
    }

    /// The documents from a place on, and the place behind them if there are more.
    async fn read(&self, place: Place) -> ApiResult<(Vec<Bytes>, Option<Place>)> {
        if place.left == 0 {
            return Ok((Vec::new(), None));
        }
        let query = ListQuery {
            limit: self.page.min(place.left),
            skip: place.skip,
            cursor: place.cursor,
            at: At::Position(self.at),
            ..ListQuery::new(self.asked.clone())
        };
        let listing = self.export.session.list(&self.export.collection, query).await?;
        let left = place.left.saturating_sub(listing.documents.len());
        let cursor = listing.next.as_deref().map(Cursor::decode).transpose()?;
        let next = cursor.filter(|_| left > 0);
        let next = next.map(|cursor| Place { cursor: Some(cursor), skip: 0, left });
        Ok((listing.documents, next))
    }

    /// Which columns there are.
    async fn columns(&self) -> ApiResult<Columns> {
        let export = &self.export;
        let typed = export.session.readable_named(&export.collection)?;
        let is_whole = export.asking.fields.is_empty();
        let mut columns = Columns::new(&typed, is_whole, export.shown.clone());
        let mut place = Some(self.start());
        while let Some(from) = place {
            let (documents, next) = self.read(from).await?;
            columns = blocking(export.session.engine(), move || {
                documents.iter().try_for_each(|one| columns.add(Raw::trusted(one)))?;
                Ok(columns)
            })
            .await?;
            self.check_caller().await?;
            place = next;
        }
        columns.settle();
        Ok(columns)
    }

    /// The documents from a place on, written.
    async fn written(
        &self,
        place: Place,
        columns: Option<&Arc<Columns>>,
    ) -> ApiResult<(Vec<u8>, Option<Place>)> {
        let (documents, next) = self.read(place).await?;
        let (columns, shown) = (columns.cloned(), self.export.shown.clone());
        let write = move || {
            let mut out = Vec::with_capacity(documents.iter().map(Bytes::len).sum());
            for document in &documents {
                let document = Raw::trusted(document);
                match &columns {
                    Some(columns) => columns.write_row(document, &mut out),
                    None => {
                        shown.write(document, &mut out);
                        out.push(b'\n');
                    }
                }
            }
            Ok(out)
        };
        let written = blocking(self.export.session.engine(), write).await?;
        Ok((written, next))
    }

    /// What was written already, and then page after page.
    fn stream(
        self,
        first: Bytes,
        next: Option<Place>,
        columns: Option<Arc<Columns>>,
    ) -> impl futures_util::Stream<Item = Result<Bytes, std::io::Error>> + Send {
        let state = (self, Some(first), next, columns);
        futures_util::stream::try_unfold(state, |(pages, first, next, columns)| async move {
            if let Some(first) = first {
                return Ok(Some((first, (pages, None, next, columns))));
            }
            let Some(place) = next else { return Ok(None) };
            let page = async {
                pages.check_caller().await?;
                pages.written(place, columns.as_ref()).await
            };
            let (written, next) = page.await.map_err(|error: ApiError| {
                let collection = &pages.export.collection;
                tracing::warn!(collection, reason = error.message(), "an export broke off");
                std::io::Error::other(error.message().to_owned())
            })?;
            Ok(Some((Bytes::from(written), (pages, None, next, columns))))
        })
    }

    /// Refuses to go on for a credential that was revoked or has expired meanwhile, or has other rights.
    async fn check_caller(&self) -> ApiResult<()> {
        let before = self.export.session.principal();
        let now = self.export.app.access.again(before).await?;
        if Arc::ptr_eq(&now, before) || now.parts == before.parts {
            return Ok(());
        }
        Err(ApiError::forbidden("the rights of the credential have changed"))
    }
}
