//! The `grant` member of a credential, checked but not compiled: its filters may hold expansions.
//!
//! Guarantees: whatever is malformed is refused here, by name (`invalid_grant`, with `member`); what was accepted compiles.
//! Leaves to others: roles, which are documents of their own (`role`), compiling (`rules`).

use std::collections::HashMap;
use std::sync::Arc;

use headwater_engine::Result;
use headwater_engine::limits::Limits;
use headwater_engine::value::Raw;

use super::acl::{Acl, Acls};
use super::channels::Channels;
use super::condition::Condition;
use super::fields::Fields;
use super::reader::Reader;
use super::realtime::List;
use super::surface::Surface;
use super::template::Scope;
use crate::auth::action::{Action, Actions};

/// Most roles of a grant.
const ROLES_MAX: usize = 100;

/// A grant as its maker wrote it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct GrantSource {
    /// Full access.
    pub(crate) admin: bool,
    /// Roles, the first that matches wins.
    pub(crate) roles: Vec<String>,
    /// Of the roles, those that may be used; `None`: all.
    only: Option<Vec<String>>,
    /// Whether it belongs to a user, so that nothing in it may go beyond the roles.
    pub(super) is_users: bool,
    /// What is demanded of every request.
    pub(crate) surface: Arc<Surface>,
    /// `collections`.
    pub(super) collections: Option<Collections>,
    /// `type`.
    kind: Option<Actions>,
    /// Whether it is read in pages, by anybody: paths alone do not let such a key change rules.
    is_public: bool,
    /// Whether it is narrowed by something that lets a missing `collections` mean every one.
    narrowed: bool,
    /// Which kinds of requests are open; all where there is none.
    pub(super) acls: Option<Acls>,
    pub(super) read_filter: Option<Condition>,
    pub(super) write_filter: Option<Condition>,
    pub(super) fields: Fields,
    pub(super) channels: Channels,
    /// `realtime`.
    pub(super) realtime: Option<List>,
}

/// The actions on collections.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Collections {
    pub(super) named: HashMap<String, Actions>,
    others: Actions,
}

impl GrantSource {
    /// Checks an encoded grant.
    pub(crate) fn parse(grant: Raw<'_>, limits: &Limits) -> Result<Self> {
        let reader = Reader::GRANT;
        let mut source = Self::default();
        let mut surface = Surface::default();
        let mut forbidden_beside_admin = None;
        for (name, value) in grant.as_object().ok_or_else(|| reader.not_an_object())? {
            match name {
                "admin" => source.admin = reader.truth(name, value)?,
                "roles" => source.roles = read_roles(reader, value)?,
                "collections" => source.collections = Some(Collections::parse(reader, value)?),
                "type" => source.kind = Some(read_type(reader, value)?),
                "acls" => source.acls = Some(Acls::parse(reader, value)?),
                "read_filter" | "write_filter" => {
                    let reading = name == "read_filter";
                    let scope = if reading { Scope::Reading } else { Scope::Writing };
                    let condition = Condition::parse(value, scope, limits);
                    let condition = condition.map_err(|error| reader.within(name, &error))?;
                    let place =
                        if reading { &mut source.read_filter } else { &mut source.write_filter };
                    *place = Some(condition);
                }
                "fields" => source.fields = Fields::parse(reader, name, value)?,
                "channels" => source.channels = Channels::parse(reader, value)?,
                "realtime" => source.realtime = Some(List::parse(reader, value)?),
                _ if surface.read(reader, name, value)? => {}
                _ => return Err(reader.refuse(name, "is not known")),
            }
            source.narrowed |= matches!(name, "paths" | "methods" | "acls" | "type");
            if matches!(name, "read_filter" | "write_filter" | "fields" | "type") {
                forbidden_beside_admin = Some(name);
            }
        }
        if let Some(name) = forbidden_beside_admin.filter(|_| source.admin) {
            let what = "cannot stand beside `admin`, which allows everything";
            return Err(reader.refuse(name, what));
        }
        source.surface = Arc::new(surface);
        Ok(source)
    }

    /// The same as that of a key that stands in pages.
    #[must_use]
    pub(crate) fn public(self) -> Self {
        Self { is_public: true, ..self }
    }

    /// Full access.
    pub(crate) fn full() -> Self {
        Self { admin: true, ..Self::default() }
    }

    /// What somebody without a credential of their own may do: what their roles say. For users.
    pub(crate) fn by_roles(roles: Vec<String>) -> Self {
        Self { roles, ..Self::default() }
    }

