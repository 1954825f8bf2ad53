//! Random pipelines over the documents of `draw`: stages that keep the shape, then perhaps one that does not.

use serde_json::{Value, json};

use super::draw::Draw;

impl Draw {
    /// An operation of any kind.
    pub fn operation(&mut self) -> Value {
        self.gaps = self.one_in(5);
        match self.below(10) {
            0..3 => json!({"kind": "find", "docs": self.documents(6), "filter": self.filter(2)}),
            3 => self.sorting(),
            4 => self.projection(),
            5..7 => self.update(),
            _ => self.aggregation(),
        }
    }

    /// An aggregation.
    pub fn aggregation(&mut self) -> Value {
        let docs = self.documents(6);
        let mut stages = Vec::new();
        for _ in 0..self.below(3) {
            stages.push(self.keeping());
        }
        self.last(&mut stages);
        let others = json!({"others": self.documents(4)});
        json!({"kind": "aggregate", "docs": docs, "pipeline": stages, "others": others})
    }

    fn keeping(&mut self) -> Value {
        match self.below(8) {
            0 | 1 => json!({"$match": self.filter(1)}),
            2 => json!({"$limit": 2 + self.below(5)}),
            3 => json!({"$skip": self.below(3)}),
            4 => {
                let mut order = self.order();
                order["_id"] = json!(1);
                json!({"$sort": order})
            }
            5 => json!({"$unset": self.pick(&["a", "c.x", "m", "r.y"])}),
            _ => json!({"$addFields": {self.pick(&["z", "n", "c.z", "a"]): self.numeric(2)}}),
        }
    }

    fn last(&mut self, stages: &mut Vec<Value>) {
        match self.below(14) {
            0..3 => {
                stages.push(json!({"$project": {"_id": self.below(2), "p": self.expression(3)}}))
            }
            3 => stages.push(json!({"$project": {"a": 1, "c.x": 1, "q": self.expression(2)}})),
            4 => stages.push(json!({"$addFields": {"q": self.expression(3)}})),
            5 | 6 => self.group(stages),
            7 => {
                let unwind = match self.below(3) {
                    0 => json!(self.pick(&["$t", "$r", "$u"])),
                    1 => {
                        json!({"path": self.pick(&["$t", "$r"]), "preserveNullAndEmptyArrays": true})
                    }
                    _ => json!({"path": "$t", "includeArrayIndex": "i"}),
                };
                stages.push(json!({"$unwind": unwind}));
                if self.one_in(2) {
                    stages.push(json!({"$project": {"r": 1, "t": 1, "i": 1, "e": "$r.x"}}));
                }
            }
            8 => {
                stages.clear();
                stages.push(json!({"$skip": self.below(5)}));
                stages.push(json!({"$count": "count"}));
            }
            9 => {
                stages.clear();
                stages.push(json!({"$match": {"n": {"$type": "number"}}}));
                stages.push(json!({"$bucket": {"groupBy": "$n", "boundaries": [-9, 2, 50],
                    "output": {"count": {"$sum": 1}, "ids": {"$push": "$_id"}}}}));
            }
            10 => stages.push(json!({"$facet": {
                "one": [{"$limit": 2 + self.below(5)}, {"$count": "c"}],
                "two": [{"$project": {"v": self.numeric(2)}}, {"$limit": 3}]}})),
            11 => {
                stages.push(json!({"$match": {"c": {"$type": "object"}}}));
                stages.push(json!({"$replaceRoot": {"newRoot": self.pick(&["$c", "$c"])}}));
            }
            12 => {
                let pairs = [("a", "a"), ("n", "_id"), ("c.x", "c.y"), ("a", "t"), ("t", "_id")];
                let most = if self.one_in(5) { 5 } else { 3 };
                let (local, foreign) = pairs[self.below(most) as usize];
                stages.push(json!({"$lookup": {"from": "others", "localField": local, "foreignField": foreign, "as": "l"}}));
            }
            _ => {
                stages.push(json!({"$lookup": {"from": "others", "let": {"v": self.numeric(1)}, "as": "l", "pipeline": [
                    {"$match": {"$expr": {self.pick(&["$eq", "$gt"]): ["$n", "$$v"]}}}, {"$project": {"n": 1}}]}}));
            }
        }
    }

    fn group(&mut self, stages: &mut Vec<Value>) {
        let key = match self.below(5) {
            0 => Value::Null,
            1 => json!({"k": "$f", "l": "$n"}),
            2 => self.numeric(1),
            _ => json!(self.pick(&["$a", "$n", "$f", "$s", "$c.x"])),
        };
        let name =
            self.pick(&["$sum", "$avg", "$min", "$max", "$first", "$last", "$push", "$stdDevPop"]);
        stages.push(json!({"$sort": {"_id": 1}}));
        stages.push(json!({"$group": {"_id": key, "n": {"$sum": 1}, "v": {name: self.numeric(1)},
            "w": {self.pick(&["$max", "$push", "$first"]): self.pick(&["$s", "$d", "$n"])}}}));
        if self.one_in(2) {
            stages.push(json!({"$match": {"n": {"$gte": 1}}}));
        }
        stages.push(json!({"$sort": {"_id": 1}}));
    }
}
