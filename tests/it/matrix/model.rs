//! Who may be let in to a route: the contract, as plainly as it can be said.

use std::collections::BTreeSet;

use super::Route;
use super::callers::Caller;

/// What should come of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// The caller may ask: neither 401 nor 403.
    In,
    /// The credential is none: 401.
    Unknown,
    /// A right is missing: 403.
    Refused,
    /// What it asks for is not there for it: 404.
    Hidden,
}

/// What a valid credential allows.
#[derive(Clone, Debug)]
pub(super) struct Rights {
    /// Full access.
    pub(super) full: bool,
    /// Actions on `orders`, on `elsewhere`, and on all others.
    pub(super) orders: BTreeSet<&'static str>,
    pub(super) elsewhere: BTreeSet<&'static str>,
    pub(super) others: BTreeSet<&'static str>,
    /// Kinds of requests; `None` where it does not matter.
    pub(super) acls: Option<Vec<&'static str>>,
    /// Whether the request as such is covered, by method and path.
    pub(super) covers: fn(&str, &str) -> bool,
    /// Whether it stands for a user.
    pub(super) is_user: bool,
    /// Whether it is a key or a password, of which tokens are made.
    pub(super) is_secret: bool,
}

/// Every action but `admin`.
pub(super) const STAR: [&str; 9] =
    ["read", "create", "update", "delete", "search", "subscribe", "publish", "bulk", "settings"];

impl Default for Rights {
    fn default() -> Self {
        Self {
            full: false,
            orders: BTreeSet::new(),
            elsewhere: BTreeSet::new(),
            others: BTreeSet::new(),
            acls: None,
            covers: |_, _| true,
            is_user: false,
            is_secret: true,
        }
    }
}

impl Rights {
    /// Full access.
    pub(super) fn full() -> Self {
        Self { full: true, ..Self::default() }
    }

    /// Some actions on `orders`.
    pub(super) fn orders(actions: &[&'static str]) -> Self {
        Self { orders: actions.iter().copied().collect(), ..Self::default() }
    }

    /// Some actions on every collection.
    pub(super) fn every(actions: &[&'static str]) -> Self {
        let actions: BTreeSet<_> = actions.iter().copied().collect();
        let (orders, elsewhere) = (actions.clone(), actions.clone());
        Self { orders, elsewhere, others: actions, ..Self::default() }
    }

    fn somewhere(&self, action: &str) -> bool {
        [&self.orders, &self.elsewhere, &self.others].iter().any(|all| all.contains(action))
    }

    fn opens(&self, acls: &[&str]) -> bool {
        let some = |open: &Vec<&str>| open.iter().any(|acl| acls.contains(acl));
        acls.is_empty() || self.acls.as_ref().is_none_or(some)
    }
}

/// What should come of a route's request as a caller.
pub(super) fn expected(route: &Route, caller: &Caller) -> Expected {
    let (method, path) = (route.method.as_str(), route.path.as_str());
    let looks = ["/v1/users", "/v1/users/reset"].contains(&path) && method == "POST";
    if route.needs == "nothing" && !looks {
        return Expected::In;
    }
    if path == "/v1/users/reset" && caller.is_nobody() {
        return Expected::In;
    }
    // The credential may come in a message.
    if route.needs == "a credential, now or in a message" && caller.is_nobody() {
        return Expected::In;
    }
    let Some(rights) = &caller.rights else { return Expected::Unknown };
    let refused = |may: bool| if may { Expected::In } else { Expected::Refused };
    let acls: Vec<&str> = route.acls.iter().map(String::as_str).collect();
    let covered = (rights.covers)(method, path) && rights.opens(&acls);
    if !covered || !rights.opens(&narrower(method, path)) {
        return Expected::Refused;
    }
    match (method, path) {
        ("POST", "/v1/users") => return refused(rights.full),
        // Whoever is no user is told so.
        ("GET", "/v1/ws" | "/auth/userinfo") => return Expected::In,
        ("POST", "/v1/users/reset") => return Expected::In,
        ("POST", "/v1/tokens") => return refused(rights.is_secret),
        // A key of a user has no say in its account.
        ("DELETE", "/v1/sessions/{id}") if rights.is_user && rights.is_secret && !rights.full => {
            return Expected::Refused;
        }
        ("DELETE", "/v1/sessions/{id}") if !rights.full => return Expected::Hidden,
        ("GET", "/v1/sessions") => {
            return refused(rights.full || rights.is_user && !rights.is_secret);
        }
        // `me` and everybody's lists; what is asked of others is asked of the spare user.
        ("GET", "/v1/collections" | "/rest/_meta") | ("POST", "/v1/users/me/password") => {
            return Expected::In;
        }
        _ => {}
    }
    refused(rights.full || allows(route, rights))
}

/// What is asked besides the route's own kinds of requests: the body is one document.
fn narrower(method: &str, path: &str) -> Vec<&'static str> {
    match (method, path) {
        (
            "POST",
            "/v1/collections/{collection}/documents" | "/v1/transactions" | "/rest/{collection}",
        ) => {
            vec!["index"]
        }
        _ => Vec::new(),
    }
}

fn allows(route: &Route, rights: &Rights) -> bool {
    let (method, path) = (route.method.as_str(), route.path.as_str());
    let orders = |action: &str| rights.orders.contains(action);
    match (route.needs.as_str(), path) {
        // Only the user itself and full access.
        ("full access" | "a credential", _) => false,
        ("subscribe on what it names", "/v1/events") => orders("subscribe"),
        ("subscribe on what it names", "/v1/channels/{name}") => {
            rights.others.contains("subscribe")
        }
        ("subscribe", "/v1/live/{collection}") => orders("subscribe"),
        ("subscribe on what it names", "/realtime") => rights.somewhere("subscribe"),
        ("publish on what it names", "/v1/events" | "/realtime") => {
            rights.others.contains("publish")
        }
        ("settings on what it names", "/v1/webhooks") if method == "GET" => {
            rights.somewhere("settings")
        }
        ("settings on what it names", "/v1/webhooks") => orders("settings") && orders("read"),
        // The one that is asked for was registered with full access.
        ("settings on what it names", _) if path.starts_with("/v1/webhooks/{id}") => false,
        ("create, update or delete, as the operations do", _) => orders("create"),
        (action, _)
            if path.starts_with("/v1/collections/{collection}")
                || path.starts_with("/rest/{collection}") =>
        {
            assert!(STAR.contains(&action), "the model does not know what {route:?} needs");
            orders(action)
        }
        _ => panic!("the model does not know {route:?}"),
    }
}
