//! Random filters over the documents of `draw`.

use serde_json::{Value, json};

use super::draw::Draw;

impl Draw {
    /// A filter of one to three conditions.
    pub fn filter(&mut self, depth: u32) -> Value {
        match self.below(if depth == 0 { 6 } else { 10 }) {
            6 => json!({"$and": [self.filter(depth - 1), self.filter(depth - 1)]}),
            7 => json!({"$or": [self.filter(depth - 1), self.filter(depth - 1)]}),
            8 => json!({"$nor": [self.filter(depth - 1)]}),
            9 => json!({"$expr": self.truth(2)}),
            0 => {
                let (a, b) = (self.condition(), self.condition());
                if a.0 == b.0 { json!({a.0: a.1}) } else { json!({a.0: a.1, b.0: b.1}) }
            }
            _ => {
                let (path, test) = self.condition();
                json!({path: test})
            }
        }
    }

    fn condition(&mut self) -> (&'static str, Value) {
        let path = self.pick(&[
            "a", "n", "c.x", "c.y", "s", "f", "d", "c", "t", "u", "r", "r.x", "t.0", "r.0.x", "m",
            "_id",
        ]);
        let test = match path {
            "s" => self.text_test(),
            "f" => json!(self.one_in(2)),
            "d" => self.ordered(Self::date),
            "c" => self.object(),
            "t" => self.array_test(Self::number),
            "u" => self.array_test(Self::text),
            "r" => self.objects_test(),
            "m" => self.ordered(Self::scalar),
            "n" | "_id" => self.integer_test(),
            _ => self.ordered(Self::number),
        };
        if self.one_in(12) && !matches!(path, "c") {
            return (path, self.any_test());
        }
        (path, test)
    }

    /// A test that makes sense for every type.
    fn any_test(&mut self) -> Value {
        match self.below(5) {
            0 => json!({"$exists": self.one_in(2)}),
            1 => Value::Null,
            2 => json!({"$ne": null}),
            3 => json!({"$in": [null, self.scalar()]}),
            _ => {
                json!({"$type": self.pick(&["string", "number", "bool", "date", "null", "object"])})
            }
        }
    }

    /// A comparison with a drawn operand.
    pub fn ordered(&mut self, operand: fn(&mut Self) -> Value) -> Value {
        match self.below(8) {
            0 => operand(self),
            1 => json!({"$in": [operand(self), operand(self)]}),
            2 => json!({"$nin": [operand(self), operand(self)]}),
            3 => json!({"$not": {self.pick(&["$gt", "$lte"]): operand(self)}}),
            4 => json!({"$gte": operand(self), "$lt": operand(self)}),
            5 => json!({"$ne": operand(self)}),
            _ => json!({self.pick(&["$gt", "$gte", "$lt", "$lte", "$eq"]): operand(self)}),
        }
    }

    fn integer_test(&mut self) -> Value {
        match self.below(10) {
            0 => json!({"$mod": [2 + self.below(3), self.below(3)]}),
            1 => {
                let name =
                    self.pick(&["$bitsAllSet", "$bitsAnySet", "$bitsAllClear", "$bitsAnyClear"]);
                json!({name: self.below(8)})
            }
            _ => self.ordered(Self::number),
        }
    }

    fn text_test(&mut self) -> Value {
        match self.below(6) {
            0 => json!({"$regex": self.pick(&["^a", "b", "c$", "[xy]", "a.*c", "^$"])}),
            1 => json!({"$regex": self.pick(&["^A", "B", "z+"]), "$options": "i"}),
            2 => json!({"$not": {"$regex": "a"}}),
            _ => self.ordered(Self::text),
        }
    }

    fn array_test(&mut self, element: fn(&mut Self) -> Value) -> Value {
        match self.below(8) {
            0 => json!({"$all": [element(self), element(self)]}),
            1 => json!({"$size": self.below(4)}),
            2 | 3 => json!({"$elemMatch": {"$gte": element(self), "$lt": element(self)}}),
            4 => json!({"$all": [element(self)]}),
            _ => self.ordered(element),
        }
    }

    fn objects_test(&mut self) -> Value {
        match self.below(4) {
            0 => json!({"$size": self.below(4)}),
            1 => json!({"$elemMatch": {"x": self.number()}}),
            2 => {
                json!({"$elemMatch": {"$or": [{"x": self.number()}, {"y": self.ordered(Self::number)}]}})
            }
            _ => {
                json!({"$elemMatch": {"x": self.ordered(Self::number), "y": self.ordered(Self::number)}})
            }
        }
    }
}
