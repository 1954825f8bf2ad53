//! Roles and named values: documents of `_roles` and `_settings`, all in memory.
//!
//! Guarantees: a role or value is found as soon as the write that made it is visible. What is not understood is as if it
//! were not there. While the views are made anew, what is known stays in force.
//! Leaves to others: compiling roles (the grant), hearing of changes (the watch).

use std::collections::HashMap;
use std::sync::Arc;

use headwater_engine::limits::Limits;
use headwater_engine::value::{Object, Raw};
use parking_lot::RwLock;

use super::grant::Role;

/// The system collection of roles.
pub(crate) const ROLES: &str = "_roles";
/// The system collection of settings.
pub(crate) const SETTINGS: &str = "_settings";
/// How the ids of named values begin.
pub(crate) const VALUE_PREFIX: &str = "value:";

/// All roles and values.
#[derive(Default)]
pub(crate) struct Rolebook {
    pages: RwLock<Pages>,
}

#[derive(Default)]
struct Pages {
    now: Book,
    /// What was told again so far, after the views were made anew.
    told_again: Option<Book>,
}

#[derive(Clone, Default)]
struct Book {
    roles: HashMap<String, Arc<Role>>,
    values: Arc<Object>,
}

impl Rolebook {
    /// The roles of these names, in that order, without those that are not there; and all values.
    pub(crate) fn find(&self, names: &[String]) -> (Vec<Arc<Role>>, Arc<Object>) {
        let book = &self.pages.read().now;
        let roles = names.iter().filter_map(|name| book.roles.get(name)).map(Arc::clone);
        (roles.collect(), Arc::clone(&book.values))
    }

    /// Whether there is a role.
    pub(crate) fn has_role(&self, name: &str) -> bool {
        self.pages.read().now.roles.contains_key(name)
    }

    /// Everything will be told again.
    pub(super) fn reset(&self) {
        self.pages.write().told_again = Some(Book::default());
    }

    /// A role is now `body`, or gone.
    pub(super) fn role_changed(&self, name: &str, body: Option<Raw<'_>>) {
        let limits = Limits::for_stored_queries();
        let role = body.map(|body| Role::parse(name, body, &limits)).and_then(|parsed| {
            parsed
                .inspect_err(
                    |error| tracing::error!(role = name, %error, "a role is not understood"),
                )
                .ok()
        });
        let role = role.map(Arc::new);
        self.change(|book| match &role {
            Some(role) => drop(book.roles.insert(name.to_owned(), Arc::clone(role))),
            None => drop(book.roles.remove(name)),
        });
    }

    /// A setting is now `body`, or gone; whether it is a named value.
    pub(super) fn setting_changed(&self, id: &str, body: Option<Raw<'_>>) -> bool {
        let Some(name) = id.strip_prefix(VALUE_PREFIX) else { return false };
        let value = body.and_then(|body| body.get("value")).map(Raw::to_value);
        self.change(|book| {
            let values = Arc::make_mut(&mut book.values);
            match &value {
                Some(value) => drop(values.insert(name, value.clone())),
                None => drop(values.remove(name)),
            }
        });
        true
    }

    /// Everything was told, or never will be: what was not is void.
    pub(super) fn settled(&self) {
        let mut pages = self.pages.write();
        if let Some(book) = pages.told_again.take() {
            pages.now = book;
        }
    }

    fn change(&self, change: impl Fn(&mut Book)) {
        let mut pages = self.pages.write();
        change(&mut pages.now);
        if let Some(book) = &mut pages.told_again {
            change(book);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use headwater_engine::value::Value;

    fn value(text: &str) -> Vec<u8> {
        let object: Object =
            [("value".to_owned(), Value::String(text.to_owned()))].into_iter().collect();
        object.to_bytes()
    }

    fn names(book: &Rolebook, asked: &[&str]) -> Vec<String> {
        let asked: Vec<String> = asked.iter().map(|name| (*name).to_owned()).collect();
        book.find(&asked).0.iter().map(|role| role.name.clone()).collect()
    }

    #[test]
    fn roles_come_in_the_order_that_is_asked_for() {
        let book = Rolebook::default();
        let empty = Object::new().to_bytes();
        for name in ["a", "b"] {
            book.role_changed(name, Some(Raw::trusted(&empty)));
        }
        assert_eq!(names(&book, &["b", "none", "a"]), ["b", "a"]);
        book.role_changed("b", None);
        assert_eq!(names(&book, &["b", "a"]), ["a"]);
        assert!(book.has_role("a") && !book.has_role("b"));
    }

    #[test]
    fn values_are_the_settings_that_are_called_so() {
        let book = Rolebook::default();
        let body = value("x");
        assert!(book.setting_changed("value:shop", Some(Raw::trusted(&body))));
        assert!(!book.setting_changed("smtp", Some(Raw::trusted(&body))));
        let (_, values) = book.find(&[]);
        assert_eq!(values.get("shop").and_then(Value::as_str), Some("x"));
        assert_eq!(values.iter().count(), 1);
        book.setting_changed("value:shop", None);
        assert!(book.find(&[]).1.get("shop").is_none());
        assert!(values.get("shop").is_some(), "whoever has them keeps them");
    }

    #[test]
    fn what_is_known_holds_until_everything_is_told_again() {
        let book = Rolebook::default();
        let (empty, body) = (Object::new().to_bytes(), value("x"));
        for name in ["kept", "gone"] {
            book.role_changed(name, Some(Raw::trusted(&empty)));
        }
        book.setting_changed("value:gone", Some(Raw::trusted(&body)));
        book.reset();
        book.role_changed("kept", Some(Raw::trusted(&empty)));
        assert_eq!(names(&book, &["kept", "gone"]), ["kept", "gone"]);
        book.settled();
        assert_eq!(names(&book, &["kept", "gone"]), ["kept"]);
        assert!(book.find(&[]).1.get("gone").is_none());
        book.settled();
        assert_eq!(names(&book, &["kept"]), ["kept"]);
    }
}
