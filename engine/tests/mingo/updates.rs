//! Random updates, projections and sorts over the documents of `draw`.

use serde_json::{Map, Value, json};

use super::draw::Draw;

impl Draw {
    /// An update of one document, with its filter.
    pub fn update(&mut self) -> Value {
        let (docs, filter) = (self.documents(1), json!({}));
        if self.one_in(6) {
            return self.positional(docs);
        }
        if self.one_in(12) {
            let update = json!([{"$set": {"z": self.numeric(2)}}, {"$unset": self.pick(&["a", "s", "c.x"])}]);
            return json!({"kind": "update", "docs": docs, "filter": filter, "update": update});
        }
        let mut update = Map::new();
        let mut left = vec!["a", "n", "s", "c.x", "t", "u", "r", "m"];
        for _ in 0..=self.below(3) {
            let path = left.remove(self.below(left.len() as i64) as usize);
            let (name, operand) = self.change(path);
            let mut members = update.remove(name).unwrap_or_else(|| json!({}));
            members[operand.0] = operand.1;
            update.insert(name.to_owned(), members);
        }
        json!({"kind": "update", "docs": docs, "filter": filter, "update": update})
    }

    fn change(&mut self, path: &'static str) -> (&'static str, (&'static str, Value)) {
        if self.one_in(8) {
            return ("$unset", (path, json!("")));
        }
        match path {
            "t" => self.array_change(path, Self::number),
            "u" => self.array_change(path, Self::text),
            "r" => self.objects_change(path),
            "s" if self.one_in(3) => ("$rename", (path, json!(self.pick(&["z", "w.v"])))),
            "s" => ("$set", (path, self.text())),
            "m" => (self.pick(&["$set", "$min", "$max"]), (path, self.scalar())),
            _ => {
                let name =
                    self.pick(&["$set", "$inc", "$mul", "$min", "$max", "$inc", "$mul", "$bit"]);
                if name == "$bit" && path == "n" {
                    let integer = json!({self.pick(&["and", "or", "xor"]): self.below(8)});
                    return (name, (path, integer));
                }
                let name = if name == "$bit" { "$set" } else { name };
                (name, (path, self.number()))
            }
        }
    }

    fn array_change(
        &mut self,
        path: &'static str,
        element: fn(&mut Self) -> Value,
    ) -> (&'static str, (&'static str, Value)) {
        match self.below(8) {
            0 => ("$push", (path, element(self))),
            1 | 2 => ("$push", (path, self.pushed(element, |sign| json!(sign)))),
            3 => ("$addToSet", (path, element(self))),
            4 => ("$addToSet", (path, json!({"$each": [element(self), element(self)]}))),
            5 => ("$pop", (path, json!(1 - 2 * self.below(2)))),
            6 => ("$pullAll", (path, json!([element(self), element(self)]))),
            _ => {
                let what =
                    if self.one_in(2) { element(self) } else { json!({"$gte": element(self)}) };
                ("$pull", (path, what))
            }
        }
    }

    fn objects_change(&mut self, path: &'static str) -> (&'static str, (&'static str, Value)) {
        match self.below(4) {
            0 => ("$push", (path, self.object())),
            1 => ("$push", (path, self.pushed(Self::object, |sign| json!({"x": sign})))),
            2 => ("$pull", (path, json!({"x": self.ordered(Self::number)}))),
            _ => ("$addToSet", (path, self.object())),
        }
    }

    fn pushed(&mut self, element: fn(&mut Self) -> Value, order: fn(i64) -> Value) -> Value {
        let mut push = json!({"$each": self.array(3, element)});
        if self.one_in(3) {
            push["$position"] = json!(self.integer());
        }
        if self.one_in(3) {
            push["$slice"] = json!(self.below(7) - 3);
        }
        if self.one_in(3) {
            push["$sort"] = order(1 - 2 * self.below(2));
        }
        push
    }

    fn positional(&mut self, docs: Value) -> Value {
        let (name, operand) = (self.pick(&["$set", "$inc", "$mul", "$max"]), self.number());
        let mut operation = json!({"kind": "update", "docs": docs, "filter": {}});
        match self.below(5) {
            0 => {
                operation["filter"] = json!({"t": self.number()});
                operation["update"] = json!({name: {"t.$": operand}});
            }
            1 => {
                operation["filter"] = json!({"r.x": self.number()});
                operation["update"] = json!({"$set": {"r.$.y": operand}});
            }
            2 => {
                operation["update"] = json!({name: {"t.$[]": operand}});
                operation["filter"] = json!({"t.0": {"$exists": true}});
            }
            3 => {
                operation["filter"] = json!({"r.0": {"$exists": true}});
                operation["update"] = json!({"$set": {"r.$[e].y": operand}});
                operation["arrayFilters"] = json!([{"e.x": self.ordered(Self::number)}]);
            }
            _ => {
                operation["filter"] = json!({"t.0": {"$exists": true}});
                operation["update"] = json!({name: {"t.$[e]": operand}});
                operation["arrayFilters"] = json!([{"e": {"$gte": self.number()}}]);
            }
        }
        operation
    }

    /// A projection of one document.
    pub fn projection(&mut self) -> Value {
        let (docs, mut filter) = (self.documents(1), json!({}));
        let (mut projection, keep) = (Map::new(), self.one_in(2));
        let paths = ["a", "s", "c", "c.x", "d", "t", "r", "r.x", "r.y", "m", "c.z"];
        for _ in 0..=self.below(3) {
            let path = self.pick(&paths);
            let clashes = |name: &String| {
                name.split('.').next() == path.split('.').next()
                    && (!name.contains('.') || !path.contains('.') || name == path)
            };
            if !projection.keys().any(clashes) {
                projection.insert(path.to_owned(), json!(i32::from(keep)));
            }
        }
        if keep && self.one_in(4) {
            projection.insert("_id".to_owned(), json!(0));
        }
        if keep && self.one_in(3) {
            let added = match self.below(4) {
                0 => json!({"$slice": self.below(5) + 1}),
                1 => json!({"$slice": [self.below(3), 1 + self.below(3)]}),
                2 => json!({"$slice": -1 - self.below(3)}),
                _ => json!({"$elemMatch": {"$gte": self.number()}}),
            };
            projection.insert("t".to_owned(), added);
        } else if keep && self.one_in(4) {
            projection.insert("z".to_owned(), self.numeric(2));
        } else if keep && self.one_in(6) && !projection.contains_key("t") {
            filter = json!({"t": {"$gte": self.number()}});
            projection.insert("t.$".to_owned(), json!(1));
        }
        json!({"kind": "project", "docs": docs, "filter": filter, "projection": projection})
    }

    /// A sort with skip and limit.
    pub fn sorting(&mut self) -> Value {
        let mut sort = self.order();
        sort["_id"] = json!(1);
        let (skip, limit) = (self.below(3), self.below(5));
        json!({"kind": "sort", "docs": self.documents(8), "sort": sort, "skip": skip, "limit": limit})
    }

    pub fn order(&mut self) -> Value {
        let mut order = json!({});
        for _ in 0..=self.below(2) {
            let path = self.pick(&[
                "a", "n", "s", "f", "d", "c.x", "c.y", "a", "n", "s", "c.y", "a", "d", "s", "c",
                "m", "t", "r.x",
            ]);
            order[path] = json!(1 - 2 * self.below(2));
            if matches!(path, "t" | "r.x") {
                break;
            }
        }
        order
    }
}