    /// The same as a key of a user with these roles: within what they say. Roles that the grant names have to be in force
    /// for the user, too: leaving one out that comes first does not put another into its place.
    pub(crate) fn of_user(&self, roles: Vec<String>) -> Self {
        let only = (!self.roles.is_empty()).then(|| self.roles.clone());
        Self { admin: false, roles, only, is_users: true, ..self.clone() }
    }

    /// Whether a role that is in force may be used.
    pub(super) fn admits_role(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only.iter().any(|role| role == name))
    }

    /// The actions on a collection, or on everything else (`*`), before roles.
    pub(super) fn actions(&self, collection: Option<&str>) -> Actions {
        let listed = match &self.collections {
            Some(collections) => collections.actions(collection),
            None if self.is_public && self.narrowed => {
                let mut actions = Actions::STAR;
                actions.remove(Action::Settings);
                actions
            }
            None if self.narrowed || !self.roles.is_empty() => Actions::STAR,
            None => Actions::default(),
        };
        self.kind.map_or(listed, |kind| kind.both(listed))
    }

    /// Whether it says nothing of collections itself: roles alone say it.
    pub(super) fn leaves_all_to_roles(&self) -> bool {
        self.collections.is_none()
            && self.kind.is_none()
            && self.read_filter.is_none()
            && self.write_filter.is_none()
            && self.fields.is_empty()
    }

    /// Whether its paths alone say which collections are meant.
    pub(super) fn is_by_path(&self) -> bool {
        self.collections.is_none() && self.surface.has_paths()
    }

    /// Whether it looks at the request.
    pub(super) fn needs_request(&self) -> bool {
        let mut conditions = self.read_filter.iter().chain(&self.write_filter);
        conditions.any(Condition::needs_request)
    }
}

impl Collections {
    fn parse(reader: Reader, entries: Raw<'_>) -> Result<Self> {
        let mut collections = Self::default();
        let malformed = || reader.refuse("collections", "must map names to lists of actions");
        for (name, list) in entries.as_object().ok_or_else(malformed)? {
            if name != "*" && !crate::collection_name::is_user_collection(name) {
                let what = format!("names `{name}`, which is no collection");
                return Err(reader.refuse("collections", what).with("entry", name));
            }
            let actions = read_actions(reader, &format!("collections.{name}"), list)
                .map_err(|error| error.with("entry", name))?;
            if name == "*" {
                collections.others = actions;
            } else {
                collections.named.insert(name.to_owned(), actions);
            }
        }
        Ok(collections)
    }

    fn actions(&self, collection: Option<&str>) -> Actions {
        let named = collection.and_then(|name| self.named.get(name));
        *named.unwrap_or(&self.others)
    }
}

/// A list of actions by their names.
pub(super) fn read_actions(reader: Reader, member: &str, list: Raw<'_>) -> Result<Actions> {
    let malformed = || reader.refuse(member, "must be a list of actions");
    let mut actions = Actions::default();
    for entry in list.as_array().ok_or_else(malformed)? {
        let name = entry.as_str().ok_or_else(malformed)?;
        if !actions.add(name) {
            let what = format!("names the unknown action `{name}`");
            return Err(reader.refuse(member, what).with("action", name));
        }
    }
    Ok(actions)
}

fn read_roles(reader: Reader, value: Raw<'_>) -> Result<Vec<String>> {
    let names = reader.texts("roles", value, ROLES_MAX)?;
    if names.is_empty() {
        return Err(reader.refuse("roles", "must name at least one role"));
    }
    Ok(names.into_iter().map(str::to_owned).collect())
}

/// appbase's kinds of keys.
fn read_type(reader: Reader, value: Raw<'_>) -> Result<Actions> {
    let read = [Action::Read, Action::Search, Action::Subscribe];
    let write = [
        Action::Create,
        Action::Update,
        Action::Delete,
        Action::Bulk,
        Action::Settings,
        Action::Publish,
    ];
    match value.as_str() {
        Some("read") => Ok(Actions::of(&read)),
        Some("write") => Ok(Actions::of(&write)),
        Some("admin") => Ok(Actions::EVERY),
        _ => Err(reader.refuse("type", "must be `read`, `write` or `admin`")),
    }
}

impl Acls {
    fn parse(reader: Reader, value: Raw<'_>) -> Result<Self> {
        let mut acls = Self::default();
        for name in reader.texts("acls", value, usize::MAX)? {
            let acl = Acl::ALL.into_iter().find(|acl| acl.as_str() == name);
            let unknown = || reader.entry("acls", name, "which is no ACL");
            acls.insert(acl.ok_or_else(unknown)?);
        }
        Ok(acls)
    }
}
