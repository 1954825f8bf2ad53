//! What is known of a request's caller: shared between the way in, which learns it, and the answer, which needs it.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use crate::auth::{Principal, Taken};

/// What is known of a caller; an extension of the request.
#[derive(Clone, Debug)]
pub(crate) struct Caller(Arc<Known>);

#[derive(Debug)]
struct Known {
    address: IpAddr,
    principal: OnceLock<Arc<Principal>>,
    taken: OnceLock<Taken>,
}

impl Caller {
    /// Somebody at an address.
    pub(crate) fn at(address: IpAddr) -> Self {
        let known = Known { address, principal: OnceLock::new(), taken: OnceLock::new() };
        Self(Arc::new(known))
    }

    /// The client's address, by trusted proxies alone.
    pub(crate) fn address(&self) -> IpAddr {
        self.0.address
    }

    /// Notes who it is; the first one stays.
    pub(crate) fn is(&self, principal: &Arc<Principal>) {
        self.0.principal.get_or_init(|| Arc::clone(principal));
    }

    /// Notes what it may still ask for.
    pub(crate) fn took(&self, taken: Taken) {
        // The first one stays.
        self.0.taken.get_or_init(|| taken);
    }

    /// Who it is, if it has presented something valid.
    pub(crate) fn principal(&self) -> Option<&Arc<Principal>> {
        self.0.principal.get()
    }

    /// What it may still ask for, where that is limited.
    pub(crate) fn taken(&self) -> Option<&Taken> {
        self.0.taken.get()
    }
}
