//! Names to addresses: the system's resolver, or another one in its place.
//!
//! Leaves to others: which of the addresses may be reached ([`super::guard`]).

use std::future::Future;
use std::io::Result;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

/// The addresses of a name, in time.
pub(crate) type Lookup = Pin<Box<dyn Future<Output = Result<Vec<SocketAddr>>> + Send>>;

/// Resolves names.
pub(crate) trait Resolver: Send + Sync + 'static {
    /// Every address that the name has now; their ports mean nothing.
    fn lookup(&self, name: &str) -> Lookup;
}

/// A resolver for several users.
pub(crate) type SharedResolver = Arc<dyn Resolver>;

/// The resolver of the operating system.
pub(crate) fn system() -> SharedResolver {
    Arc::new(System)
}

struct System;

impl Resolver for System {
    fn lookup(&self, name: &str) -> Lookup {
        let name = name.to_owned();
        Box::pin(async move { Ok(tokio::net::lookup_host((name, 0)).await?.collect()) })
    }
}
